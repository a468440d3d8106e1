"""A pull's own folder below `.datacat/tmp/`, and what killed pulls have left there."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
from pathlib import Path

from datacat.working_copy.folders import Folders

ABANDONED_NS_MIN = 60_000_000_000
"""A younger folder may belong to a pull that is about to lock it."""


class TemporaryFolder:
    """A fresh folder `path` (relative to the root), locked while the pull lives.

    `folder` is open for all threads until `close`; `whole` is its absolute path. Removes the
    folders of pulls that are dead: those whose lock can be taken. Where folders cannot be locked,
    none is removed.
    """

    def __init__(self, folders: Folders, parent: str) -> None:
        self.name = secrets.token_hex(8)
        self.path = f"{parent}/{self.name}"
        # By way of `folders`, so that no component is a link.
        self.folder = folders.get(self.path, create=True).duplicate()
        self.whole = folders.root / self.path
        self._lock = _locked(self.whole)
        with contextlib.suppress(OSError):
            # The clock of the file system, which need not be ours.
            remove_abandoned(self.whole.parent, now_ns=self.whole.stat().st_mtime_ns)

    def close(self) -> None:
        """Remove the folder with all that is in it. Safe to call twice."""
        shutil.rmtree(self.whole, ignore_errors=True)
        self.folder.close()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def remove_abandoned(parent: Path, *, now_ns: int) -> None:
    """Remove the folders in `parent` that pulls have left which were killed a while ago."""
    with contextlib.suppress(OSError):
        for entry in list(os.scandir(parent)):
            if entry.stat(follow_symlinks=False).st_mtime_ns > now_ns - ABANDONED_NS_MIN:
                continue
            lock = _locked(Path(entry.path))
            if lock is not None:
                shutil.rmtree(entry.path, ignore_errors=True)
                os.close(lock)


def _locked(folder: Path) -> int | None:
    """An open descriptor that holds the lock of `folder`, or None."""
    try:
        import fcntl
    except ImportError:
        return None
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor
