"""Read any range of a content: only the chunks that it touches, each verified first.

A `Content` is what is known of it; a `Reading` is one open reader. What must always hold: bytes
that do not have the checksum and the digest that the index states are never handed out.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType

from datacat import layout
from datacat.backend import Backend
from datacat.errors import Corrupt, StorageError
from datacat.progress import StopSignal
from datacat.transfer.ahead import AHEAD_BYTES, Ahead, Data
from datacat.transfer.ahead import STEP_BYTES as AHEAD_STEP_BYTES
from datacat.transfer.chunk_cache import ChunkCache, Place
from datacat.transfer.content import Content, Reading
from datacat.transfer.executor import batched, run_bounded, threads
from datacat.transfer.in_place import InPlace
from datacat.transfer.located import Located
from datacat.transfer.pieces import GAP_BYTES, Piece, PieceReader
from datacat.transfer.stretch import Buffers, Frame, read_stretch

STEP_BYTES = 4 * 1024 * 1024
"""A longer range is brought by several threads, so much at a time by each."""

AT_ONCE_BYTES = 32 * 1024 * 1024
"""What a long read holds besides the buffer that it fills."""

PASSING_BYTES_MIN = 256 * 1024
"""Whoever reads so much at once from a store on a drive passes through: the operating system has it
in its cache, and to keep it here as well would cost more than to read it."""

_small = Buffers(2)


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

    def bring(self, container: str, frames: Sequence[Frame]) -> None:
        """Put what lies at `frames` into the cache; nothing of it when some is damaged."""
        with contextlib.suppress(Corrupt, StorageError):
            brought = read_stretch(
                self._backend, container, frames, digest=self._digest, buffers=_small
            )
            for frame, data in zip(frames, brought, strict=True):
                self._cache.put((container, frame.offset), bytes(data))

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


def small_place(content: Content) -> Place | None:
    """Where a content lies in the cache that is one chunk, on a drive; None for any other."""
    if isinstance(content, _Chunks) and content.on_a_drive and len(content.located) == 1:
        return content.located.place(0)
    return None


def bring_small(contents: Sequence[Content]) -> None:
    """Put contents that have a `small_place` into their cache, those that lie in a row at once.

    What is damaged is left out: who reads it will see it again.
    """
    rows: dict[str, list[tuple[Frame, _Chunks]]] = {}
    for content in contents:
        if isinstance(content, _Chunks) and len(content.located) == 1:
            row = content.located.row(0, 1)
            if row is not None and content.kept(0) is None:
                rows.setdefault(row[0], []).append((row[1][0], content))
    for container, found in rows.items():
        found.sort(key=lambda one: one[0].offset)
        for part in _near(found):
            part[0][1].bring(container, [frame for frame, _ in part])


def _near(
    found: Sequence[tuple[Frame, _Chunks]],
) -> Iterator[Sequence[tuple[Frame, _Chunks]]]:
    """Those that one read takes: no wide gap in between, and not too much in all."""
    begin = 0
    for number, (frame, _) in enumerate(found):
        last = found[number - 1][0]
        far = frame.offset > last.offset + last.stored_size + GAP_BYTES
        if number > begin and (far or frame.offset - found[begin][0].offset > STEP_BYTES):
            yield found[begin:number]
            begin = number
    if found:
        yield found[begin:]


class _ChunksReading(Reading):
    def __init__(self, content: _Chunks, *, ahead: bool) -> None:
        self._content = content
        located = content.located

        buffers = Buffers(AHEAD_BYTES // AHEAD_STEP_BYTES + 2)

        def load(first: int, last: int) -> Sequence[Data]:
            if content.on_a_drive:
                return content.in_a_row(first, last, buffers)
            return content.get(first, last)

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
