"""Decoded chunks that may be wanted again: bounded in bytes, the least recently used go first."""

from __future__ import annotations

import os
import threading
import weakref
from collections import OrderedDict
from collections.abc import Iterable

CACHE_BYTES = 128 * 1024 * 1024
"""What one program keeps of what it read: two thousand chunks of the usual size."""

Place = tuple[str, int]
"""Container and offset: what lies there never changes."""


class ChunkCache:
    """A map from a place on shared storage to the plain bytes there. Thread-safe.

    A process that was forked begins with an empty one.
    """

    def __init__(self, limit_bytes: int = CACHE_BYTES) -> None:
        self._limit = limit_bytes
        self._size = 0
        self._entries: OrderedDict[Place, bytes | memoryview] = OrderedDict()
        self._lock = threading.Lock()
        _caches.add(self)

    @property
    def size_bytes(self) -> int:
        """What is held at the moment; never more than the limit."""
        return self._size

    def get(self, place: Place) -> bytes | memoryview | None:
        """The bytes at `place`, if they are still here."""
        with self._lock:
            data = self._entries.get(place)
            if data is not None:
                self._entries.move_to_end(place)
            return data

    def take(self, place: Place) -> bytes | memoryview | None:
        """The bytes at `place`, if they are still here; not kept any longer."""
        with self._lock:
            data = self._entries.pop(place, None)
            if data is not None:
                self._size -= len(data)
            return data

    def __contains__(self, place: Place) -> bool:
        return place in self._entries

    def put(self, place: Place, data: bytes | memoryview) -> None:
        """Keep `data`, and let go of what was not used for longest."""
        self.put_all([(place, data)])

    def put_all(self, found: Iterable[tuple[Place, bytes | memoryview]]) -> None:
        """As `put`, for many."""
        with self._lock:
            entries, size = self._entries, self._size
            for place, data in found:
                if place not in entries and len(data) <= self._limit:
                    entries[place] = data
                    size += len(data)
            while size > self._limit:
                _, oldest = entries.popitem(last=False)
                size -= len(oldest)
            self._size = size

    def put_beside(self, place: Place, data: bytes | memoryview) -> None:
        """Keep `data` if there is room for it beside all else.

        For what is read once in order: to let go of what came before would leave nothing of use to
        who begins again.
        """
        with self._lock:
            if place not in self._entries and self._size + len(data) <= self._limit:
                self._entries[place] = data
                self._size += len(data)

    def clear(self) -> None:
        """Let go of everything."""
        with self._lock:
            self._entries.clear()
            self._size = 0

    def _after_fork(self) -> None:
        # Another thread of the parent may have held the lock, in the middle of a change.
        self._lock = threading.Lock()
        self._entries = OrderedDict()
        self._size = 0


_caches: weakref.WeakSet[ChunkCache] = weakref.WeakSet()


def _renew_all() -> None:
    for cache in _caches:
        cache._after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_all)
