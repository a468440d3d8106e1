"""Read any range of a content: only the chunks that it touches, each verified first.

A `Content` is what is known of it; a `Reading` is one open reader. What must always hold: bytes
that do not have the checksum and the digest that the index states are never handed out.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from datacat import layout
from datacat.backend import Backend
from datacat.errors import Corrupt
from datacat.progress import StopSignal
from datacat.transfer.ahead import Ahead, Data
from datacat.transfer.chunk_cache import ChunkCache
from datacat.transfer.content import Content, Reading
from datacat.transfer.executor import batched, run_bounded, threads
from datacat.transfer.in_place import InPlace
from datacat.transfer.located import Located
from datacat.transfer.pace import Pace
from datacat.transfer.pieces import Piece, PieceReader
from datacat.transfer.straight import Straight
from datacat.transfer.stretch import Buffers, read_stretch

STEP_BYTES = 4 * 1024 * 1024
"""A longer range is brought by several threads, so much at a time by each."""

AT_ONCE_BYTES = 32 * 1024 * 1024
"""What a long read holds besides the buffer that it fills."""

PASSING_BYTES_MIN = 256 * 1024
"""Whoever reads so much at once from a store on a drive passes through: the operating system has it
in its cache, and to keep it here as well would cost more than to read it."""

DRIVE_STEP_BYTES = 512 * 1024
DRIVE_AHEAD_BYTES = 4 * 1024 * 1024
"""From a drive less at once is brought ahead: it comes soon, and is still near the processor."""

DRIVE_THREADS = 3

NETWORK_STEP_BYTES = 4 * 1024 * 1024
NETWORK_AHEAD_BYTES = 24 * 1024 * 1024
NETWORK_THREADS = 4
"""Requests that wait for their answers are of use even to one core."""


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
            return InPlace(located, path)
    return _Chunks(located, backend, cache, digest, jobs)


class _Chunks(Content):
    """A content of chunks in containers."""

    def __init__(
        self,
        located: Located,
        backend: Backend,
        cache: ChunkCache,
        digest: Callable[[bytes], bytes],
        jobs: int,
    ) -> None:
        self.size = located.size
        self.located = located
        self._backend = backend
        self._reader = PieceReader(backend)
        self._cache = cache
        self._digest = digest
        self.jobs = jobs

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

    def straight(self) -> Straight:
        """What reads long rows of chunks to where they are wanted."""
        return Straight(self.located, self._backend, self._digest)

    def in_a_row(self, first: int, last: int, buffers: Buffers) -> Sequence[Data]:
        """As `get`, kept nowhere but in `buffers`, for what is read once and lies in a row."""
        row = None if self.kept(first) is not None else self.located.row(first, last)
        if row is None and last - first < 2:
            return self.get(first, last, passing=range(first, last))
        if row is None:  # a part of it may be one: most often the container ends in the middle
            middle = (first + last) // 2
            before = self.in_a_row(first, middle, buffers)
            return [*before, *self.in_a_row(middle, last, buffers)]
        container, frames = row
        return read_stretch(self._backend, container, frames, digest=self._digest, buffers=buffers)

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
        if sum(piece.size for piece in pieces) <= STEP_BYTES or self.jobs == 1:
            return self._load(pieces)
        mean = max(1, sum(piece.size for piece in pieces) // len(pieces))
        parts = list(enumerate(batched(pieces, max(1, STEP_BYTES // mean))))
        with threads(min(self.jobs, len(parts))) as executor:
            done = dict(
                run_bounded(
                    executor,
                    lambda part: (part[0], self._load(part[1])),
                    parts,
                    jobs=self.jobs,
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
        on_a_drive = content.on_a_drive
        if on_a_drive:
            step, most = DRIVE_STEP_BYTES, DRIVE_AHEAD_BYTES
            at_once = max(1, min(DRIVE_THREADS, content.jobs - 1))
        else:
            step, most, at_once = NETWORK_STEP_BYTES, NETWORK_AHEAD_BYTES, NETWORK_THREADS
        buffers = Buffers(DRIVE_AHEAD_BYTES // DRIVE_STEP_BYTES + 2)

        def load(first: int, last: int) -> Sequence[Data]:
            if on_a_drive:
                return content.in_a_row(first, last, buffers)
            return content.get(first, last)

        self._straight = content.straight() if on_a_drive else None
        self._pace = Pace()
        self._ahead = (
            Ahead(
                load,
                start=located.start,
                count=len(located),
                step_bytes=step,
                ahead_bytes=most,
                threads=at_once,
            )
            if ahead
            else None
        )
        self._arrived = MappingProxyType(self._ahead.arrived if self._ahead is not None else {})

    def readinto(self, offset: int, buffer: memoryview) -> None:
        if len(buffer) < PASSING_BYTES_MIN:
            self._fill(offset, buffer)  # the usual case: short and in any order
            return
        for begin in range(0, len(buffer), AT_ONCE_BYTES):
            part = buffer[begin : begin + AT_ONCE_BYTES]
            if self._straight is not None:
                began = time.perf_counter()
                self._fill_passing(offset + begin, part, self._straight)
                self._pace.took(len(part), time.perf_counter() - began)
            else:
                self._fill(offset + begin, part)

    def _fill(self, offset: int, buffer: memoryview) -> None:
        located = self._content.located
        first, last = located.index_at(offset), located.index_at(offset + len(buffer) - 1) + 1
        if self._ahead is not None:
            self._ahead.about_to_read(first, last)
        skip = offset - located.start(first)
        if last == first + 1:
            # Most reads are short, and go on where the last one was.
            data = self._arrived.get(first) or self._content.kept(first)
            if data is not None:
                buffer[:] = memoryview(data)[skip : skip + len(buffer)]
                return
        _copy(self._content.get(first, last, arrived=self._arrived), buffer, skip)

    def _fill_passing(self, offset: int, buffer: memoryview, straight: Straight) -> None:
        """Fill `buffer` with what is not kept. Other threads help with a part of it, and go on with
        what follows while the caller looks at what it got."""
        located, ahead = self._content.located, self._ahead
        first, last = located.index_at(offset), located.index_at(offset + len(buffer) - 1) + 1
        if ahead is not None:
            ahead.claim(first, last, more=self._pace.helped)
        index, later = first, []
        while index < last:
            if ahead is not None and ahead.has(index):
                later.append(index)
                index += 1
                continue
            stop = index + 1
            while stop < last and not (ahead is not None and ahead.has(stop)):
                stop += 1
            index += self._bring(index, stop, offset, buffer, straight)
        if ahead is not None:
            ahead.wait()
        for index in later:
            data = self._arrived.get(index)
            if data is None:  # what went wrong in another thread goes wrong again in this one
                self._bring(index, index + 1, offset, buffer, straight)
            else:
                _put(data, located.start(index) - offset, buffer)

    def _bring(
        self, index: int, stop: int, offset: int, buffer: memoryview, straight: Straight
    ) -> int:
        """How many of the pieces from `index` on were brought, at least one."""
        located = self._content.located
        place = located.start(index) - offset
        if place >= 0:
            while stop > index and located.start(stop) - offset > len(buffer):
                stop -= 1
            count = straight.read(index, stop, buffer[place:]) if stop > index else 0
            if count:
                return count
        held = straight.held(index)
        if held is not None:
            _put(held, place, buffer)
            return 1
        count = 1
        while index + count < stop and not located.is_plain(index + count):
            count += 1
        found = self._content.get(index, index + count, passing=range(index, index + count - 1))
        for number, data in enumerate(found, index):
            _put(data, located.start(number) - offset, buffer)
        return count

    def close(self) -> None:
        if self._ahead is not None:
            self._ahead.close()
        if self._straight is not None:
            self._straight.close()


def _put(data: Data, place: int, buffer: memoryview) -> None:
    """Copy a piece that begins at `place`, which may be before the buffer; what fits of it."""
    skip = max(0, -place)
    begin = max(0, place)
    part = memoryview(data)[skip : skip + len(buffer) - begin]
    buffer[begin : begin + len(part)] = part


def _copy(found: Sequence[Data], buffer: memoryview, skip: int) -> None:
    """Fill `buffer` with what was found, but for `skip` bytes at its beginning."""
    done = 0
    for data in found:
        part = memoryview(data)[skip : skip + len(buffer) - done]
        buffer[done : done + len(part)] = part
        done += len(part)
        skip = 0
