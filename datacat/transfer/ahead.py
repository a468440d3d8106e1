"""Read ahead: whoever reads a content in order finds the next part already there."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

STEP_BYTES = 2 * 1024 * 1024
"""What one task brings: large enough to be worth a request, small enough to be soon there."""

AHEAD_BYTES = 8 * 1024 * 1024
THREADS = 3


Data = bytes | memoryview

_process = os.getpid()
"""This process, without asking the system for every read."""


def _note_process() -> None:
    global _process  # noqa: PLW0603 - it changes at a fork, and only there
    _process = os.getpid()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_note_process)


class Ahead:
    """Brings the pieces that follow those that are being read, once they are read in order.

    `load(first, last)` brings a range of pieces, or only prepares them and gives None; what it
    raises is dropped, for who reads the piece will see it again. `start(index)` is where a piece
    begins, `count` how many there are. Used by one thread at a time; its own threads begin with the
    first task.
    """

    def __init__(
        self,
        load: Callable[[int, int], Sequence[Data] | None],
        *,
        start: Callable[[int], int],
        count: int,
    ) -> None:
        self.arrived: dict[int, Data] = {}
        """The pieces that were brought and not yet read past, by their numbers."""
        self._load = load
        self._start = start
        self._count = count
        self._expected = -1
        self._in_order = 0
        self._asked_to = 0
        self._tasks: deque[tuple[int, Future[Sequence[Data] | None]]] = deque()
        self._pool: ThreadPoolExecutor | None = None
        self._process = _process

    def about_to_read(self, first: int, last: int) -> None:
        """Pieces `first` to `last` (not included) are wanted now: waits for those on their way."""
        if self._process != _process:
            # A forked process has none of its parent's threads.
            self._pool, self._process = None, _process
            self._tasks.clear()
            self._asked_to = first
        if first != self._expected and first != self._expected - 1:
            self._asked_to, self._in_order = first, 0
            if self._tasks or self.arrived:
                self._forget(first)
        else:
            self._in_order += 1
        self._expected = last
        while self._tasks and self._tasks[0][0] < last:
            self._take(*self._tasks.popleft())
        while self.arrived and (index := next(iter(self.arrived))) < first:
            del self.arrived[index]
        if self._in_order >= 2:
            self._ask(last)

    def _take(self, begin: int, task: Future[Sequence[Data] | None]) -> None:
        # To wait for one is cheaper by what it raises than by `wait`.
        if not task.cancelled() and task.exception() is None:
            self.arrived.update(enumerate(task.result() or (), begin))

    def _forget(self, first: int) -> None:
        for _, task in self._tasks:
            task.cancel()
        self._tasks.clear()
        self.arrived.clear()
        self._in_order = 0
        self._asked_to = first

    def _ask(self, position: int) -> None:
        begin = max(self._asked_to, position)
        limit = self._start(min(position, self._count)) + AHEAD_BYTES
        while begin < self._count and self._start(begin) + STEP_BYTES <= limit:
            end = begin + 1
            while end < self._count and self._start(end + 1) - self._start(begin) <= STEP_BYTES:
                end += 1
            if self._pool is None:
                self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="datacat-ahead")
            self._tasks.append((begin, self._pool.submit(self._load, begin, end)))
            self._asked_to = begin = end

    def close(self) -> None:
        """Ask for nothing more, and wait for what is under way."""
        self._forget(0)
        if self._pool is not None and self._process == _process:
            self._pool.shutdown(cancel_futures=True)
        self._pool = None
