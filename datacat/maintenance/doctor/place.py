"""Checks of the place where the store is: can it be reached, written to, linked from."""

from __future__ import annotations

import errno
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from datacat import layout
from datacat.backend import open_backend
from datacat.backend.posix_errors import group_name, user_name
from datacat.backend.posix_folders import FILE_MODE
from datacat.backend.reflink import clone
from datacat.errors import NoStore, StorageDenied
from datacat.maintenance.doctor.mounts import file_system_of
from datacat.maintenance.doctor.visit import (
    Checks,
    Visit,
    advice,
    fail,
    fine,
    note,
    probe,
    time_there,
)
from datacat.opened import assemble
from datacat.text import count_of, human_bytes
from datacat.working_copy.walk import inside_store

SHARE = "to share with a team:  datacat init /shared/path"

CLOCK_SECONDS_MAX = 5
"""Clocks that agree this well confuse nobody; a busy server takes some seconds to answer."""

FULL_PERCENT = 97
NEARLY_FULL_PERCENT = 90
ROOMY_BYTES = 1_000_000_000_000
"""With this much left a disk is not full, whatever its percentage is."""


def store(visit: Visit) -> Checks:
    """Whether there is a store, and how fast it answers."""
    subject = visit.subject
    began = time.perf_counter()
    try:
        backend = subject.backend or open_backend(subject.url, subject.options)
        opened = assemble(backend, client=subject.client)
    except NoStore as error:
        if not subject.personal or error.kind == "unsupported_store":
            raise
        yield note("store", "no store is configured; a personal one will be made for you", SHARE)
        return
    milliseconds = max(1, round((time.perf_counter() - began) * 1000))
    visit.store = opened
    where = f"{backend.url} reachable in {milliseconds} ms, format {layout.FORMAT}"
    if subject.personal:
        yield note("store", f"your personal store {where}", SHARE)
    else:
        yield fine("store", f"store {where}")


def access(visit: Visit) -> Checks:
    """Whether we may save, and whose new files are."""
    backend = visit.opened.backend
    try:
        with probe(backend) as key:
            path = backend.path_of(key)
            found = None if path is None else path.stat()
    except StorageDenied as error:
        yield note("access", f"you can read, but not save: {error.message}", advice(error))
        return
    visit.can_write = True
    root = visit.root
    if root is None or found is None:
        yield fine("access", "you can read and write")
        return
    closed = [
        key
        for key in (*layout.directories(), *_buckets(root))
        if (root / key).is_dir() and not os.access(root / key, os.W_OK | os.X_OK)
    ]
    if closed:
        owner = user_name((root / closed[0]).stat().st_uid)
        yield fail(
            "access",
            f"you cannot write to {count_of(len(closed), 'folder')} of the store, for example"
            f" {closed[0]}",
            f"ask '{owner}', its owner, or an admin:  chmod g+rwxs {root / closed[0]}",
        )
        return
    if stat.S_IMODE(found.st_mode) != FILE_MODE:
        yield note("access", "you can read and write; this drive keeps no modes of files")
    elif visit.opened.info.shared and hasattr(os, "getgroups"):
        group = group_name(found.st_gid)
        yield fine("access", f"you can read and write; new files belong to group '{group}'")
    else:
        yield fine("access", "you can read and write")


def _buckets(root: Path) -> list[str]:
    with suppress(OSError):
        return [f"{layout.LOG}{name}/" for name in sorted(os.listdir(root / layout.LOG))]
    return []


def atomic(visit: Visit) -> Checks:
    """Whether one of several writers wins: without that a store loses versions."""
    if not visit.can_write:
        return
    root = visit.root
    if visit.is_away and visit.opened.backend.capabilities.atomic_create:
        yield fine("atomic", "the server refuses a second create of the same key")
        return
    kind = None if root is None else file_system_of(root)
    where = f" ({kind})" if kind else ""
    if visit.opened.backend.capabilities.atomic_create:
        yield fine("atomic", f"atomic create works on this file system{where}")
    else:
        yield fail(
            "atomic",
            f"this file system{where} cannot create a file for exactly one of many writers:"
            " the store can only be read",
            "It has neither hard links nor an exclusive rename. Use another drive.",
        )


def clock(visit: Visit) -> Checks:
    """Whether this machine and the drive agree on the time."""
    if not visit.can_write:
        return
    before = time.time()
    theirs = time_there(visit.opened.backend)
    if theirs is None:
        return
    skew = min(theirs - before, 0) or max(theirs - time.time(), 0)
    if abs(skew) <= CLOCK_SECONDS_MAX:
        yield fine("clock", "the clocks of this machine and of the store agree")
        return
    how = "behind" if skew > 0 else "ahead of"
    yield note(
        "clock",
        f"the clock of this machine is {_duration(abs(skew))} {how} the store's: times that people"
        " see are wrong",
        "ask an admin to synchronise it (NTP)",
    )


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7_200 else f"{seconds / 3_600:.0f} h"


def links(visit: Visit) -> Checks:
    """How `pull` could put files into the current folder."""
    root, folder = visit.root, visit.subject.folder
    if root is None or inside_store(folder, root):
        return
    try:
        here = Path(tempfile.mkdtemp(prefix=".datacat-doctor-", dir=folder))
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        yield note("links", f"links: not tried, the current folder cannot be written to: {reason}")
        return
    try:
        with _something_stored(visit, root) as stored:
            tried = {
                "reflink": _reflink(stored, here / "reflink"),
                "hardlink": _answer(lambda: os.link(stored, here / "hardlink")),
                "symlink": _answer(lambda: os.symlink(stored, here / "symlink")),
            }
    finally:
        shutil.rmtree(here, ignore_errors=True)
    if tried["hardlink"] == "yes" and _hardlinks_are_protected():
        tried["hardlink"] = "own files only"
    yield fine("links", "links: " + ", ".join(f"{kind} {said}" for kind, said in tried.items()))


@contextmanager
def _something_stored(visit: Visit, root: Path) -> Iterator[Path]:
    """The path of a file of the store: a probe, or one that is there if we may not write."""
    if not visit.can_write:
        yield root / layout.STORE
        return
    with probe(visit.opened.backend) as key:
        yield root / key


def _reflink(stored: Path, target: Path) -> str:
    def attempt() -> None:
        with stored.open("rb") as source, target.open("xb") as made:
            if not clone(source.fileno(), made.fileno()):
                other = os.fstat(source.fileno()).st_dev != os.fstat(made.fileno()).st_dev
                raise OSError(errno.EXDEV if other else errno.EOPNOTSUPP, "")

    said = _answer(attempt)
    return "no" if said.startswith("no") else said


def _answer(attempt: Callable[[], object]) -> str:
    """`yes`, `no`, or `no` with the reason that a person can do something about."""
    try:
        attempt()
    except OSError as error:
        return "no (other disk)" if error.errno == errno.EXDEV else "no"
    return "yes"


def _hardlinks_are_protected() -> bool:
    """Linux may let only the owner of a file make hard links to it."""
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        return False
    with suppress(OSError):
        return Path("/proc/sys/fs/protected_hardlinks").read_text().strip() == "1"
    return False


def disk(visit: Visit) -> Checks:
    """Whether there is room for more."""
    root = visit.root
    if root is None:
        return
    use = shutil.disk_usage(root)
    percent = 100 * use.used / max(1, use.used + use.free)
    shown = f"disk of {root} is {int(percent)}% full ({human_bytes(use.free)} left)"
    fix = "free space:  datacat gc     find copies:  datacat scan PATH"
    if percent >= FULL_PERCENT and use.free < ROOMY_BYTES:
        yield fail("disk", shown, fix)
    elif percent >= NEARLY_FULL_PERCENT and use.free < ROOMY_BYTES:
        yield note("disk", shown, fix)
    else:
        yield fine("disk", shown)
