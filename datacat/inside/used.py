"""Who wants to know which versions this process reads: the runs that record their sources."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol


class Recorder(Protocol):
    """Is told of every version that is read while it listens; from any thread, and often."""

    def used(self, ref: str) -> None:
        """The version `ref` is read."""


_here: ContextVar[tuple[Recorder, ...]] = ContextVar("recorders", default=())
_lock = threading.Lock()
_listening: list[Recorder] = []


@contextmanager
def listening(recorder: Recorder) -> Iterator[None]:
    """Tell `recorder` what is read until the end of the block.

    That is what this thread or task reads, and, as long as nobody else listens, what other
    threads read: a pool of workers knows nothing of the block that it works for.
    """
    token = _here.set((*_here.get(), recorder))
    with _lock:
        _listening.append(recorder)
    try:
        yield
    finally:
        with _lock:
            _listening.remove(recorder)
        _here.reset(token)


def tell(ref: str) -> None:
    """A version is read: let those know who listen."""
    recorders = _here.get()
    if not recorders and _listening:
        with _lock:
            recorders = tuple(_listening) if len(_listening) == 1 else ()
    for recorder in recorders:
        recorder.used(ref)
