"""Progress on a terminal: one line with files, bytes, rate and time left, drawn by rich.

Nothing is drawn when standard error is not a terminal, with `-q`, in a notebook, or for work that
is over before a person would wonder. Events may come from any thread.
"""

from __future__ import annotations

import threading
import time
from types import TracebackType
from typing import TYPE_CHECKING, Any

from datacat.progress import Advanced, Event, Finished, Noted, Started, Warned
from datacat.render.terminal import Screen
from datacat.text import human_bytes, printable

if TYPE_CHECKING:
    from rich.progress import Progress, Task
    from rich.text import Text

PATIENCE_SECONDS = 0.4
"""Work shorter than this shows no bar: it would only flash."""

DRAWS_PER_SECOND = 8
BAR_CELLS = 25


class ProgressLine:
    """A listener that draws. Use as a context manager, and pass `line.listen` to the library."""

    def __init__(self, screen: Screen, *, enabled: bool) -> None:
        self._screen = screen
        self._enabled = enabled and screen.notes_tty and not screen.quiet
        self._lock = threading.Lock()
        self._began = time.monotonic()
        self._phase = Started("Working")
        self._files = 0
        self._bytes = 0
        self._drawn: Progress | None = None
        self._task: int | None = None

    def __enter__(self) -> ProgressLine:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._lock:
            if self._drawn is not None:
                self._drawn.stop()
                self._drawn = None
            self._enabled = False

    def pause(self) -> None:
        """Take the line off the screen; the next event draws it again."""
        with self._lock:
            if self._drawn is not None:
                self._drawn.stop()
                self._drawn = self._task = None

    def listen(self, event: Event) -> None:
        """Take one event. Cheap when nothing is drawn."""
        match event:
            case Warned(message):
                self._say(f"warning: {printable(message)}")
            case Noted(message) if self._screen.verbose:
                self._say(printable(message))
            case Started() if self._enabled:
                with self._lock:
                    self._start(event)
            case Advanced(files, size) if self._enabled:
                with self._lock:
                    self._files += files
                    self._bytes += size
                    self._draw()
            case Finished() if self._enabled:
                with self._lock:
                    self._draw()
            case _:
                pass

    def _say(self, line: str) -> None:
        with self._lock:
            if self._drawn is not None:
                self._drawn.console.print(line, soft_wrap=True)
            else:
                self._screen.notes.write(line + "\n")
                self._screen.notes.flush()

    def _start(self, event: Started) -> None:
        self._phase, self._files, self._bytes = event, 0, 0
        if self._drawn is not None and self._task is not None:
            from rich.progress import TaskID

            self._drawn.remove_task(TaskID(self._task))
            self._task = None
        self._draw()

    def _draw(self) -> None:
        if time.monotonic() - self._began < PATIENCE_SECONDS:
            return
        if self._drawn is None:
            self._drawn = _progress(self._screen)
            self._drawn.start()
        from rich.progress import TaskID

        if self._task is None:
            total = self._phase.bytes_total or self._phase.files_total or None
            task = self._drawn.add_task(printable(self._phase.phase), total=total, **self._counts())
            self._task = task
        done = self._bytes if self._phase.bytes_total else self._files
        self._drawn.update(TaskID(self._task), completed=done, **self._counts())

    def _counts(self) -> dict[str, Any]:
        return {
            "files": self._files,
            "files_total": self._phase.files_total,
            "bytes": self._bytes,
        }


def _progress(screen: Screen) -> Progress:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, ProgressColumn, TextColumn
    from rich.text import Text

    class Counts(ProgressColumn):
        def render(self, task: Task) -> Text:
            return Text(describe(task))

    console = Console(
        file=screen.notes,
        markup=False,
        emoji=False,
        highlight=False,
        no_color=not screen.colour,
        force_terminal=True,
        force_jupyter=False,
    )
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=BAR_CELLS),
        Counts(),
        console=console,
        transient=True,
        refresh_per_second=DRAWS_PER_SECOND,
        speed_estimate_period=5,
    )


def describe(task: Task) -> str:
    """`68%  3,063/4,504 files  1.1 GB/s  5 s left`, as far as it is known."""
    fields = task.fields
    parts = []
    if task.total:
        parts.append(f"{min(100, int(task.percentage)):3d}%")
    files, files_total = fields.get("files", 0), fields.get("files_total", 0)
    parts.append(f"{files:,}/{files_total:,} files" if files_total else f"{files:,} files")
    if size := fields.get("bytes", 0):
        elapsed = task.elapsed or 0
        parts.append(f"{human_bytes(int(size / elapsed))}/s" if elapsed > 0 else human_bytes(size))
    if task.total and (left := task.time_remaining) is not None and not task.finished:
        parts.append(time_left(left))
    return "  ".join(parts)


def time_left(seconds: float) -> str:
    """`5 s left`, `3 min left`, `2 h 10 min left`."""
    whole = int(seconds)
    if whole < 90:
        return f"{whole} s left"
    if whole < 5400:
        return f"{whole // 60} min left"
    return f"{whole // 3600} h {whole % 3600 // 60} min left"
