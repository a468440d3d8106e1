"""Read any range of a content: only the chunks that it touches, each verified first.

A `Content` is what is known of it; a `Reading` is one open reader. What must always hold: bytes
that do not have the checksum and the digest that the index states are never handed out.
"""

from __future__ import annotations

import contextlib
import os
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

from datacat import layout
from datacat.backend import Backend
from datacat.digest import BLOCK_BYTES, checksums
from datacat.errors import Corrupt, StorageError
from datacat.progress import StopSignal
from datacat.transfer.ahead import Ahead
from datacat.transfer.chunk_cache import ChunkCache
from datacat.transfer.executor import batched, run_bounded, threads
from datacat.transfer.located import Located
from datacat.transfer.pieces import Piece, PieceReader

STEP_BYTES = 4 * 1024 * 1024
"""A longer range is brought by several threads, so much at a time by each."""

AT_ONCE_BYTES = 32 * 1024 * 1024
"""What a long read holds besides the buffer that it fills."""

PASSING_BYTES_MIN = 256 * 1024
"""Whoever reads so much at once from a store on a drive passes through: the operating system has it
in its cache, and to keep it here as well would cost more than to read it."""

_BINARY = getattr(os, "O_BINARY", 0)


class Reading(ABC):
    """One open reader of a content. Used by one thread at a time."""

    @abstractmethod
    def readinto(self, offset: int, buffer: memoryview) -> None:
        """Fill `buffer` from `offset` on; both lie within the content. Raises `Corrupt`."""

    @abstractmethod
    def close(self) -> None:
        """Let go of files and threads."""


class Content(ABC):
    """A content that can be read from anywhere. Thread-safe; `size` in bytes."""

    size: int

    @property
    def local_path(self) -> Path | None:
        """A file that holds exactly these bytes, unverified; None when there is none."""
        return None

    @abstractmethod
    def open(self, *, ahead: bool = True) -> Reading:
        """A reader; with `ahead` it brings what follows when it is read in order."""

    def read(self, offset: int = 0, length: int | None = None) -> bytes:
        """`length` bytes from `offset`, fewer only where the content ends. Raises `Corrupt`."""
        begin = min(max(offset, 0), self.size)
        end = self.size if length is None else min(begin + max(length, 0), self.size)
        if begin == end:
            return b""
        data = bytearray(end - begin)
        reading = self.open(ahead=False)
        try:
            with memoryview(data) as view:
                reading.readinto(begin, view)
        finally:
            reading.close()
        return bytes(data)


class Nothing(Content):
    """The empty content."""

    size = 0

    def open(self, *, ahead: bool = True) -> Reading:  # noqa: ARG002 - there is nothing ahead
        return _NothingReading()


class _NothingReading(Reading):
    def readinto(self, offset: int, buffer: memoryview) -> None:
        """There is nothing to fill."""

    def close(self) -> None:
        """Nothing was opened."""


def content_at(
    located: Located,
    *,
    backend: Backend,
    cache: ChunkCache,
    digest: Callable[[bytes], bytes],
    jobs: int,
) -> Content:
    """The content whose pieces are `located`, read in place where its plain bytes lie in a local
    file, else through `cache` by up to `jobs` threads. `digest` is the store's."""
    container = located.one_piece_in
    if container is not None and layout.is_whole(container):
        path = backend.path_of(container)
        if path is not None:
            return _InPlace(located, path)
    return _Chunks(located, PieceReader(backend), cache, digest, jobs)


class _Chunks(Content):
    """A content of chunks in containers."""

    def __init__(
        self,
        located: Located,
        reader: PieceReader,
        cache: ChunkCache,
        digest: Callable[[bytes], bytes],
        jobs: int,
    ) -> None:
        self.size = located.size
        self.located = located
        self._reader = reader
        self._cache = cache
        self._digest = digest
        self._jobs = jobs

    def open(self, *, ahead: bool = True) -> Reading:
        return _ChunksReading(self, ahead=ahead)

    @property
    def on_a_drive(self) -> bool:
        """Whether the operating system reads ahead and caches what is read."""
        return self._reader.local

    def read(self, offset: int = 0, length: int | None = None) -> bytes:
        if len(self.located) == 1 and offset == 0 and (length is None or length >= self.size):
            return bytes(self.get(0, 1)[0])  # a small file, and all of it
        return super().read(offset, length)

    def kept(self, index: int) -> bytes | memoryview | None:
        """The plain bytes of a piece, if they are still in the cache."""
        return self._cache.get(self.located.place(index))

    def get(
        self,
        first: int,
        last: int,
        *,
        passing: range = range(0),
        arrived: Mapping[int, bytes | memoryview] = MappingProxyType({}),
    ) -> list[bytes | memoryview]:
        """The plain bytes of the pieces `first` to `last` (not included). Some have `arrived`, by
        their numbers; those in `passing` are not kept for later."""
        found = [arrived.get(index) or self.kept(index) for index in range(first, last)]
        absent = [n for n, data in enumerate(found) if data is None]
        pieces = [self.located.piece(first + n) for n in absent]
        for n, piece, data in zip(absent, pieces, self._load_all(pieces), strict=True):
            if first + n in passing:
                found[n] = data
                continue
            # A view may be of a much larger request, which would stay in memory with it.
            found[n] = kept = bytes(data)
            self._cache.put((piece.container, piece.offset), kept)
        return [data for data in found if data is not None]

    def _load_all(self, pieces: list[Piece]) -> list[bytes | memoryview]:
        if not pieces:
            return []
        if sum(piece.size for piece in pieces) <= STEP_BYTES or self._jobs == 1:
            return self._load(pieces)
        mean = max(1, sum(piece.size for piece in pieces) // len(pieces))
        parts = list(enumerate(batched(pieces, max(1, STEP_BYTES // mean))))
        with threads(min(self._jobs, len(parts))) as executor:
            done = dict(
                run_bounded(
                    executor,
                    lambda part: (part[0], self._load(part[1])),
                    parts,
                    jobs=self._jobs,
                    stop=StopSignal(),
                )
            )
        return [data for number in range(len(parts)) for data in done[number]]

    def _load(self, pieces: list[Piece]) -> list[bytes | memoryview]:
        good: list[bytes | memoryview] = []
        for piece, data in zip(pieces, self._reader.read(pieces), strict=True):
            if isinstance(data, Corrupt):
                raise data
            if piece.digest and self._digest(data) != piece.digest:  # type: ignore[arg-type]
                raise Corrupt(f"{piece.container} holds other content", kind="container_damaged")
            good.append(data)
        return good


class _ChunksReading(Reading):
    def __init__(self, content: _Chunks, *, ahead: bool) -> None:
        self._content = content
        located = content.located

        def load(first: int, last: int) -> list[bytes | memoryview]:
            return content.get(first, last, passing=range(first, last if content.on_a_drive else 0))

        self._ahead = Ahead(load, start=located.start, count=len(located)) if ahead else None
        self._arrived = MappingProxyType(self._ahead.arrived if self._ahead is not None else {})

    def readinto(self, offset: int, buffer: memoryview) -> None:
        located = self._content.located
        passes = self._content.on_a_drive and len(buffer) >= PASSING_BYTES_MIN
        done = 0
        while done < len(buffer):
            first = located.index_at(offset + done)
            until = min(offset + len(buffer), offset + done + AT_ONCE_BYTES)
            last = located.index_at(until - 1) + 1
            if self._ahead is not None:
                self._ahead.about_to_read(first, last)
            skip = offset + done - located.start(first)
            if last == first + 1:
                # Most reads are short, and go on where the last one was.
                data = self._arrived.get(first) or self._content.kept(first)
                if data is not None:
                    buffer[done:] = memoryview(data)[skip : skip + len(buffer) - done]
                    return
            passing = range(0)
            if passes:
                # Not what is wanted in part: who reads on needs the rest.
                passing = range(first + (skip > 0), last - (located.start(last) > until))
            for data in self._content.get(first, last, passing=passing, arrived=self._arrived):
                part = memoryview(data)[skip : skip + len(buffer) - done]
                buffer[done : done + len(part)] = part
                done += len(part)
                skip = 0

    def close(self) -> None:
        if self._ahead is not None:
            self._ahead.close()


class _InPlace(Content):
    """A content whose plain bytes lie in a local file. Each block is verified once, when it is
    first touched, and then read from the file."""

    def __init__(self, located: Located, path: Path) -> None:
        self.size = located.size
        self.located = located
        self.path = path
        self.begin = located.piece(0).offset
        self.verified = bytearray(len(located))

    @property
    def local_path(self) -> Path | None:
        with contextlib.suppress(OSError):
            if self.begin == 0 and self.path.stat().st_size == self.size:
                return self.path
        return None

    def open(self, *, ahead: bool = True) -> Reading:
        return _InPlaceReading(self, ahead=ahead)


class _InPlaceReading(Reading):
    def __init__(self, content: _InPlace, *, ahead: bool) -> None:
        self._content = content
        self._key = content.located.one_piece_in
        try:
            self._fd = os.open(content.path, os.O_RDONLY | _BINARY)
        except FileNotFoundError as error:
            raise Corrupt(f"{self._key} is missing", kind="container_missing") from error
        except OSError as error:
            raise self._failed(error) from error
        located = content.located
        several = len(located) > 1
        self._ahead = (
            Ahead(self._verify_all, start=located.start, count=len(located))
            if ahead and several
            else None
        )
        self._last = -1

    def readinto(self, offset: int, buffer: memoryview) -> None:
        verified = self._content.verified
        end = offset + len(buffer)
        first, last = offset // BLOCK_BYTES, (end - 1) // BLOCK_BYTES + 1
        if self._ahead is not None and last != self._last:
            self._ahead.about_to_read(first, last)
            self._last = last
        for index in range(first, last):
            begin = max(offset, index * BLOCK_BYTES)
            part = buffer[begin - offset : min(end, (index + 1) * BLOCK_BYTES) - offset]
            if verified[index]:
                self._fill(self._content.begin + begin, part)
            elif len(part) == self._content.located.piece(index).size:
                self._verify(index, part)  # where it is wanted: no second read
            else:
                block = memoryview(bytearray(BLOCK_BYTES))
                self._verify(index, block)
                skip = begin - index * BLOCK_BYTES
                part[:] = block[skip : skip + len(part)]

    def _verify_all(self, first: int, last: int) -> None:
        block = memoryview(bytearray(BLOCK_BYTES))
        for index in range(first, last):
            if not self._content.verified[index]:
                self._verify(index, block)

    def _verify(self, index: int, buffer: memoryview) -> None:
        """Fill `buffer` with a block that has its checksum."""
        piece = self._content.located.piece(index)
        block = buffer[: piece.size]
        self._fill(piece.offset, block)
        if checksums(block) != piece.checksums:
            raise self._damaged()
        self._content.verified[index] = 1

    def _fill(self, offset: int, buffer: memoryview) -> None:
        done = 0
        while done < len(buffer):
            try:
                count = _read_at(self._fd, offset + done, buffer[done:])
            except OSError as error:
                raise self._failed(error) from error
            if count == 0:
                raise self._damaged()
            done += count

    def _damaged(self) -> Corrupt:
        return Corrupt(f"{self._key} is damaged", kind="container_damaged")

    def _failed(self, error: OSError) -> StorageError:
        return StorageError(f"cannot read {self._key}: {error.strerror or error}")

    def close(self) -> None:
        if self._ahead is not None:
            self._ahead.close()
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


_position = threading.Lock()


_HAS_PREADV = hasattr(os, "preadv")


def _read_at(fd: int, offset: int, buffer: memoryview) -> int:
    if _HAS_PREADV:
        return os.preadv(fd, [buffer], offset)
    with _position:  # Windows: there is only the file's own position
        os.lseek(fd, offset, os.SEEK_SET)
        data = os.read(fd, len(buffer))
    buffer[: len(data)] = data
    return len(data)
