"""Put something else in the place of one file, if it is still what it was, and holds the same.

A file is replaced only while it is provably the listed one: opened without following links, found
with the same size, times and inode before and after, compared byte by byte with what takes its
place, and with nobody writing to it as far as the system can tell. The exchange is one rename, so
at every moment the path leads to all of the bytes.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import NamedTuple

from datacat.backend.reflink import clone
from datacat.backend.system_calls import exchange_names, fsync_file
from datacat.model import LinkMode
from datacat.progress import StopSignal
from datacat.transfer.following import read_full

BUFFER_BYTES = 1024 * 1024

CAN_EXCHANGE = (
    os.open in os.supports_dir_fd
    and os.rename in os.supports_dir_fd
    and hasattr(os, "O_NOFOLLOW")
    and hasattr(os, "O_DIRECTORY")
)
"""False on Windows, where a folder cannot be held while a name in it is exchanged."""

_READ = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOFOLLOW", 0)
_FOLDER = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NOFOLLOW", 0)
_CREATE = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
_EXECUTABLE = stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH


class Target(NamedTuple):
    """A file to replace as it was listed; `source` holds the same, and so does `container`, if
    the store keeps it whole."""

    path: bytes
    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int
    device: int
    source: bytes
    container: str | None


class KeptError(Exception):
    """The file was left as it is; the text says why, to follow its name."""


@contextmanager
def held(path: bytes) -> Iterator[tuple[int, bytes]]:
    """The open folder of `path`, and its name in there."""
    folder, name = os.path.split(path)
    descriptor = os.open(folder, _FOLDER)
    try:
        yield descriptor, name
    finally:
        os.close(descriptor)


def exchange(
    target: Target, temporary: bytes, *, modes: tuple[LinkMode, ...], stop: StopSignal
) -> LinkMode:
    """Replace `target` in the first of `modes` that can be; how it was done.

    `temporary` is a name for its folder that nobody has. Raises `KeptError` and `OSError`; the
    file is then as it was.
    """
    with held(target.path) as (folder, name):
        fd = os.open(name, _READ, dir_fd=folder)
        try:
            check(target, os.fstat(fd))
            with _nobody_writing(fd) as leased:
                return _Exchange(target, temporary, folder, name, fd, leased, stop).run(modes)
        finally:
            os.close(fd)


def check(target: Target, now: os.stat_result) -> None:
    """Raise `KeptError` unless the file is what was listed, and may be replaced."""
    found = (now.st_size, now.st_mtime_ns, now.st_ctime_ns, now.st_ino, now.st_dev)
    if found != target[1:6] or not stat.S_ISREG(now.st_mode):
        raise KeptError("changed since the scan")
    if now.st_nlink > 1:
        raise KeptError("has other names (hard links)")
    if now.st_uid != os.geteuid() and os.geteuid() != 0:
        raise KeptError("belongs to somebody else")


@dataclass(frozen=True, slots=True)
class _Exchange:
    """One exchange, with all that it holds open."""

    target: Target
    temporary: bytes
    folder: int
    name: bytes
    fd: int
    leased: bool
    stop: StopSignal

    def run(self, modes: tuple[LinkMode, ...]) -> LinkMode:
        reason = KeptError("cannot be linked")
        for mode in modes:
            try:
                self._make(mode)
            except KeptError as error:
                reason = error
                continue
            try:
                self._look_again()
            except BaseException:
                self._discard()
                raise
            self._put()
            return mode
        raise reason

    def _look_again(self) -> None:
        """The last look: the listed file, unchanged, is still what the name leads to."""
        check(self.target, os.fstat(self.fd))
        check(self.target, os.stat(self.name, dir_fd=self.folder, follow_symlinks=False))
        if self.leased and _is_wanted(self.fd):
            raise KeptError("is being opened for writing")

    def _put(self) -> None:
        """Put what was made in the file's place.

        The two change places where that can be. Whoever came to write to the old file in that
        very moment is seen then, and the old one goes back before he has written.
        """
        try:
            changed_places = exchange_names(self.folder, self.temporary, self.name)
            if not changed_places:
                os.rename(self.temporary, self.name, src_dir_fd=self.folder, dst_dir_fd=self.folder)
                return
        except OSError:
            self._discard()
            raise
        now = os.fstat(self.fd)
        is_old = (now.st_size, now.st_mtime_ns) == (self.target.size, self.target.mtime_ns)
        if not is_old or (self.leased and _is_wanted(self.fd)):
            # If this fails, the old file stays under the other name: it must not be removed.
            exchange_names(self.folder, self.temporary, self.name)
            self._discard()
            raise KeptError("is being opened for writing")
        self._discard()

    def _discard(self) -> None:
        with suppress(OSError):
            os.unlink(self.temporary, dir_fd=self.folder)

    def _make(self, mode: LinkMode) -> None:
        """Make what takes the file's place, compared with it. Raises `KeptError`."""
        if mode is LinkMode.REFLINK:
            self._reflink()
            return
        container = self.target.container
        if container is None:
            raise KeptError("is not kept whole in the store, so that it cannot be linked to")
        if os.fstat(self.fd).st_mode & _EXECUTABLE:
            raise KeptError("is executable, and the store's files are not")
        source = os.open(container, _READ)
        try:
            if not same_bytes(source, self.fd, self.stop):
                raise KeptError("holds something else than the store")
        finally:
            os.close(source)
        if mode is LinkMode.SYMLINK:
            os.symlink(os.fsencode(container), self.temporary, dir_fd=self.folder)
            return
        try:
            os.link(container, self.temporary, dst_dir_fd=self.folder)
        except OSError as error:
            said = (error.strerror or str(error)).lower()
            raise KeptError(f"cannot be linked to: {said}") from error

    def _reflink(self) -> None:
        """A file of its own that shares its blocks with the first copy."""
        source = os.open(self.target.source, _READ)
        try:
            made = os.open(self.temporary, _CREATE, 0o600, dir_fd=self.folder)
            try:
                if not clone(source, made):
                    raise KeptError("the file system cannot share blocks between files")
                # What was made is compared, not what it was made from.
                if not same_bytes(made, self.fd, self.stop):
                    raise KeptError("holds something else than the first copy")
                like(made, os.fstat(self.fd), original=self.fd)
                fsync_file(made)
            except BaseException:
                self._discard()
                raise
            finally:
                os.close(made)
        finally:
            os.close(source)


def same_bytes(a: int, b: int, stop: StopSignal) -> bool:
    """Whether two open files hold the same, read to the end."""
    first, second = memoryview(bytearray(BUFFER_BYTES)), memoryview(bytearray(BUFFER_BYTES))
    done = 0
    while True:
        stop.check()
        length, other = read_full(a, first, done), read_full(b, second, done)
        if length != other or first[:length] != second[:other]:
            return False
        if length < BUFFER_BYTES:
            return True
        done += length


def like(made: int, was: os.stat_result, original: int | None = None) -> None:
    """Give an open file the owner, mode, attributes and time of another one.

    Raises `KeptError` when that is not permitted.
    """
    try:
        if (was.st_uid, was.st_gid) != (os.geteuid(), os.fstat(made).st_gid):
            os.fchown(made, was.st_uid, was.st_gid)
        if original is not None and hasattr(os, "listxattr"):
            for attribute in os.listxattr(original):
                os.setxattr(made, attribute, os.getxattr(original, attribute))
        os.fchmod(made, stat.S_IMODE(was.st_mode))
        os.utime(made, ns=(was.st_atime_ns, was.st_mtime_ns))
    except OSError as error:
        said = (error.strerror or str(error)).lower()
        raise KeptError(f"its owner or attributes cannot be kept: {said}") from error


@contextmanager
def _nobody_writing(fd: int) -> Iterator[bool]:
    """Refuse a file that is open for writing, and make whoever opens it so wait for a moment.

    By a lease, on Linux; yields whether there is one. A file system that has none (NFS) leaves
    the comparison of before and after. Raises `KeptError`.
    """
    if not sys.platform.startswith("linux"):
        yield False
        return
    import fcntl
    import signal

    try:
        # Ignored by default; the signal that is sent otherwise would end the process.
        fcntl.fcntl(fd, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_RDLCK)
    except BlockingIOError:
        raise KeptError("is open for writing") from None
    except OSError:
        yield False
        return
    try:
        yield True
    finally:
        with suppress(OSError):
            fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_UNLCK)


def _is_wanted(fd: int) -> bool:
    """Whether somebody waits for us to let go of the lease, to write to the file."""
    import fcntl

    return sys.platform.startswith("linux") and (fcntl.fcntl(fd, fcntl.F_GETLEASE) != fcntl.F_RDLCK)
