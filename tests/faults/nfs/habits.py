"""A file system with the habits of NFS: what lies below one folder, as one client there sees it.

    python -m tests.faults.nfs.habits SHARE MOUNT '{"lost": 0.2, "absent_seconds": 5}'

* A name that was looked up in vain stays absent for `absent_seconds`, whatever others do, unless
  its folder is opened anew.
* Of the replies to `link`, `rename`, `mkdir` and `unlink` a share of `lost` does not arrive: what
  was asked for is done, and the answer is that of the second request, for which it is too late.
* What is written may be lost (`failing`), which is said by `fsync`, or only by `close`.
* Without `inodes` each name of a file has a number of its own, as on some mounts that are no NFS.

`did` counts, in a file beside the share, how often each of this happened.
"""

from __future__ import annotations

import errno
import json
import os
import random
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mfusepy import FUSE, Operations

FAILURES = (errno.EIO, errno.ENOSPC, errno.EDQUOT)
STAT = ("st_mode", "st_ino", "st_nlink", "st_uid", "st_gid", "st_size", "st_blocks")


class Habits(Operations):  # type: ignore[misc]
    """Everything passes to the same path below `share`, but for the habits."""

    use_ns = True

    def __init__(
        self,
        share: str,
        *,
        lost: float = 0,
        absent_seconds: float = 0,
        failing: float = 0,
        seed: int = 0,
    ) -> None:
        self._share = share
        self._lost = lost
        self._absent_seconds = absent_seconds
        self._failing = failing
        self._random = random.Random(seed)
        self._absent: dict[str, float] = {}
        self._unsaid: set[int] = set()
        self._lock = threading.Lock()
        self.did: Counter[str] = Counter()

    def _at(self, path: str) -> str:
        return self._share + path

    def _happens(self, share: float, what: str) -> bool:
        with self._lock:
            if self._random.random() >= share:
                return False
            self.did[what] += 1
            return True

    # Names that were absent

    def _look(self, path: str) -> None:
        """Raise if this client believes that there is no such name, though there may be."""
        until = self._absent.get(path)
        if until is None or time.monotonic() > until:
            self._absent.pop(path, None)
            return
        if os.path.lexists(self._at(path)):
            self.did["stale"] += 1
        raise FileNotFoundError(errno.ENOENT, path)

    def _known(self, path: str) -> None:
        self._absent.pop(path, None)

    def getattr(self, path: str, fh: int | None = None) -> dict[str, Any]:
        if fh is None:
            self._look(path)
        try:
            found = os.lstat(self._at(path)) if fh is None else os.fstat(fh)
        except FileNotFoundError:
            self._absent[path] = time.monotonic() + self._absent_seconds
            raise
        times = {f"st_{of}": getattr(found, f"st_{of}_ns") for of in ("atime", "mtime", "ctime")}
        return {name: getattr(found, name) for name in STAT} | times

    def opendir(self, path: str) -> int:
        below = path.rstrip("/") + "/"
        for name in [name for name in self._absent if name.startswith(below)]:
            self._absent.pop(name, None)
        os.close(os.open(self._at(path), os.O_RDONLY | os.O_DIRECTORY))
        return 0

    def readdir(self, path: str, fh: int) -> Iterator[str]:
        yield from (".", "..", *os.listdir(self._at(path)))

    # Names that change: it is done, and the answer may be lost

    def link(self, target: str, source: str) -> int:
        self._known(target)
        os.link(self._at(source), self._at(target), follow_symlinks=False)
        if self._happens(self._lost, "lost link"):
            raise FileExistsError(errno.EEXIST, target)
        return 0

    def rename(self, old: str, new: str) -> int:
        self._known(new)
        os.rename(self._at(old), self._at(new))
        if self._happens(self._lost, "lost rename"):
            raise FileNotFoundError(errno.ENOENT, old)
        return 0

    def mkdir(self, path: str, mode: int) -> int:
        self._known(path)
        os.mkdir(self._at(path), mode)
        if self._happens(self._lost, "lost mkdir"):
            raise FileExistsError(errno.EEXIST, path)
        return 0

    def unlink(self, path: str) -> int:
        os.unlink(self._at(path))
        if self._happens(self._lost, "lost unlink"):
            raise FileNotFoundError(errno.ENOENT, path)
        return 0

    def rmdir(self, path: str) -> int:
        os.rmdir(self._at(path))
        return 0

    def symlink(self, target: str, source: str) -> int:
        self._known(target)
        os.symlink(source, self._at(target))
        return 0

    def readlink(self, path: str) -> str:
        return os.readlink(self._at(path))

    # Files

    def open(self, path: str, flags: int) -> int:
        self._look(path)
        return os.open(self._at(path), flags)

    def create(self, path: str, mode: int, fi: Any = None) -> int:
        self._known(path)
        return os.open(self._at(path), os.O_RDWR | os.O_CREAT, mode)

    def read(self, path: str, size: int, offset: int, fh: int) -> bytes:
        return os.pread(fh, size, offset)

    def write(self, path: str, data: bytes, offset: int, fh: int) -> int:
        self._unsaid.add(fh)
        return os.pwrite(fh, data, offset)

    def truncate(self, path: str, length: int, fh: int | None = None) -> int:
        os.truncate(self._at(path) if fh is None else fh, length)
        return 0

    def fsync(self, path: str, datasync: int, fh: int) -> int:
        self._say(fh, "failed fsync")
        os.fsync(fh)
        return 0

    def flush(self, path: str, fh: int) -> int:
        self._say(fh, "failed close")
        return 0

    def _say(self, fh: int, what: str) -> None:
        if fh in self._unsaid:
            self._unsaid.discard(fh)
            if self._happens(self._failing, what):
                os.truncate(fh, os.fstat(fh).st_size // 2)
                raise OSError(self._random.choice(FAILURES), "what was written is lost")

    def release(self, path: str, fh: int) -> int:
        self._unsaid.discard(fh)
        os.close(fh)
        return 0

    # The rest

    def chmod(self, path: str, mode: int) -> int:
        os.chmod(self._at(path), mode)
        return 0

    def chown(self, path: str, uid: int, gid: int) -> int:
        os.chown(self._at(path), uid, gid, follow_symlinks=False)
        return 0

    def utimens(self, path: str, times: tuple[int, int] | None = None) -> int:
        os.utime(self._at(path), ns=times, follow_symlinks=False)
        return 0

    def statfs(self, path: str) -> dict[str, int]:
        found = os.statvfs(self._at(path))
        names = ("f_bavail", "f_bfree", "f_blocks", "f_bsize", "f_files", "f_ffree", "f_frsize")
        return {name: getattr(found, name) for name in (*names, "f_namemax")}


def main(share: str, mount: str, options: str) -> None:
    """Serve until it is unmounted, then write down what was done."""
    given = {"inodes": True, **json.loads(options)}
    habits = Habits(share, **{name: of for name, of in given.items() if name != "inodes"})
    # The kernel remembers nothing: what is stale is so because of the class above.
    never = {"entry_timeout": 0, "attr_timeout": 0, "negative_timeout": 0}
    FUSE(habits, mount, foreground=True, use_ino=given["inodes"], **never)
    Path(f"{mount}.did").write_text(json.dumps(habits.did))


if __name__ == "__main__":
    main(*sys.argv[1:])
