"""Decoded chunks that may be wanted again: bounded in bytes, the least recently used go first."""

from __future__ import annotations

import os
import threading
import weakref
from collections import OrderedDict

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

    def __contains__(self, place: Place) -> bool:
        return place in self._entries

    def put(self, place: Place, data: bytes | memoryview) -> None:
        """Keep `data`, and let go of what was not used for longest."""
        with self._lock:
            if place in self._entries or len(data) > self._limit:
                return
            self._entries[place] = data
            self._size += len(data)
            while self._size > self._limit:
                _, oldest = self._entries.popitem(last=False)
                self._size -= len(oldest)

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
