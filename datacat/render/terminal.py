"""Where text goes: the two streams, what they are connected to, how wide, with colour or not."""

from __future__ import annotations

import io
import json
import os
import shlex
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TextIO

from datacat.text import printable

WIDTH_DEFAULT = 80
_BOLD = "\x1b[1m"
_PLAIN = "\x1b[0m"


@dataclass(frozen=True)
class Screen:
    """The two output streams of one command and how to write to them.

    `answer_tty` and `notes_tty` tell whether standard output and standard error are terminals;
    `now` is the moment that ages are counted from.
    """

    answers: TextIO
    notes: TextIO
    answer_tty: bool
    notes_tty: bool
    width: int
    colour: bool
    now: datetime
    home: str = ""
    folder: str = ""
    json: bool = False
    quiet: bool = False
    verbose: int = 0

    def answer(self, *lines: str) -> None:
        """Write what was asked for, to standard output."""
        for line in lines:
            self.answers.write(line + "\n")

    def answers_of(self, lines: Iterable[str]) -> None:
        """Write lines of an answer as they come, so that a long one needs no memory."""
        for line in lines:
            self.answers.write(line + "\n")

    def note(self, *lines: str) -> None:
        """Write a summary, a hint or a total, to standard error; `-q` and `--json` silence it."""
        if self.quiet or self.json:
            return
        for line in lines:
            self.notes.write(line + "\n")
        self.notes.flush()

    def ask(self, lines: Iterable[str]) -> None:
        """Write what a person has to read before they can answer, to standard error."""
        for line in lines:
            self.notes.write(line + "\n")
        self.notes.flush()

    def warn(self, text: str) -> None:
        """Write a warning to standard error, also with `--json`."""
        self.notes.write(f"warning: {text}\n")
        self.notes.flush()

    def document(self, value: object) -> None:
        """Write one JSON document."""
        self.answers.write(as_json(value) + "\n")

    def done(self, line: str) -> None:
        """One line for a script after an action: the ref or the path, if nobody is looking."""
        if not self.answer_tty and not self.json:
            self.answers.write(line + "\n")

    def strong(self, text: str) -> str:
        """`text` in bold, where that can be seen."""
        return f"{_BOLD}{text}{_PLAIN}" if self.colour else text

    def place(self, path: str) -> str:
        """A path as a person would write it: `./cmr` below here, `~/data` below home."""
        if self.folder and (path == self.folder or path.startswith(self.folder.rstrip("/") + "/")):
            inside = path[len(self.folder) :].strip("/")
            return f"./{inside}" if inside else "."
        if self.home and path.startswith(self.home.rstrip("/") + "/"):
            return "~/" + path[len(self.home) :].strip("/")
        return path

    def typed(self, path: str) -> str:
        """The same, quoted as it has to be typed into a shell."""
        shown = self.place(path)
        # A quoted tilde is not a home folder.
        head, tail = ("~/", shown[2:]) if shown.startswith("~/") else ("", shown)
        return printable(head + shlex.quote(tail))


def as_json(value: object) -> str:
    """`value` as one line of JSON in UTF-8; text that has no UTF-8 is written with escapes."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    try:
        text.encode()
    except UnicodeEncodeError:
        return json.dumps(value, allow_nan=False)
    return text


def safe_stream(stream: TextIO) -> TextIO:
    """`stream` writing UTF-8 whatever the locale, and never failing on a strange file name."""
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(encoding="utf-8", errors="surrogateescape")
    return stream


def is_tty(stream: TextIO) -> bool:
    """True when `stream` is a terminal; a closed stream is not one."""
    try:
        return stream.isatty()
    except ValueError:
        return False


def make_screen(
    answers: TextIO,
    notes: TextIO,
    *,
    colour: str = "auto",
    home: str = "",
    json: bool = False,
    quiet: bool = False,
    verbose: int = 0,
) -> Screen:
    """The screen for two streams. `colour` is auto, always or never."""
    tty = is_tty(answers)
    return Screen(
        answers=answers,
        notes=notes,
        answer_tty=tty,
        notes_tty=is_tty(notes),
        width=max(20, shutil.get_terminal_size((WIDTH_DEFAULT, 24)).columns),
        colour=colour == "always" or (colour == "auto" and tty),
        now=datetime.now(UTC),
        home=home,
        folder=_current_folder(),
        json=json,
        quiet=quiet,
        verbose=verbose,
    )


def _current_folder() -> str:
    try:
        return os.getcwd()
    except OSError:
        return ""
