"""Run the terminal sessions of a page as written, and compare what is shown.

A line that begins with `$`, `alice$` or `bob$` is typed by that person (`$` is alice) in their own
home folder, with `/shared` being a folder of the test. The lines after it must appear on the
screen, in this order. Sizes and ages may differ, spaces count as one, `…` stands for anything.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from terminal import Person, run
from tests.docs.pages import Block

_PROMPT = re.compile(r"^(alice|bob|)\$ (.*)$")
_LOOSE = re.compile(
    r"(?P<any>…)"
    r"|(?P<size>\d[\d,.]* (?:B|kB|MB|GB)\b)"
    r"|(?P<age>just now|\d+ (?:second|minute|hour)s? ago|today|yesterday)"
    r"|(?P<clock>\b\d\d:\d\d\b)"
    r"|(?P<seconds>\b\d+(?:\.\d+)? s\b)"
    r"|(?P<space>\s+)"
)
_AGE = r"(?:just now|\d+ \w+ ago|today|yesterday)"
_PATTERNS = {
    "any": r".*",
    "size": r"\d[\d,.]* (?:B|kB|MB|GB)",
    "age": _AGE,
    "clock": r"\d\d:\d\d",
    "seconds": r"[\d.]+ m?s",
    "space": r"\s+",
}


@dataclass
class Typed:
    """One command of a page and the lines that the page shows after it."""

    person: str
    command: str
    shown: list[str] = field(default_factory=list)


def commands(block: Block) -> list[Typed]:
    """The commands of a `console` block, with what follows each."""
    typed: list[Typed] = []
    for line in block.text.splitlines():
        if match := _PROMPT.match(line):
            typed.append(Typed(match[1] or "alice", match[2]))
        elif typed and typed[-1].command.endswith("\\"):
            typed[-1].command = typed[-1].command[:-1] + line.strip()
        elif typed and line.strip():
            typed[-1].shown.append(line)
    return typed


class Session:
    """The people and the shared folder of one page."""

    def __init__(self, folder: Path) -> None:
        self._shared = folder / "shared"
        self._shared.mkdir()
        self.people = {name: Person(name, folder / name) for name in ("alice", "bob")}
        for person in self.people.values():
            person.home.mkdir()

    def follow(self, block: Block) -> None:
        """Type what the block says. Raises `AssertionError` where the page is wrong."""
        for typed in commands(block):
            person = self.people[typed.person]
            command = typed.command.replace("/shared", str(self._shared))
            outcome = run(["bash", "-c", command], person.environment, person.home, None)
            screen = outcome.screen.replace(str(self._shared), "/shared")
            if typed.shown and typed.shown[0].startswith("Error:"):
                assert outcome.exit_code != 0, f"{typed.command} did not fail:\n{screen}"
            else:
                assert outcome.exit_code == 0, f"{typed.command} failed:\n{screen}"
            missing = first_missing(typed.shown, screen.splitlines())
            assert missing is None, f"{typed.command}\nshould show: {missing}\nshows:\n{screen}"


def first_missing(expected: list[str], screen: list[str]) -> str | None:
    """The first expected line that is not on the screen, after those before it; or None."""
    position = 0
    for line in expected:
        pattern = re.compile(loosely(line))
        while position < len(screen) and not pattern.fullmatch(screen[position].strip()):
            position += 1
        if position == len(screen):
            return line
        position += 1
    return None


def loosely(line: str) -> str:
    """A regular expression for what a line of a page allows on the screen."""
    parts: list[str] = []
    position = 0
    text = line.strip()
    for match in _LOOSE.finditer(text):
        parts.append(re.escape(text[position : match.start()]))
        parts.append(_PATTERNS[str(match.lastgroup)])
        position = match.end()
    return "".join([*parts, re.escape(text[position:])])
