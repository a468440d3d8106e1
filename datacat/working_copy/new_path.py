"""A path about to appear: made under a temporary name, then renamed over what it may replace."""

from __future__ import annotations

import contextlib
import os
import stat
from types import TracebackType
from typing import NamedTuple

from datacat.errors import Refused
from datacat.text import printable
from datacat.working_copy.folders import Folder, Folders

_CREATE = (
    os.O_RDWR
    | os.O_CREAT
    | os.O_EXCL
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_BINARY", 0)
)
_TIME_BY_DESCRIPTOR = os.utime in os.supports_fd


class FileStat(NamedTuple):
    """What tells whether a file is still the same one: what the stat cache keeps."""

    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int

    @classmethod
    def of(cls, status: os.stat_result) -> FileStat:
        return cls(status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)


class NewPath:
    """Use it in a `with` block: make something at `where.at(temporary)`, then `put`.

    Leaving the block without `put` removes the temporary.
    """

    __slots__ = ("_done", "_folders", "_path", "_replaces", "temporary", "where")

    def __init__(
        self,
        folders: Folders,
        path: str,
        *,
        temporary_folder: Folder,
        temporary: str,
        replaces: FileStat | None,
    ) -> None:
        above, _ = folders.split(path)
        folder = folders.get(above, create=True)
        # A rename cannot leave a file system: in a folder that is mounted, write right there.
        self.where = temporary_folder if temporary_folder.device == folder.device else folder
        self.temporary = temporary
        self._folders = folders
        self._path = path
        self._replaces = replaces
        self._done = False

    def __enter__(self) -> NewPath:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if not self._done:
            self.discard()

    def create(self, *, executable: bool) -> int:
        """A descriptor of the empty temporary, for reading and writing."""
        # The kernel takes the umask off, as for every file that the person makes.
        mode = 0o777 if executable else 0o666
        name = self.where.at(self.temporary)
        return os.open(name, _CREATE, mode, dir_fd=self.where.descriptor)

    def set_time(self, descriptor: int, mtime_ns: int | None) -> None:
        """Give the temporary the time of the file that was saved."""
        if mtime_ns is not None:
            name = descriptor if _TIME_BY_DESCRIPTOR else self.where.at(self.temporary)
            os.utime(name, ns=(mtime_ns, mtime_ns))

    def put(self) -> os.stat_result:
        """Rename the temporary to its path and return its lstat there.

        Raises `Refused` (`local_edits`) when something else than `replaces` is in the way.
        """
        above, name = self._folders.split(self._path)
        try:
            status = self._rename(self._folders.get(above, create=True), name)
        except FileNotFoundError:
            # The folder was removed since it was opened, when it became empty: make it again.
            self._folders.forget()
            status = self._rename(self._folders.get(above, create=True), name)
        self._done = True
        return status

    def _rename(self, folder: Folder, name: str) -> os.stat_result:
        check(folder, name, self._path, expected=self._replaces)
        os.replace(
            self.where.at(self.temporary),
            folder.at(name),
            src_dir_fd=self.where.descriptor,
            dst_dir_fd=folder.descriptor,
        )
        return lstat(folder, name)

    def discard(self) -> None:
        """Remove the temporary, if it is there."""
        with contextlib.suppress(OSError):
            os.unlink(self.where.at(self.temporary), dir_fd=self.where.descriptor)


def lstat(folder: Folder, name: str) -> os.stat_result:
    return os.stat(folder.at(name), dir_fd=folder.descriptor, follow_symlinks=False)


def check(folder: Folder, name: str, path: str, *, expected: FileStat | None) -> None:
    """Raise `Refused` (`local_edits`) unless `expected`, or nothing at all, lies at `path`.

    An empty folder is nothing: it is removed when it is in the way of a file. For a link into
    the store `expected` may be the stat of the container. The ctime of a file with several names
    changes whenever anybody makes another one, so it is not compared then.
    """
    try:
        status = lstat(folder, name)
    except FileNotFoundError:
        return
    if _is(status, expected):
        return
    if stat.S_ISDIR(status.st_mode) and expected is None:
        with contextlib.suppress(OSError):
            os.rmdir(folder.at(name), dir_fd=folder.descriptor)
            return
    if stat.S_ISLNK(status.st_mode) and expected is not None:
        with contextlib.suppress(OSError):
            followed = os.stat(folder.at(name), dir_fd=folder.descriptor)
            if _is(followed, expected):
                return
    raise Refused(
        f"{printable(path)} was changed or made meanwhile; it is left as it is",
        kind="local_edits",
        hint="Run the same command again to see what differs.",
    )


def _is(status: os.stat_result, expected: FileStat | None) -> bool:
    found = FileStat.of(status)
    if expected is not None and status.st_nlink > 1 and stat.S_ISREG(status.st_mode):
        found = found._replace(ctime_ns=expected.ctime_ns)
    return found == expected
