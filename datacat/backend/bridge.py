"""From threads into the event loop of the storage libraries, and out again when told to stop."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

from datacat.errors import Cancelled

_T = TypeVar("_T")


class Bridge:
    """Runs requests on fsspec's event loop for threads that wait for them. Thread-safe.

    After `interrupt` every call that waits raises `Cancelled` at once, also one that hangs on a
    dead network, and no new one begins: except those that must be seen through.
    """

    def __init__(self) -> None:
        from fsspec.asyn import get_loop

        self._loop: asyncio.AbstractEventLoop = get_loop()
        self._interrupted = threading.Event()
        # No lock: a signal handler that interrupts may run in the middle of any line, and adding,
        # removing and copying are each one step of the interpreter.
        self._waiting: set[concurrent.futures.Future[Any]] = set()

    def run(self, work: Coroutine[Any, Any, _T], *, through: bool = False) -> _T:
        """The result of `work`. `through`: it is seen through, whatever happens meanwhile.

        Raises `Cancelled` when it was interrupted, and what `work` raises.
        """
        if self._interrupted.is_set() and not through:
            work.close()
            raise Cancelled("stopped")
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        if not through:
            self._waiting.add(future)
        try:
            return future.result()
        except concurrent.futures.CancelledError:
            raise Cancelled("stopped") from None
        except BaseException:
            future.cancel()  # Ctrl-C in the main thread: nobody waits for the reply any more
            raise
        finally:
            self._waiting.discard(future)

    def sleep(self, seconds: float) -> None:
        """Wait. Raises `Cancelled` as soon as it is interrupted."""
        if self._interrupted.wait(seconds):
            raise Cancelled("stopped")

    def interrupt(self) -> None:
        """Give up whatever is waited for. May be called from a signal handler."""
        self._interrupted.set()
        for future in list(self._waiting):
            future.cancel()
