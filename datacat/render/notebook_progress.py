"""Progress in a notebook: one line below the cell, changed in place, without ipywidgets.

Nothing is shown for work that is over before a person would wonder. Events may come from any
thread; they are drawn by whichever comes when it is time.
"""

from __future__ import annotations

import html
import sys
import threading
import time
from collections.abc import Callable
from importlib import import_module
from typing import Any

from datacat.progress import Advanced, Event, Finished, Listener, Started, Warned, ignore
from datacat.text import count_of, human_bytes, printable

PATIENCE_SECONDS = 2.0
DRAWS_PER_SECOND = 4.0


def in_kernel() -> bool:
    """Whether this program is a cell of a notebook."""
    shell = sys.modules.get("IPython")
    running = shell.get_ipython() if shell is not None else None
    return running is not None and getattr(running, "kernel", None) is not None


def notebook_listener() -> Listener:
    """A listener for one call: it draws in a notebook, and nowhere else."""
    return NotebookProgress().listen if in_kernel() else ignore


class NotebookProgress:
    """One line with what is done. `clock` and `display` can be replaced in tests."""

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.monotonic,
        display: Callable[..., Any] | None = None,
    ) -> None:
        self._clock = clock
        self._display = display
        self._lock = threading.Lock()
        self._began = self._drawn = clock()
        self._phase = Started("Working")
        self._files = self._bytes = 0
        self._handle: Any = None

    def listen(self, event: Event) -> None:
        """Take one event."""
        with self._lock:
            match event:
                case Started():
                    self._phase, self._files, self._bytes = event, 0, 0
                case Advanced(files, size):
                    self._files += files
                    self._bytes += size
                case Warned(message):
                    sys.stderr.write(f"warning: {printable(message)}\n")
                    return
                case Finished():
                    if self._handle is not None:
                        self._draw()
                    return
                case _:
                    return
            now = self._clock()
            if now - self._began >= PATIENCE_SECONDS and now - self._drawn >= 1 / DRAWS_PER_SECOND:
                self._draw()

    def _draw(self) -> None:
        self._drawn = self._clock()
        shown = _Line(self.line())
        if self._handle is None:
            if self._display is None:
                self._display = import_module("IPython.display").display
            self._handle = self._display(shown, display_id=True)
        else:
            self._handle.update(shown)

    def line(self) -> str:
        """`Copying  68%  3,063 of 4,504 files  1.1 GB`."""
        phase = self._phase
        parts = [phase.phase]
        done, total = (
            (self._bytes, phase.bytes_total)
            if phase.bytes_total
            else (self._files, phase.files_total)
        )
        if total:
            parts.append(f"{min(100, 100 * done // total)}%")
        if phase.files_total:
            parts.append(f"{self._files:,} of {count_of(phase.files_total, 'file')}")
        elif self._files:
            parts.append(count_of(self._files, "file"))
        if self._bytes:
            parts.append(human_bytes(self._bytes))
        return "  ".join(parts)


class _Line:
    """A line of text that a notebook shows as it is."""

    def __init__(self, text: str) -> None:
        self._text = printable(text)

    def __repr__(self) -> str:
        return self._text

    def _repr_html_(self) -> str:
        return f'<span style="white-space:pre">{html.escape(self._text)}</span>'
