"""Ctrl-C and SIGTERM: say at once what is now true, stop in order, leave at the second one."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from datacat.progress import StopSignal

EXIT_INTERRUPTED = 130
STOPPED = "Stopped."
STOPPING = "Stopping… (nothing was saved; run the same command to continue)"
_CLEAR_LINE = "\r\x1b[2K"
_SHOW_CURSOR = "\x1b[?25h"


class Interrupts:
    """What the process does when it is asked to stop.

    By default it says `Stopped.` and raises `KeyboardInterrupt`, which suits a question to a
    person or a command that only reads. Inside `orderly` it sets a `StopSignal` instead, so that
    workers finish the file at hand and clean up. The second request leaves at once.
    """

    def __init__(self) -> None:
        self._asked = False
        self._stop: StopSignal | None = None
        self._text = STOPPED
        self._also: list[Callable[[], None]] = []

    def also(self, call: Callable[[], None]) -> None:
        """Call this too, as soon as stopping is asked for: what waits for a server is given up."""
        self._also.append(call)

    def install(self) -> None:
        """Take over SIGINT and SIGTERM; only the main thread can."""
        with suppress(ValueError):
            signal.signal(signal.SIGINT, self._handle)
            signal.signal(signal.SIGTERM, self._handle)

    @contextmanager
    def orderly(self, text: str = STOPPING) -> Iterator[StopSignal]:
        """Within the block a request to stop sets the signal that is yielded, and says `text`."""
        self._stop, self._text = StopSignal(), text
        try:
            yield self._stop
        finally:
            self._stop, self._text = None, STOPPED

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """Within the block, while a person is asked, a request to stop ends the command."""
        stop, text = self._stop, self._text
        self._stop, self._text = None, STOPPED
        try:
            yield
        finally:
            self._stop, self._text = stop, text

    def _handle(self, _number: int, _frame: FrameType | None) -> None:
        if self._asked:
            # Not sys.exit: a worker that hangs on a dead mount must not keep the process.
            _say(_SHOW_CURSOR if os.isatty(2) else "")
            os._exit(EXIT_INTERRUPTED)
        self._asked = True
        # os.write and not print: the signal may have come in the middle of a print.
        _say(f"{_CLEAR_LINE if os.isatty(2) else ''}{self._text}\n")
        if self._stop is not None:
            self._stop.set()
        for call in self._also:
            call()
        if self._stop is None:
            raise KeyboardInterrupt


def _say(text: str) -> None:
    with suppress(OSError):
        os.write(2, text.encode())
