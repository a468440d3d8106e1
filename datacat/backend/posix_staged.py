"""A temporary in `tmp/` on its way to a key: filled, made durable, given its name once."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from contextlib import suppress

from datacat import layout
from datacat.backend.base import Created, Staged
from datacat.backend.posix_errors import TRANSIENT, storage_error
from datacat.backend.posix_folders import FILE_MODE, set_mode
from datacat.backend.system_calls import (
    OPEN_BINARY,
    UNSUPPORTED,
    fsync_file,
    open_folder,
    read_at,
    rename_no_replace,
    start_writeback,
    temporary_name,
)
from datacat.errors import Corrupt, DatacatError, StorageError


class PosixStaged(Staged):
    """An open temporary with its final mode. `fd` is -1 once it is published or discarded.

    `publish` may be called again after it failed: it goes on where it stopped, unless the bytes
    themselves could not be made durable. Then they are lost, and every further call says so.
    """

    def __init__(self, folder: str, publish: Callable[[PosixStaged, str], None]) -> None:
        self.path = os.path.join(folder, temporary_name())
        self._publish = publish
        self._identity: tuple[int, int] | None = None
        self._lost: OSError | None = None
        self._published: str | None = None
        self._removed = False
        self.fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL | OPEN_BINARY, 0o600)
        try:
            set_mode(self.fd, FILE_MODE)
        except BaseException:
            self.discard()
            raise

    def publish(self, key: str) -> None:
        if self._published != key:
            self._publish(self, key)
            self._published = key
        self.discard()

    def start_writeback(self, offset: int, length: int) -> None:
        if self.fd >= 0:
            start_writeback(self.fd, offset, length)

    def failed(self, error: OSError) -> DatacatError:
        root = os.path.dirname(os.path.dirname(self.path))
        return storage_error(error, root=root, key=layout.TEMPORARY.rstrip("/"), writing=True)

    def discard(self) -> None:
        fd, self.fd = self.fd, -1
        if fd >= 0:
            with suppress(OSError):
                os.close(fd)
        if not self._removed:
            with suppress(OSError):  # a leftover temporary costs space only; gc removes it
                os.unlink(self.path)
            self._removed = True

    def __enter__(self) -> PosixStaged:
        return self

    def seal(self) -> None:
        """Make the bytes durable and close `fd`. Raises `OSError`.

        After a failed fsync the kernel may have dropped the bytes and forgotten the error: a
        second fsync would say yes. So the temporary is given up. Some file systems report a
        full quota only at close.
        """
        if self._lost is not None:
            raise StorageError(
                f"{self._lost.strerror}: what was written before that is lost", kind="staged_lost"
            ) from self._lost
        if self._identity is not None:
            return
        try:
            fsync_file(self.fd)
            found = os.fstat(self.fd)
            fd, self.fd = self.fd, -1
            os.close(fd)
        except OSError as error:
            self._lost = error
            self.discard()
            raise
        self._identity, self._size = (found.st_dev, found.st_ino), found.st_size

    def is_at(self, path: str) -> bool:
        """Whether `path` is this very file: our link happened, whatever was answered."""
        try:
            found = os.stat(path, follow_symlinks=False)
        except OSError:
            return False
        return (found.st_dev, found.st_ino) == self._identity

    def became(self, path: str) -> bool:
        """As `is_at`, for a name that nobody else gives: also where the mount makes up inode
        numbers, and each name of a file has its own."""
        if self.is_at(path):
            return True
        try:
            found = os.stat(path, follow_symlinks=False)
            return found.st_size == self._size and self.was_taken()
        except OSError:
            return False

    def was_taken(self) -> bool:
        """Whether the temporary has a second name, or was renamed away."""
        try:
            fd = os.open(self.path, os.O_RDONLY | OPEN_BINARY)  # opened: NFS asks its server
        except FileNotFoundError:
            return True
        try:
            return os.fstat(fd).st_nlink >= 2
        finally:
            os.close(fd)


def place(temporary: str, path: str, *, exclusive: bool) -> None:
    """Give the temporary its final name. Raises `FileExistsError` where that name is taken.

    `exclusive`: exactly one of many may win, or `StorageError` (`no_atomic_create`). Otherwise
    the name is unique, and on a file system with neither hard links nor a rename that refuses
    to replace, looking first is enough.
    """
    try:
        os.link(temporary, path)
        return
    except OSError as error:
        if error.errno not in UNSUPPORTED:
            raise
    try:
        rename_no_replace(temporary, path)
    except OSError as error:
        if error.errno not in UNSUPPORTED:
            raise
        if exclusive:
            raise no_atomic_create(path) from error
        if os.path.lexists(path):
            raise FileExistsError(f"{path} exists") from error
        os.rename(temporary, path)


def no_atomic_create(path: str) -> StorageError:
    return StorageError(
        f"the drive of {os.path.dirname(path)} cannot create a file for exactly one of many",
        kind="no_atomic_create",
        hint="It has neither hard links nor an exclusive rename: a store there can only be read.",
    )


def who_won(staged: PosixStaged, path: str, data: bytes, error: OSError) -> Created:
    """What a failed link means: `EXISTS` may be our own, an EIO may have succeeded.

    Raises `error` itself when it says for certain that nothing happened.
    """
    if not isinstance(error, FileExistsError) and error.errno not in TRANSIENT:
        raise error
    try:
        open_folder(os.path.dirname(path))  # NFS may still believe that the name is absent
        if staged.is_at(path):
            return Created.CREATED
        if not stat.S_ISREG(os.lstat(path).st_mode):
            raise Corrupt(f"{path} is not a file", kind="stored_file_damaged")
        fd = os.open(path, os.O_RDONLY | OPEN_BINARY)
        try:
            # Where inode numbers are made up by the mount, bytes and link count tell.
            ours = read_at(fd, 0, len(data) + 1) == data and staged.was_taken()
        finally:
            os.close(fd)
    except OSError:
        return Created.UNKNOWN
    return Created.CREATED if ours else Created.EXISTS
