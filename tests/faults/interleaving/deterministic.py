"""The real code without its threads, its clocks and its chance: for the time of a simulation."""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

from datacat import layout, sql
from datacat.catalog import bundle, lines, log
from datacat.transfer import executor
from tests.faults.interleaving import process


class InlineExecutor(Executor):
    """Runs each task at once, in the thread that submits it: one client makes one call at a time,
    in an order that is always the same."""

    def __init__(self, *_: object, **__: object) -> None:
        pass

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except BaseException as error:  # noqa: BLE001 - as an executor does it
            future.set_exception(error)
        return future


@contextmanager
def deterministic(
    folder: Path, *, bundle_sizes: tuple[int, ...] = layout.BUNDLE_SIZES
) -> Iterator[None]:
    """What the clients do depends on nothing but the replies they get. `folder` takes what they
    write to the temporary folder; with small bundles a short log has some."""
    commit_defaults = {
        "monotonic": lambda: float(process.current().elapsed_seconds),
        "sleep": lambda seconds: process.current().sleep(seconds),
        "random": lambda: 0.5,
    }
    folder.mkdir(parents=True, exist_ok=True)
    with (
        mock.patch.object(executor, "ThreadPoolExecutor", InlineExecutor),
        mock.patch.object(log, "ThreadPoolExecutor", InlineExecutor),
        mock.patch.object(bundle, "ThreadPoolExecutor", InlineExecutor),
        mock.patch.object(lines, "ThreadPoolExecutor", InlineExecutor),
        mock.patch.dict(log.Log.commit.__kwdefaults__, commit_defaults),
        mock.patch.object(layout, "BUNDLE_SIZES", bundle_sizes),
        mock.patch.object(secrets, "token_hex", process.token_hex),
        mock.patch.object(sql, "THREADS", 1),
        mock.patch.object(tempfile, "tempdir", str(folder)),
    ):
        yield


def fast_folder() -> Path | None:
    """A place in memory for local files, where there is one."""
    shared_memory = Path("/dev/shm")
    return shared_memory if shared_memory.is_dir() else None
