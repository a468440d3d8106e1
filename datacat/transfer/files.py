"""The files of a tree, to be read: those of a local folder here, those of a provider beside this.

Whatever reads a tree (`HashFiles`, `Ingest`) reads through `Files`. What must always hold: the
bytes and the state that are handed out together belong together, else
`ChangedWhileReadingError`.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import NamedTuple

from datacat.digest import new_hasher
from datacat.errors import DatacatError
from datacat.progress import StopSignal
from datacat.transfer.following import LOOK_BYTES, look_through, read_full
from datacat.transfer.reading import (
    ChangedWhileReadingError,
    SourceFile,
    opened,
    read_stable,
    unchanged,
    unreadable,
)
from datacat.transfer.turns import Turns

ENDLESS = 1 << 62
"""The size of a file whose size nobody tells: larger than any."""


class Seen(NamedTuple):
    """What a file was while it was read.

    `hashed_ns` is for the stat cache: a moment before which it had been so for long enough, when
    that is known better than by the clock of this machine; 0: it must not be remembered.
    """

    size_bytes: int
    executable: bool
    mtime_ns: int
    ctime_ns: int
    inode: int
    hashed_ns: int | None = None

    @classmethod
    def of(cls, status: os.stat_result) -> Seen:
        """What a local file is."""
        return cls(
            status.st_size,
            status.st_mode & 0o100 != 0,
            status.st_mtime_ns,
            status.st_ctime_ns,
            status.st_ino,
        )


Read = tuple[SourceFile, bytes | None, Seen]
"""A file, its bytes, and what it was; None for bytes that would be too many."""


class OpenFile(ABC):
    """A file that is open for reading in parts, in order. `size_bytes` is what it had when opened,
    None if nobody tells."""

    size_bytes: int | None
    fd: int | None = None
    """A descriptor of it, if it is a local one: the kernel can copy it."""

    @abstractmethod
    def read_into(self, buffer: memoryview, offset: int) -> int:
        """Fill `buffer` from `offset`; fewer bytes only at the end. Raises `OSError` of reading,
        `ChangedWhileReadingError`."""

    @abstractmethod
    def sample(self, offset: int, length: int) -> bytes:
        """Some bytes of it, for a look; none where that is not possible."""

    @abstractmethod
    def seen(self, size: int) -> Seen | None:
        """What the file is, of which `size` bytes were read; None when it did not keep still."""

    def hash(self, algorithm: str, *, stop: StopSignal) -> tuple[bytes, Seen]:
        """The digest of all of it. Raises `ChangedWhileReadingError`, `Failed` (unreadable)."""
        hasher = new_hasher(algorithm)
        buffer = memoryview(bytearray(LOOK_BYTES))
        size = 0
        while length := self.read_into(buffer, size):
            stop.check()
            hasher.update(buffer[:length])
            size += length
        seen = self.seen(size)
        if seen is None:
            raise ChangedWhileReadingError
        return hasher.digest(), seen


class Files(ABC):
    """The files of one tree, by their paths in it. Thread-safe."""

    costly: bool = False
    """Each byte is worth a detour: nothing is read twice to save anything but another read."""

    @abstractmethod
    def reading(
        self, batch: Sequence[SourceFile], *, limit: int, stop: StopSignal
    ) -> AbstractContextManager[Iterator[Read]]:
        """All bytes of each of a batch of small files. None for one that has grown over `limit`.

        Raises `Failed` naming the file that vanished, cannot be read or keeps changing.
        """

    @abstractmethod
    def opened(self, source: SourceFile, *, stop: StopSignal) -> AbstractContextManager[OpenFile]:
        """A file to read in parts. Raises `Failed` when it vanished or may not be read."""

    def closed_among(self, paths: Sequence[str]) -> int:
        """How many of these may not be read at all, as far as that can be told at once."""
        return min(1, len(paths))


class LocalFiles(Files):
    """The files below the folder `root` of this machine."""

    def __init__(self, root: str) -> None:
        self.root = root
        self._turns = Turns()

    @contextmanager
    def reading(
        self, batch: Sequence[SourceFile], *, limit: int, stop: StopSignal
    ) -> Iterator[Iterator[Read]]:
        stop.check()
        with self._turns.take(len(batch), sum(source.size_bytes for source in batch)):
            yield self._each(batch, limit)

    def _each(self, batch: Sequence[SourceFile], limit: int) -> Iterator[Read]:
        root = self.root
        for source in batch:
            data, status = read_stable(root, source, limit=limit)
            yield source, data, Seen.of(status)

    @contextmanager
    def opened(self, source: SourceFile, *, stop: StopSignal) -> Iterator[OpenFile]:
        stop.check()
        with opened(self.root, source) as fd:
            yield _LocalFile(fd, source.path)

    def closed_among(self, paths: Sequence[str]) -> int:
        return sum(not os.access(f"{self.root}/{path}", os.R_OK) for path in paths)


class _LocalFile(OpenFile):
    def __init__(self, fd: int, path: str) -> None:
        self.fd: int = fd
        self._path = path
        self._before = os.fstat(fd)
        self.size_bytes = self._before.st_size

    def read_into(self, buffer: memoryview, offset: int) -> int:
        return read_full(self.fd, buffer, offset)

    def sample(self, offset: int, length: int) -> bytes:
        buffer = memoryview(bytearray(length))
        return bytes(buffer[: read_full(self.fd, buffer, offset)])

    def seen(self, size: int) -> Seen | None:
        before = self._before
        stable = size == before.st_size and unchanged(before, os.fstat(self.fd))
        return Seen.of(before) if stable else None

    def hash(self, algorithm: str, *, stop: StopSignal) -> tuple[bytes, Seen]:
        hasher = new_hasher(algorithm)
        try:
            size = look_through(self.fd, look=hasher.update, stop=stop, limit=self._before.st_size)
        except OSError as error:
            raise as_unreadable(self._path, error) from error
        seen = self.seen(size)
        if seen is None:
            raise ChangedWhileReadingError
        return hasher.digest(), seen


def as_unreadable(path: str, error: OSError) -> DatacatError:
    """`error` of reading a file, in words, if it is not in words already."""
    return error if isinstance(error, DatacatError) else unreadable(path, error)
