"""Run many tasks on any `concurrent.futures.Executor`, a bounded number at a time."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ThreadPoolExecutor, wait
from typing import TypeVar

from datacat.progress import StopSignal

Task = TypeVar("Task")
Result = TypeVar("Result")

QUEUED_PER_WORKER = 3
"""Tasks in flight per worker: enough that none waits, few enough that memory is bounded."""


def threads(jobs: int) -> Executor:
    """The default executor: the hot loops are in libraries that release the GIL."""
    return ThreadPoolExecutor(max_workers=jobs, thread_name_prefix="datacat")


def batched(items: Iterable[Task], count: int) -> Iterator[list[Task]]:
    """`items` in lists of `count`; the last one may be shorter."""
    remaining = iter(items)
    while batch := list(itertools.islice(remaining, count)):
        yield batch


def run_bounded(
    executor: Executor,
    work: Callable[[Task], Result],
    tasks: Iterable[Task],
    *,
    jobs: int,
    stop: StopSignal,
) -> Iterator[Result]:
    """Yield `work(task)` for each task, in the order of completion.

    At most `jobs * QUEUED_PER_WORKER` tasks are in flight. The first failure is raised after the
    tasks in flight have ended; `stop` is set so that they end soon. Nothing runs after this
    iterator is closed.
    """
    window = jobs * QUEUED_PER_WORKER
    pending: set[Future[Result]] = set()
    remaining = iter(tasks)
    exhausted = False
    try:
        while pending or not exhausted:
            while not exhausted and len(pending) < window:
                try:
                    task = next(remaining)
                except StopIteration:
                    exhausted = True
                    break
                pending.add(executor.submit(work, task))
            if pending:
                done, pending = wait(pending, return_when=FIRST_COMPLETED)
                for future in done:
                    yield future.result()
    except BaseException:
        stop.set()
        raise
    finally:
        for future in pending:
            future.cancel()
        wait(pending)
