"""A server of the test's own process, on an event loop in a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, contextmanager


@contextmanager
def in_thread(listening: AbstractAsyncContextManager[None]) -> Iterator[None]:
    """Within the block `listening` is entered. What it left running is cancelled then."""
    loop = asyncio.new_event_loop()
    ready = threading.Event()
    failed: list[OSError] = []
    stop = asyncio.Event()

    async def serve() -> None:
        try:
            async with listening:
                ready.set()
                await stop.wait()
        except OSError as error:  # the test has to hear of it
            failed.append(error)
        finally:
            ready.set()
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    ready.wait(30)
    try:
        if failed:
            raise failed[0]
        yield
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(30)
        loop.close()
