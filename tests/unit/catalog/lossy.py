"""A backend whose replies to `create` get lost, before or after it took effect."""

from __future__ import annotations

import random
import threading

from datacat.backend.base import Created
from datacat.backend.memory import MemoryBackend
from datacat.errors import StorageTransient


class LossyBackend(MemoryBackend):
    """Of ten replies, three are lost: the key may be there or not, and nobody is told."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self._random = random.Random(seed)
        self._random_lock = threading.Lock()

    def create(self, key: str, data: bytes) -> Created:
        with self._random_lock:
            fate = self._random.random()
        if fate < 0.1:
            return Created.UNKNOWN
        answer = super().create(key, data)
        if fate < 0.2:
            return Created.UNKNOWN
        if fate < 0.25:
            raise StorageTransient("the connection was reset")
        # A retry inside a client library finds its own object: "exists".
        return Created.EXISTS if fate < 0.3 else answer


class LateBackend(MemoryBackend):
    """Says UNKNOWN and keeps the write back until `arrive` is called."""

    def __init__(self) -> None:
        super().__init__()
        self.late: list[tuple[str, bytes]] = []
        self.lose = 0

    def create(self, key: str, data: bytes) -> Created:
        if self.lose:
            self.lose -= 1
            self.late.append((key, data))
            return Created.UNKNOWN
        return super().create(key, data)

    def arrive(self) -> None:
        for key, data in self.late:
            super().create(key, data)
        self.late.clear()
