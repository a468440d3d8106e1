"""Bounded, complete, and quiet after the end."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import suppress
from multiprocessing import get_context
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datacat.errors import Cancelled
from datacat.progress import StopSignal
from datacat.transfer.executor import QUEUED_PER_WORKER, run_bounded, threads


class ByHand(Executor):
    """An executor whose tasks run when the test says so, in the order that it says."""

    def __init__(self) -> None:
        self.waiting: list[tuple[Future[Any], Any]] = []
        self.most = 0

    def submit(self, work: Any, /, *args: Any, **named: Any) -> Future[Any]:
        future: Future[Any] = Future()
        self.waiting.append((future, lambda: work(*args, **named)))
        self.most = max(self.most, len(self.waiting))
        return future

    def do(self, number: int) -> None:
        future, work = self.waiting.pop(number % len(self.waiting))
        if future.set_running_or_notify_cancel():
            try:
                future.set_result(work())
            except ArithmeticError as error:
                future.set_exception(error)


class Driven(ByHand):
    """Runs one waiting task whenever another cannot be submitted any more."""

    def __init__(self, order: Iterator[int], window: int) -> None:
        super().__init__()
        self._order = order
        self._window = window

    def submit(self, work: Any, /, *args: Any, **named: Any) -> Future[Any]:
        future = super().submit(work, *args, **named)
        if len(self.waiting) == self._window:
            self.do(next(self._order))
        return future


@given(
    count=st.integers(0, 60),
    jobs=st.integers(1, 4),
    order=st.lists(st.integers(0, 99), min_size=100, max_size=100),
)
def test_every_task_once_and_never_too_many(count: int, jobs: int, order: list[int]) -> None:
    window = jobs * QUEUED_PER_WORKER
    executor = Driven(iter(order), window)
    taken = 0

    def tasks() -> Iterator[int]:
        nonlocal taken
        for n in range(count):
            taken += 1
            assert len(executor.waiting) < window
            yield n
        for _ in range(len(executor.waiting)):
            executor.do(0)

    results = list(run_bounded(executor, lambda n: n * n, tasks(), jobs=jobs, stop=StopSignal()))
    assert sorted(results) == [n * n for n in range(count)]
    assert executor.most <= window
    assert taken == count


def test_tasks_are_taken_only_as_there_is_room() -> None:
    """What makes the tasks may be endless: a listing of a billion files."""
    given: list[int] = []
    in_flight: list[int] = []

    def endless() -> Iterator[int]:
        for n in itertools.count():
            in_flight.append(n - len(given))
            yield n

    with threads(2) as executor:
        results = run_bounded(executor, lambda n: n, endless(), jobs=2, stop=StopSignal())
        for _ in range(200):
            given.append(next(results))
        assert len(set(given)) == 200
        assert max(in_flight) == 2 * QUEUED_PER_WORKER - 1, "before one more is taken"
        del results


def test_the_first_failure_ends_it_and_nothing_runs_afterwards() -> None:
    stop = StopSignal()
    running = threading.Semaphore(0)
    go = threading.Event()
    lock = threading.Lock()
    active = 0
    done: list[int] = []

    def work(n: int) -> int:
        nonlocal active
        with lock:
            active += 1
        try:
            if n == 3:
                running.acquire()
                raise ArithmeticError(n)
            if n > 3:
                running.release()
                go.wait(30)
            stop.check()
            done.append(n)
            return n
        finally:
            with lock:
                active -= 1

    def release() -> None:
        deadline = time.monotonic() + 20
        with suppress(Cancelled):
            while time.monotonic() < deadline:
                stop.check()
        go.set()

    helper = threading.Thread(target=release)
    helper.start()
    with threads(4) as executor:
        results = run_bounded(executor, work, iter(range(1000)), jobs=4, stop=stop)
        with pytest.raises(ArithmeticError):
            list(results)
        assert active == 0, "what was in flight has ended when the failure is raised"
        after = list(done)
    helper.join()
    assert done == after
    assert len(done) < 20


def test_closing_ends_it() -> None:
    stop = StopSignal()
    started: list[int] = []

    def work(n: int) -> int:
        started.append(n)
        return n

    with threads(2) as executor:
        results = run_bounded(executor, work, iter(range(10_000)), jobs=2, stop=stop)
        next(results)
        results.close()  # type: ignore[attr-defined]
        count = len(started)
        with pytest.raises(Cancelled):
            stop.check()
        executor.submit(lambda: None).result()
        assert len(started) == count < 100


def test_a_failure_of_what_makes_the_tasks() -> None:
    def tasks() -> Iterator[int]:
        yield from range(5)
        raise LookupError("the plan failed")

    stop = StopSignal()
    with threads(2) as executor, pytest.raises(LookupError, match="the plan"):
        list(run_bounded(executor, lambda n: n, tasks(), jobs=2, stop=stop))
    with pytest.raises(Cancelled):
        stop.check()


def test_an_interrupt_ends_it() -> None:
    def work(n: int) -> int:
        if n == 2:
            raise KeyboardInterrupt
        return n

    stop = StopSignal()
    with threads(1) as executor, pytest.raises(KeyboardInterrupt):
        list(run_bounded(executor, work, iter(range(50)), jobs=1, stop=stop))
    with pytest.raises(Cancelled):
        stop.check()


def test_no_tasks() -> None:
    stop = StopSignal()
    with ThreadPoolExecutor(1) as executor:
        assert list(run_bounded(executor, abs, iter(()), jobs=1, stop=stop)) == []
    stop.check()


def test_any_executor_will_do() -> None:
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as executor:
        found = run_bounded(executor, abs, iter(range(-20, 0)), jobs=2, stop=StopSignal())
        assert sorted(found) == list(range(1, 21))
