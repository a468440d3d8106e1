"""The small files of one version, read one by one at the price of a file on a drive, or less.

Where they lie is looked up for many at once and remembered in about twenty bytes each. Who reads
them in the order of their paths finds the next ones in memory, verified; who reads them in any
other order gets each by one read. Only for stores on a drive, where packs are files.
"""

from __future__ import annotations

import threading
from array import array
from collections.abc import Callable, Iterator, Sequence
from itertools import repeat, starmap

from datacat import layout
from datacat.backend import Backend
from datacat.digest import BLOCK_BYTES
from datacat.errors import Corrupt, StorageError
from datacat.inside.in_order import InOrder
from datacat.manifest.listing import FileListing, ListedFile
from datacat.model import Kind
from datacat.objects.codec import ZSTD
from datacat.transfer.chunk_cache import ChunkCache
from datacat.transfer.pieces import GAP_BYTES
from datacat.transfer.stretch import Buffers, Frame, read_stretch

TOGETHER = 32_768
"""So many neighbours are looked up at once: some tenths of a second, where one alone takes one."""

LOOKED_UP_AFTER = 16
"""Fewer reads than this are looked up in another way, with fewer neighbours: it is done sooner."""

STRETCH_BYTES_MAX = 4 * 1024 * 1024
"""What is read at once of a pack."""

BROUGHT_BYTES_MAX = 2 * STRETCH_BYTES_MAX
"""What was brought before it was wanted. Once read it is only kept where there is room: the
operating system keeps it as well, and memory that is soon used again is near the processor."""

_UNKNOWN, _ELSEWHERE = -2, -1

Place = tuple[bytes, str, int, int, str]
"""Digest, container, offset, stored size and codec of a content that is one chunk."""

LookUp = Callable[[Sequence[ListedFile]], Iterator[Place]]


class SmallFiles:
    """The files of `listing` that are one chunk in a pack. Thread-safe, within one process.

    `look_up` finds those of the files that it is given, in any order; `digest` is the store's.
    """

    def __init__(
        self,
        listing: FileListing,
        backend: Backend,
        look_up: LookUp,
        *,
        cache: ChunkCache,
        digest: Callable[[bytes], bytes],
    ) -> None:
        self._listing = listing
        self._backend = backend
        self._look_up = look_up
        self._cache = cache
        self._brought = ChunkCache(BROUGHT_BYTES_MAX)
        self._digest = digest
        self._lock = threading.Lock()
        self._in_order = InOrder()
        self._buffers = Buffers(2)
        self._reads = 0
        self._names: dict[str, int] = {}
        self._containers: list[str] = []
        self._container = array("i")
        self._offset = array("q")
        self._stored = array("i")
        self._packed = bytearray()

    def read(self, file: ListedFile) -> bytes | None:
        """All of a file; None when it is not one of these, or few were read yet. Raises `Corrupt`,
        naming the container."""
        number = file.number
        if number < 0 or file.size > BLOCK_BYTES or not file.size:
            return None
        self._in_order.reads(number)
        if not self._container or self._container[number] == _UNKNOWN:
            self._reads += 1
            if self._reads < LOOKED_UP_AFTER:
                return None
            self._find(number)
        container = self._container[number]
        if container == _ELSEWHERE:
            return None
        place = (self._containers[container], self._offset[number])
        data = self._cache.get(place)
        if data is None:
            data = self._take(number, place)
        if data is not None:
            return bytes(data)
        (plain,) = read_stretch(
            self._backend,
            place[0],
            self._frames(number, number + 1),
            digest=self._digest,
            buffers=self._buffers,
        )
        data = bytes(plain)
        self._cache.put(place, data)
        return data

    def _take(self, number: int, place: tuple[str, int]) -> bytes | memoryview | None:
        """A file that was brought, or now is, with those that follow it; None if it is not worth
        it."""
        data = self._brought.take(place)
        if data is None:
            count = self._in_order.worth_bringing()
            if count > 1:
                self._bring(number, count)
                data = self._brought.take(place)
        if data is not None:
            self._cache.put_beside(place, data)
        return data

    def _frames(self, first: int, last: int) -> list[Frame]:
        """Where the files `first` to `last` (not included) lie, of those that lie in a pack."""
        rows = zip(
            self._listing.digests(first, last),
            self._offset[first:last],
            self._stored[first:last],
            self._listing.sizes(first, last),
            map(bool, self._packed[first:last]),
            repeat(0),  # all of it is compared with its digest
        )
        return list(starmap(Frame, rows))

    def _bring(self, first: int, count: int) -> None:
        """Put the files from `first` on into the cache: what lies in a row is read at once.

        What is damaged is left out: who reads it will see it again.
        """
        rows: dict[int, list[Frame]] = {}
        last = min(first + count, len(self._container))
        containers = self._container[first:last]
        for container, frame in zip(containers, self._frames(first, last), strict=True):
            if container >= 0:
                rows.setdefault(container, []).append(frame)
        for container, frames in rows.items():
            key = self._containers[container]
            absent = {
                frame.offset: frame for frame in frames if (key, frame.offset) not in self._cache
            }
            for stretch in _near([absent[offset] for offset in sorted(absent)]):
                try:
                    brought = read_stretch(
                        self._backend, key, stretch, digest=self._digest, buffers=self._buffers
                    )
                except (Corrupt, StorageError):
                    continue
                places = ((key, frame.offset) for frame in stretch)
                self._brought.put_all(zip(places, map(bytes, brought), strict=True))

    def _find(self, number: int) -> None:
        """Look up where a file and its neighbours lie, with one query for all of them."""
        listing = self._listing
        with self._lock:
            if not self._container:
                count = len(listing)
                self._offset = array("q", bytes(8 * count))
                self._stored = array("i", bytes(4 * count))
                self._packed = bytearray(count)
                self._container = array("i", [_UNKNOWN]) * count
            if self._container[number] != _UNKNOWN:
                return  # another thread was here
            begin = number // TOGETHER * TOGETHER
            near = range(begin, min(begin + TOGETHER, len(listing)))
            files = [
                file
                for file in map(listing.at, near)
                if file.kind is Kind.FILE and 0 < file.size <= BLOCK_BYTES
            ]
            places = {place[0]: place for place in self._look_up(files)}
            for file in files:
                place = places.get(file.digest)
                if place is not None and self._usual(place, file):
                    self._remember(file.number, place)
            # Last, for other threads look at it first.
            for one in near:
                if self._container[one] == _UNKNOWN:
                    self._container[one] = _ELSEWHERE

    def _usual(self, place: Place, file: ListedFile) -> bool:
        _, container, _, stored, codec = place
        packed = codec == ZSTD
        return layout.is_pack(container) and (
            0 < stored <= BLOCK_BYTES if packed else stored == file.size
        )

    def _remember(self, number: int, place: Place) -> None:
        _, container, offset, stored, codec = place
        known = self._names.get(container)
        if known is None:
            known = self._names[container] = len(self._containers)
            self._containers.append(container)
        self._offset[number] = offset
        self._stored[number] = stored
        self._packed[number] = codec == ZSTD
        self._container[number] = known


def _near(frames: Sequence[Frame]) -> Iterator[Sequence[Frame]]:
    """Those that one read takes: no wide gap in between, and not too much in all."""
    begin = 0
    for number, frame in enumerate(frames):
        end = frames[number - 1].offset + frames[number - 1].stored_size
        far = frame.offset > end + GAP_BYTES
        if number > begin and (far or frame.offset - frames[begin].offset > STRETCH_BYTES_MAX):
            yield frames[begin:number]
            begin = number
    if frames:
        yield frames[begin:]
