"""Read ahead: whoever reads a content in order finds the next part already there."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

from datacat import this_process

Data = bytes | memoryview


class Task(NamedTuple):
    """Pieces `first` to `last` (not included) that a thread brings."""

    first: int
    last: int
    future: Future[Sequence[Data] | None]


class Ahead:
    """Brings the pieces that follow those that are being read, once they are read in order.

    `load(first, last)` brings a range of pieces, or only prepares them and gives None; what it
    raises is dropped, for who reads the piece will see it again. `start(index)` is where a piece
    begins, `count` how many there are. Each task brings about `step_bytes`, up to `ahead_bytes`
    before they are wanted, and no more than was read in order already: who stops soon has not asked
    for much. Used by one thread at a time; its own threads, up to `threads`, begin
    with the first task.
    """

    def __init__(
        self,
        load: Callable[[int, int], Sequence[Data] | None],
        *,
        start: Callable[[int], int],
        count: int,
        step_bytes: int,
        ahead_bytes: int,
        threads: int,
    ) -> None:
        self.arrived: dict[int, Data] = {}
        """The pieces that were brought and not yet read past, by their numbers."""
        self._load = load
        self._start = start
        self._count = count
        self._step_bytes = step_bytes
        self._ahead_bytes = ahead_bytes
        self._threads = threads
        self._expected = -1
        self._in_order = 0
        self._since = 0
        self._asked_to = 0
        self._tasks: deque[Task] = deque()
        self._coming: list[Task] = []
        self._pool: ThreadPoolExecutor | None = None
        self._process = this_process.number

    def about_to_read(self, first: int, last: int) -> None:
        """Pieces `first` to `last` (not included) are wanted now: waits for those on their way.

        Which then have not `arrived`, the caller brings.
        """
        self.claim(first, last)
        if self._coming:
            self.wait()

    def claim(self, first: int, last: int, *, more: bool = True) -> None:
        """As `about_to_read`, without waiting: the caller brings what `has` does not know, and then
        waits for the rest. What no thread has begun, who wants it does sooner. `more`: ask for what
        follows."""
        if self._process != this_process.number:
            # A forked process has none of its parent's threads.
            self._pool, self._process = None, this_process.number
            self._tasks.clear()
            self._coming.clear()
            self._asked_to = first
        if first != self._expected and first != self._expected - 1:
            self._asked_to, self._in_order, self._since = first, 0, first
            if self._tasks or self.arrived:
                self._forget(first)
        else:
            self._in_order += 1
        self._expected = last
        while self._tasks and self._tasks[0][0] < last:
            task = self._tasks.popleft()
            if not task.future.cancel():
                self._coming.append(task)
        while self.arrived and (index := next(iter(self.arrived))) < first:
            del self.arrived[index]
        if more and self._in_order >= 2:
            self._ask(last)

    def has(self, index: int) -> bool:
        """Whether a piece has arrived, or will after `wait`, unless something goes wrong."""
        return index in self.arrived or any(
            task.first <= index < task.last for task in self._coming
        )

    def wait(self) -> None:
        """For those that were claimed and are on their way."""
        for task in self._coming:
            # To wait for one is cheaper by what it raises than by `wait`.
            if task.future.exception() is None:
                self.arrived.update(enumerate(task.future.result() or (), task.first))
        self._coming.clear()

    def _forget(self, first: int) -> None:
        for task in self._tasks:
            task.future.cancel()
        self._tasks.clear()
        self.arrived.clear()
        self._in_order = 0
        self._asked_to = first

    def _ask(self, position: int) -> None:
        begin = max(self._asked_to, position)
        place = self._start(min(position, self._count))
        done = place - self._start(self._since)
        limit = place + min(self._ahead_bytes, max(self._step_bytes, done))
        while begin < self._count and self._start(begin) + self._step_bytes <= limit:
            end, until = begin + 1, self._start(begin) + self._step_bytes
            while end < self._count and self._start(end + 1) <= until:
                end += 1
            if self._pool is None:
                self._pool = ThreadPoolExecutor(self._threads, thread_name_prefix="datacat-ahead")
            self._tasks.append(Task(begin, end, self._pool.submit(self._load, begin, end)))
            self._asked_to = begin = end

    def close(self) -> None:
        """Ask for nothing more, and wait for what is under way."""
        self._forget(0)
        if self._pool is not None and self._process == this_process.number:
            self._pool.shutdown(cancel_futures=True)
        self._pool = None
