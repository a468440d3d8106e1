"""A store, people and folders for the fault tests, and proof that nothing changed."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

import datacat
from datacat.opened import Client
from datacat.store import Store

SECONDS_MAX = 60
"""A command that takes longer hangs."""

UNREFERENCED = ("whole", "packs", "segments", "manifests", "tmp")
"""Where an add that failed may leave bytes that no version speaks of."""

needs_root = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs root, to mount"
)


def client(cache: Path, user: str = "ann") -> Client:
    return Client(user=user, host="here", cache_dir=cache, jobs=2)


def make_store(folder: Path, *, user: str = "ann") -> Store:
    """A store at `folder`/store with the cache beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    return Store.create(str(folder / "store"), client=client(folder / "cache", user), name="s")


def write(root: Path, files: Mapping[str, str | bytes]) -> Path:
    """Files below `root`, which is returned."""
    root.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return root


def content(root: Path) -> dict[str, object]:
    """What a person keeps in `root`: every entry but `.datacat`, with its bytes or its target."""
    found: dict[str, object] = {}
    for folder, names, files in os.walk(os.fsencode(root)):
        names[:] = [name for name in names if name != b".datacat"]
        for name in names + files:
            path = os.path.join(folder, name)
            status = os.lstat(path)
            key = os.fsdecode(os.path.relpath(path, os.fsencode(root)))
            if stat.S_ISLNK(status.st_mode):
                found[key] = ("link", os.readlink(path))
            elif stat.S_ISREG(status.st_mode):
                with open(path, "rb") as file:
                    found[key] = (bool(status.st_mode & 0o100), file.read())
            else:
                found[key] = stat.S_IFMT(status.st_mode)
    return found


def everything(root: Path) -> dict[str, object]:
    """All that is below `root`, `.datacat` and times included, but not what is in files."""
    found: dict[str, object] = {}
    for folder, names, files in os.walk(os.fsencode(root)):
        for name in names + files:
            path = os.path.join(folder, name)
            status = os.lstat(path)
            is_folder = stat.S_ISDIR(status.st_mode)
            facts = (status.st_mode, status.st_ino, *(() if is_folder else (status.st_size,)))
            times = () if is_folder else (status.st_mtime_ns,)
            found[os.fsdecode(os.path.relpath(path, os.fsencode(root)))] = (*facts, *times)
    return found


def visible(store: Path) -> dict[str, object]:
    """What in a store makes a difference to anybody."""
    return {
        path: facts
        for path, facts in everything(store).items()
        if path.split(os.sep)[0] not in UNREFERENCED
    }


@contextlib.contextmanager
def nothing_changes(*folders: Path, store: Path) -> Iterator[None]:
    """Checks that the block leaves the folders as they are, and what is visible in the store."""
    before = [everything(folder) for folder in folders], visible(store)
    yield
    assert ([everything(folder) for folder in folders], visible(store)) == before


@dataclass(frozen=True)
class Outcome:
    """What a command did."""

    code: int
    out: str
    err: str


def run(
    *arguments: str | bytes,
    store: Path,
    home: Path,
    cwd: Path | None = None,
    closed: bool = False,
    **variables: str,
) -> Outcome:
    """Run the real command. With `closed` permissions count, even for root.

    Whatever happens, it must not take for ever and must not print a traceback.
    """
    home.mkdir(exist_ok=True, parents=True)
    prefix: list[str] = []
    if closed and os.geteuid() == 0:
        if shutil.which("setpriv") is None:
            pytest.skip("root is stopped by no permission, and there is no setpriv")
        prefix = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"]
    done = subprocess.run(
        [*prefix, sys.executable, "-W", "error", "-m", "datacat", *arguments],
        cwd=cwd or home,
        env={
            "PATH": os.environ.get("PATH", os.defpath),
            "PYTHONPATH": str(Path(datacat.__file__).parents[1]),
            "HOME": str(home),
            "XDG_CACHE_HOME": str(home / ".cache"),
            "DATACAT_STORE": str(store),
            "DATACAT_USER": "ann",
            **variables,
        },
        capture_output=True,
        timeout=SECONDS_MAX,
        check=False,
    )
    outcome = Outcome(done.returncode, os.fsdecode(done.stdout), os.fsdecode(done.stderr))
    assert "Traceback" not in outcome.err, outcome.err
    assert "a bug in datacat" not in outcome.err, outcome.err
    return outcome


@contextlib.contextmanager
def drive(mount_point: Path, size: str) -> Iterator[Path]:
    """A small file system of its own; skips where nothing can be mounted."""
    mount_point.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", mount_point],
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        pytest.skip(f"cannot mount here: {done.stderr.strip()}")
    try:
        yield mount_point
    finally:
        subprocess.run(["umount", "--lazy", mount_point], check=True)


def remount(mount_point: Path, options: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{options}", mount_point], check=True)


def fill(folder: Path, *, leave: int = 0, name: str = "fill") -> Path:
    """Use up the drive of `folder` but for `leave` bytes; returns the file that does."""
    path = folder / name
    with path.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(65536))
    if leave:
        os.truncate(path, max(0, path.stat().st_size - leave))
    return path
