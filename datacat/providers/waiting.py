"""From threads into the event loop of the storage libraries, and out again when told to stop."""

from __future__ import annotations

import asyncio
import concurrent.futures
from collections.abc import Coroutine
from typing import Any, TypeVar

from datacat.errors import Cancelled
from datacat.progress import StopSignal

LOOK_SECONDS = 0.5
"""How often a thread that waits looks whether it shall stop."""

_T = TypeVar("_T")


class Waiting:
    """Runs coroutines on fsspec's loop for threads that wait. Thread-safe."""

    def __init__(self) -> None:
        from fsspec.asyn import get_loop

        self._loop: asyncio.AbstractEventLoop = get_loop()

    def run(self, work: Coroutine[Any, Any, _T], stop: StopSignal) -> _T:
        """The result of `work`. Raises `Cancelled` when told to stop, and what `work` raises."""
        return self.result(self.begin(work), stop)

    def begin(self, work: Coroutine[Any, Any, _T]) -> concurrent.futures.Future[_T]:
        """Let it run."""
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def result(self, future: concurrent.futures.Future[_T], stop: StopSignal) -> _T:
        try:
            while True:
                concurrent.futures.wait([future], timeout=LOOK_SECONDS)
                if future.done():
                    return future.result()
                stop.check()
        except concurrent.futures.CancelledError:
            raise Cancelled("stopped") from None
        except BaseException:
            future.cancel()
            raise
