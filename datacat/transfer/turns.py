"""Take turns while system calls are short, go side by side when they are long.

Threads that make system calls of a few microseconds stop each other at every one of them: each
gives up the interpreter lock and queues for it again, and four threads write small files a third
as fast as one. On a network drive the same calls take a millisecond, and four threads are four
times as fast. So it is measured: threads take turns until calls turn out to be slow.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

SMALL_BYTES = 128 * 1024
"""Larger files keep a thread busy outside of the interpreter: they never take turns."""

SLOW_SECONDS = 0.000_2
"""Above this per file, waiting for storage costs more than waiting for each other."""


class Turns:
    """Whether threads that handle many small files do so one at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._is_slow = False

    @contextmanager
    def take(self, files: int, size: int) -> Iterator[None]:
        """Hold this around the handling of so many files of `size` bytes together."""
        if self._is_slow or size > files * SMALL_BYTES:
            yield
            return
        with self._lock:
            began = time.perf_counter()
            yield
            took = time.perf_counter() - began
        if took > SLOW_SECONDS * max(files, 1):
            self._is_slow = True
