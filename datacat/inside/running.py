"""Calls that can be given up: DuckDB computes in a thread of its own, and the caller goes on
listening for Ctrl-C and for its stop signal."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

from datacat.errors import Cancelled
from datacat.progress import StopSignal

LOOK_SECONDS = 0.05
"""How often the stop signal is looked at: a person does not notice, and it costs nothing."""

GRACE_SECONDS = 1.5
"""How long DuckDB has to notice that it was interrupted: it looks between two vectors of rows."""

_T = TypeVar("_T")


class _Outcome(Generic[_T]):
    """What a call gave or raised, once it is over."""

    def __init__(self) -> None:
        self.over = threading.Event()
        self.value: _T | None = None
        self.error: BaseException | None = None


def _work(calls: queue.SimpleQueue[Callable[[], None] | None]) -> None:
    # It knows nothing but its calls: a runner that nobody knows any more can go away.
    while (call := calls.get()) is not None:
        call()
        del call


class Runner:
    """Runs one call after the other in its thread. `interrupt` makes the running one end soon."""

    def __init__(self, interrupt: Callable[[], None], *, stop: StopSignal) -> None:
        self._interrupt = interrupt
        self._stop = stop
        self._calls: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self.stuck = False
        # A daemon: a call that cannot be interrupted must not keep the process.
        self._thread = threading.Thread(
            target=_work, args=(self._calls,), name="datacat-sql", daemon=True
        )
        self._thread.start()

    def call(self, function: Callable[[], _T]) -> _T:
        """`function()`. Raises what it raises, or `Cancelled` when it was stopped meanwhile."""
        self._stop.check()
        outcome: _Outcome[_T] = _Outcome()

        def run() -> None:
            try:
                outcome.value = function()
            except BaseException as error:  # noqa: BLE001 - raised again in the caller's thread
                outcome.error = error
            outcome.over.set()

        self._calls.put(run)
        try:
            while not outcome.over.wait(LOOK_SECONDS):
                self._stop.check()
        except BaseException as error:
            self._give_up(outcome)
            if self.stuck and isinstance(error, Cancelled):
                raise Cancelled("stopped, but still computing", kind="still_running") from None
            raise
        if outcome.error is not None:
            raise outcome.error
        return outcome.value  # type: ignore[return-value]

    def _give_up(self, outcome: _Outcome[_T]) -> None:
        deadline = time.monotonic() + GRACE_SECONDS
        while not outcome.over.is_set() and time.monotonic() < deadline:
            self._interrupt()  # again: it may have come before the call began
            outcome.over.wait(LOOK_SECONDS)
        self.stuck = not outcome.over.is_set()

    def close(self) -> None:
        """End the thread, unless it is stuck."""
        self._calls.put(None)
        if not self.stuck:
            self._thread.join()
