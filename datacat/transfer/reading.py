"""Read source files so that a change during the read is noticed."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from typing import NamedTuple

from datacat.errors import DatacatError, Failed
from datacat.text import printable

ATTEMPTS = 3
"""A file that changes while it is read is read again this often in all."""

_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)


class ChangedWhileReadingError(Exception):
    """The bytes that were read may belong to two states of the file."""


class SourceFile(NamedTuple):
    """A file to read: its path relative to the tree, and what it was when it was listed.

    `linked`: a symbolic link into the store, which is read through. `old`: the digest of other
    content that a version before had at this path.
    """

    path: str
    size_bytes: int
    linked: bool
    mtime_ns: int
    ctime_ns: int
    inode: int
    old: bytes | None = None


@contextlib.contextmanager
def opened(root: str, source: SourceFile) -> Iterator[int]:
    """An open descriptor of a regular file below `root`, never through a link at its end.

    Raises `Failed` when it vanished, may not be read, or is no regular file any more.
    """
    fd = _open(root, source)
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise _not_regular(source.path)
        yield fd
    finally:
        os.close(fd)


def _open(root: str, source: SourceFile) -> int:
    flags = _FLAGS if source.linked else _FLAGS | _NO_FOLLOW
    try:
        return os.open(f"{root}/{source.path}" if source.path else root, flags)
    except OSError as error:
        raise unreadable(source.path, error) from error


def _not_regular(path: str) -> Failed:
    return Failed(f"{printable(path)} is not a regular file any more", kind="file_changed")


def read_stable(
    root: str, source: SourceFile, *, limit: int
) -> tuple[bytes | None, os.stat_result]:
    """All bytes of a file and what it was meanwhile; None when it has grown beyond `limit`.

    Called once per small file: four system calls and little else, as long as the file is still
    what was listed.
    """
    path, size, linked, mtime_ns, ctime_ns, inode, _ = source
    if size <= limit:
        try:
            fd = os.open(f"{root}/{path}", _FLAGS if linked else _FLAGS | _NO_FOLLOW)
            try:
                # One byte more than expected: a file that grew is noticed without another call.
                data = os.read(fd, size + 1)
                after = os.fstat(fd)
            finally:
                os.close(fd)
            if (
                len(data) == size == after.st_size
                and after.st_mtime_ns == mtime_ns
                and after.st_ctime_ns == ctime_ns
                and after.st_ino == inode
            ):
                return data, after
        except OSError:
            pass  # said below in words, if it happens again
    return _read_changed(root, source, limit=limit)


def _read_changed(
    root: str, source: SourceFile, *, limit: int
) -> tuple[bytes | None, os.stat_result]:
    """As `read_stable`, for a file that is not what was listed any more."""
    for _ in range(ATTEMPTS):
        fd = _open(root, source)
        try:
            before = os.fstat(fd)
            size = before.st_size
            if size > limit:
                return None, before
            if not stat.S_ISREG(before.st_mode):
                raise _not_regular(source.path)
            data = os.read(fd, size + 1)
            if len(data) < size:
                data = _read_rest(fd, data, size)
            after = os.fstat(fd)
        except OSError as error:
            if isinstance(error, DatacatError):
                raise
            raise unreadable(source.path, error) from error
        finally:
            os.close(fd)
        if len(data) == size and unchanged(before, after):
            return data, before
    raise changed(source.path)


def _read_rest(fd: int, data: bytes, size: int) -> bytes:
    # A file system may give less than was asked for; the end is where it gives nothing.
    parts = [data]
    while data and sum(map(len, parts)) < size:
        data = os.read(fd, size)
        parts.append(data)
    return b"".join(parts)


def unchanged(before: os.stat_result, after: os.stat_result) -> bool:
    return (
        before.st_mtime_ns == after.st_mtime_ns
        and before.st_size == after.st_size
        and before.st_ctime_ns == after.st_ctime_ns
    )


def changed(path: str) -> Failed:
    return Failed(
        f"{printable(path)} changed while it was being read. Nothing was saved.",
        kind="file_changed",
        hint="Wait until nothing writes to the folder, then run the same command again.",
    )


def unreadable(path: str, error: OSError) -> Failed:
    if isinstance(error, FileNotFoundError):
        return Failed(
            f"{printable(path)} vanished while the folder was being read. Nothing was saved.",
            kind="file_vanished",
        )
    reason = (error.strerror or str(error)).lower()
    return Failed(f"cannot read {printable(path)}: {reason}", kind="unreadable")
