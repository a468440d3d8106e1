"""Checks of what people share: modes and group, the log, what was left behind, working copies."""

from __future__ import annotations

import os
import shlex
import stat
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from datacat import layout
from datacat.backend import Stat
from datacat.backend.posix_errors import group_name
from datacat.catalog.log import Log, digest_of
from datacat.catalog.query import CatalogQuery
from datacat.copies import hidden_copies, withdraw, working_copies
from datacat.errors import Corrupt
from datacat.maintenance.doctor.visit import Checks, Visit, fail, fine, note, time_there
from datacat.model import Copy
from datacat.opened import read_store_file
from datacat.text import count_of, human_bytes
from datacat.working_copy.registering import found_here

WALK_SECONDS = 4.0
"""A large store on a slow drive is not walked to its end."""

RECORDS_CHECKED = 20

ABANDONED_SECONDS = 7 * 86_400
"""A temporary that nobody wrote to for so long belongs to a command that is dead."""

NAMED_MAX = 3


@dataclass(slots=True)
class _Found:
    """Paths with the same fault: how many, and the first."""

    count: int = 0
    first: str = ""

    def add(self, path: str) -> None:
        self.count += 1
        self.first = self.first or path

    def of(self, noun: str) -> str:
        return f"{count_of(self.count, noun)} (for example {self.first})"


@dataclass(slots=True)
class _Faults:
    """What keeps teammates out."""

    unwritable: _Found = field(default_factory=_Found)
    unreadable: _Found = field(default_factory=_Found)
    without_setgid: _Found = field(default_factory=_Found)
    looked_at: int = 0
    finished: bool = True


def group(visit: Visit) -> Checks:
    """Whether everybody of the team may read what is there and write what is to come."""
    root = visit.root
    if root is None or not visit.opened.info.shared or not hasattr(os, "getgroups"):
        return
    gid = root.stat().st_gid
    team, place = group_name(gid), shlex.quote(str(root))
    faults = _look_through(root, gid)
    own = f"chgrp -R {shlex.quote(team)} {place}"
    if faults.unwritable.count:
        yield fail(
            "group",
            f"{faults.unwritable.of('folder')} cannot be written to by group '{team}'",
            f"as their owner:  {own}; find {place} -type d -exec chmod 2775 {{}} +",
        )
    if faults.unreadable.count:
        yield fail(
            "group",
            f"{faults.unreadable.of('file')} cannot be read by group '{team}'",
            f"as their owner:  {own}; chmod -R g+rX {place}",
        )
    if faults.without_setgid.count:
        yield note(
            "group",
            f"what is made in {faults.without_setgid.of('folder')} will not belong to group"
            f" '{team}'",
            f"as their owner:  find {place} -type d -exec chmod g+s {{}} +",
        )
    if not (faults.unwritable.count or faults.unreadable.count or faults.without_setgid.count):
        part = "" if faults.finished else f", as far as looked at ({faults.looked_at:,})"
        yield fine("group", f"files and folders are open to group '{team}'{part}")


def _look_through(root: Path, gid: int) -> _Faults:
    faults = _Faults()
    until = time.monotonic() + WALK_SECONDS
    for path, status in _folders_first(root):
        faults.looked_at += 1
        name = os.path.relpath(path, root)
        mode = status.st_mode
        ours = status.st_gid == gid
        if stat.S_ISDIR(mode):
            if not _allows(mode, 0o7, ours=ours):
                faults.unwritable.add(name)
            elif not mode & stat.S_ISGID:
                faults.without_setgid.add(name)
        elif stat.S_ISREG(mode) and not _allows(mode, 0o4, ours=ours):
            faults.unreadable.add(name)
        if time.monotonic() > until:
            faults.finished = False
            break
    return faults


def _allows(mode: int, bits: int, *, ours: bool) -> bool:
    """Whether a member of the group may do that: as one of the group, or as anybody."""
    return (mode >> 3 if ours else mode) & bits == bits


_TOP = {directory.split("/")[0] for directory in layout.directories()}


def _folders_first(root: Path) -> Iterator[tuple[str, os.stat_result]]:
    """Everything of the store but its temporaries; what may not be looked into is passed by.

    Of what else lies beside it, such as `lost+found`, the store takes no notice.
    """
    waiting = deque([str(root)])
    yield str(root), root.stat()
    while waiting:
        folder = waiting.popleft()
        try:
            with os.scandir(folder) as entries:
                listed = sorted(entries, key=lambda entry: entry.name)
        except OSError:
            continue
        for entry in listed:
            try:
                status = entry.stat(follow_symlinks=False)
            except OSError:
                continue  # removed meanwhile
            if stat.S_ISDIR(status.st_mode):
                if folder == str(root) and entry.name not in _TOP:
                    continue
                if f"{os.path.relpath(entry.path, root)}/" != layout.TEMPORARY:
                    waiting.append(entry.path)
            yield entry.path, status


def log(visit: Visit) -> Checks:
    """Whether the newest records can be read, and each continues the one before it."""
    store = visit.opened
    head = store.catalog.sync().seq
    records = Log(store.backend, genesis=read_store_file(store.backend))
    before = max(0, head - RECORDS_CHECKED)
    digest = records.genesis_digest
    if before:
        data = records.read(before)
        if data is None:
            raise Corrupt(
                f"{layout.log_record(before)} is missing from the store",
                kind="record_missing",
                hint="Restore this file from a backup of the store.",
            )
        digest = digest_of(data)
    checked = sum(1 for _ in records.read_from(before, digest))
    yield fine("log", f"log readable up to record {head:,}; the last {checked:,} checked")


def temporary(visit: Visit) -> Checks:
    """What killed commands have left in `tmp/`."""
    store, root = visit.opened, visit.root
    if root is None:
        return
    now = (time_there(store.backend) if visit.can_write else None) or time.time()
    oldest_ns = int((now - ABANDONED_SECONDS) * 1e9)
    left = [one for one in store.backend.keys(layout.TEMPORARY) if one.modified_ns < oldest_ns]
    own = [found for found in left if _is_own(root / found.key)]
    removed: list[Stat] = []
    if visit.fix and visit.can_write:
        for found in own:
            store.backend.delete(found.key)
            removed.append(found)
        if removed:
            yield fine("temporary", f"removed {_amount(removed)} that you left in tmp/", fixed=True)
    rest = [found for found in left if found not in removed]
    if not rest:
        return
    mine = len([found for found in own if found not in removed])
    yield note(
        "temporary",
        f"{_amount(rest)} in tmp/, left by commands that were killed, {mine:,} of them yours",
        f"{'remove your own' if mine else 'their owners run'}:  datacat doctor --fix",
    )


def _amount(found: list[Stat]) -> str:
    size = human_bytes(sum(one.size_bytes for one in found))
    return f"{count_of(len(found), 'abandoned file')}, {size}"


def _is_own(path: Path) -> bool:
    try:
        return path.lstat().st_uid == os.geteuid()
    except OSError:
        return False


def copies(visit: Visit) -> Checks:
    """Registered working copies of ours, on this machine, that are not there any more."""
    store = visit.opened
    query = CatalogQuery(store.catalog.sync())
    known = (*working_copies(store, query), *hidden_copies(store, query))
    gone = [copy for copy in found_here(store, known) if copy.gone]
    safe = [copy for copy in gone if _is_certain(copy)]
    if visit.fix and visit.can_write and safe:
        for copy in safe:
            withdraw(store, copy.id)
        yield fine(
            "copies",
            f"{count_of(len(safe), 'working copy', 'working copies')} that {_are(safe)} gone"
            f" {_are(safe)} not registered any more: {_named(safe)}"
            + "; if you moved one, run 'datacat status' there"
            * any(c.linked for c in safe),
            fixed=True,
        )
        gone = [copy for copy in gone if copy not in safe]
    if not gone:
        return
    certain = [copy for copy in gone if copy in safe]
    yield note(
        "copies",
        f"{count_of(len(gone), 'working copy', 'working copies')} of yours {_are(gone)} not seen:"
        f" {_named(gone)}",
        "forget them:  datacat doctor --fix"
        if certain
        else "is the drive mounted? Links that are left have to be removed first",
    )


def _is_certain(copy: Copy) -> bool:
    """Whether a copy that is gone may be forgotten.

    The folder around it must be there and hold something: it is not a drive that is away. Of links
    nothing may be left, or garbage collection would break them.
    """
    try:
        if copy.path is None or (copy.linked and os.path.lexists(copy.path)):
            return False
        with os.scandir(Path(copy.path).parent) as entries:
            return any(entries)
    except OSError:
        return False


def _are(found: list[Copy]) -> str:
    return "is" if len(found) == 1 else "are"


def _named(found: list[Copy]) -> str:
    named = ", ".join(f"{copy.path} ({copy.ref})" for copy in found[:NAMED_MAX])
    return named + (f", … {len(found) - NAMED_MAX:,} more" if len(found) > NAMED_MAX else "")
