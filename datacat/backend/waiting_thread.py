"""Calls that block, made by a thread that nobody waits for at the end of the process."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

_T = TypeVar("_T")


async def in_thread(call: Callable[[], _T]) -> _T:
    """`call()`, in a thread of its own. When the waiting is given up, it is left to itself.

    Unlike `asyncio.to_thread`, whose threads the interpreter waits for when it ends: a call that
    hangs on a dead server would keep a process that was told to stop.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[_T] = loop.create_future()

    def work() -> None:
        try:
            result = call()
        except BaseException as error:  # noqa: BLE001 - it is raised where it is waited for
            _tell(loop, done.set_exception, error, done)
        else:
            _tell(loop, done.set_result, result, done)

    threading.Thread(target=work, name="datacat-call", daemon=True).start()
    return await done


def _tell(
    loop: asyncio.AbstractEventLoop,
    tell: Callable[[Any], None],
    said: object,
    done: asyncio.Future[Any],
) -> None:
    def say() -> None:
        if not done.done():
            tell(said)

    with suppress(RuntimeError):  # the loop has ended, and with it everybody who waited
        loop.call_soon_threadsafe(say)
