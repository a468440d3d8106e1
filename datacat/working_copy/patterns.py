"""Gitignore patterns, decided exactly as Git decides them.

Git asks, for one path and never for what is below it: which is the last pattern that matches?
So a pattern becomes one regular expression for a whole name or a whole path; whoever walks
prunes the directories that are ignored. Libraries that match paths below a matched directory
answer differently from Git as soon as a `!pattern` is there, so none is used.

Source: gitignore(5), and `dir.c` and `wildmatch.c` of Git 2.39. One difference is on purpose:
`?` and `[...]` stand for one character, in Git for one byte.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_SPECIAL = "*?[\\"
_CLASSES = {
    "alnum": "a-zA-Z0-9",
    "alpha": "a-zA-Z",
    "blank": " \\t",
    "cntrl": "\\x00-\\x1f\\x7f",
    "digit": "0-9",
    "graph": "\\x21-\\x7e",
    "lower": "a-z",
    "print": "\\x20-\\x7e",
    "punct": "\\x21-\\x2f\\x3a-\\x40\\x5b-\\x60\\x7b-\\x7e",
    "space": " \\t\\n\\r\\f\\v",
    "upper": "A-Z",
    "xdigit": "0-9a-fA-F",
}
_NEVER = "(?!)"


@dataclass(frozen=True, slots=True)
class Pattern:
    """One line of an ignore file.

    `negated`: it began with `!`. `directories_only`: it ended with `/`. `on_name`: it has no
    other slash and is matched with the last component, at any depth.
    """

    text: str
    negated: bool
    directories_only: bool
    on_name: bool
    regex: str
    compiled: re.Pattern[str]

    def matches(self, path: str, name: str, *, is_directory: bool) -> bool:
        """True if this pattern alone matches the path (relative, `/`) whose last part is `name`."""
        if self.directories_only and not is_directory:
            return False
        return self.compiled.fullmatch(name if self.on_name else path) is not None


def parse(line: str) -> Pattern | None:
    """The pattern of one line, or None for a blank line or a comment."""
    text = _without_trailing_spaces(line.rstrip("\n").removesuffix("\r"))
    if not text or text.startswith("#"):
        return None
    body = text.removeprefix("!")
    directories_only = body.endswith("/")
    if directories_only:
        body = body[:-1]
    on_name = "/" not in body
    regex = _translate(body if on_name else body.removeprefix("/"), anchored=not on_name)
    return Pattern(
        text=text,
        negated=text.startswith("!"),
        directories_only=directories_only,
        on_name=on_name,
        regex=regex,
        compiled=re.compile(regex, re.DOTALL),
    )


def parse_lines(lines: Iterable[str]) -> list[Pattern]:
    """The patterns of an ignore file, in order."""
    return [pattern for line in lines if (pattern := parse(line)) is not None]


class PatternList:
    """Patterns in order, of which the last match counts."""

    def __init__(self, patterns: Sequence[Pattern]) -> None:
        self.patterns = tuple(patterns)
        self._reversed = tuple(reversed(self.patterns))
        # Most entries match nothing: one alternation each says so in one step.
        self._file_name = _any_of(p for p in patterns if p.on_name and not p.directories_only)
        self._file_path = _any_of(p for p in patterns if not p.on_name and not p.directories_only)
        self._directory_name = _any_of(p for p in patterns if p.on_name)
        self._directory_path = _any_of(p for p in patterns if not p.on_name)

    def __bool__(self) -> bool:
        return bool(self.patterns)

    def last_match(self, path: str, name: str, *, is_directory: bool) -> Pattern | None:
        """The pattern that decides about this path, or None when none matches."""
        if is_directory:
            by_name, by_path = self._directory_name, self._directory_path
        else:
            by_name, by_path = self._file_name, self._file_path
        if not (
            (by_name is not None and by_name.fullmatch(name))
            or (by_path is not None and by_path.fullmatch(path))
        ):
            return None
        for pattern in self._reversed:
            if pattern.matches(path, name, is_directory=is_directory):
                return pattern
        return None


def _any_of(patterns: Iterable[Pattern]) -> re.Pattern[str] | None:
    alternatives = [f"(?:{pattern.regex})" for pattern in patterns]
    return re.compile("|".join(alternatives), re.DOTALL) if alternatives else None


def _without_trailing_spaces(line: str) -> str:
    """Spaces at the end do not count unless a backslash stands before them."""
    end = position = 0
    while position < len(line):
        if line[position] == "\\" and position + 1 < len(line):
            position += 1
            end = position + 1
        elif line[position] != " ":
            end = position + 1
        position += 1
    return line[:end]


def _translate(pattern: str, *, anchored: bool) -> str:
    """A regular expression for the whole text; `anchored`: `*` and `?` stop at a slash."""
    # Git compares the part before the first special character literally and matches the rest as
    # a pattern of its own, so a `**` right behind it counts as one at the beginning.
    start = next((i for i, c in enumerate(pattern) if c in _SPECIAL), len(pattern))
    out = [re.escape(pattern[:start])]
    position = start
    while position < len(pattern):
        character = pattern[position]
        if character == "*":
            piece, position = _stars(pattern, position, start=start, anchored=anchored)
        elif character == "?":
            piece, position = "[^/]", position + 1
        elif character == "[":
            piece, position = _bracket(pattern, position)
        elif character == "\\":
            if position + 1 == len(pattern):
                return _NEVER
            piece, position = re.escape(pattern[position + 1]), position + 2
        else:
            piece, position = re.escape(character), position + 1
        if piece == _NEVER:
            return _NEVER
        out.append(piece)
    return "".join(out) if pattern else _NEVER


def _stars(pattern: str, position: int, *, start: int, anchored: bool) -> tuple[str, int]:
    end = position
    while end < len(pattern) and pattern[end] == "*":
        end += 1
    whole_component = (position == start or pattern[position - 1] == "/") and (
        end == len(pattern) or pattern.startswith(("/", "\\/"), end)
    )
    if not anchored or end - position == 1 or not whole_component:
        return "[^/]*", end
    if pattern.startswith("/", end):
        return "(?:.*/)?", end + 1
    return ".*", end


def _bracket(pattern: str, position: int) -> tuple[str, int]:  # noqa: PLR0911, PLR0912 - one grammar rule
    """`[...]` as a character class that never matches a slash; invalid ones match nothing."""
    index = position + 1
    negated = pattern.startswith(("!", "^"), index)
    index += negated
    items: list[str] = []
    previous = ""
    first = True
    while True:
        if index >= len(pattern):
            return _NEVER, index
        character = pattern[index]
        if character == "]" and not first:
            break
        first = False
        current = character
        if character == "\\":
            index += 1
            if index >= len(pattern):
                return _NEVER, index
            current = pattern[index]
            items.append(re.escape(current))
        elif character == "-" and previous and pattern[index + 1 : index + 2] not in ("", "]"):
            index += 1
            if pattern[index] == "\\":
                index += 1
                if index >= len(pattern):
                    return _NEVER, index
            if previous <= pattern[index]:
                items.append(f"{re.escape(previous)}-{re.escape(pattern[index])}")
            current = ""
        elif pattern.startswith("[:", index):
            close = pattern.find("]", index + 2)
            if close < 0:
                return _NEVER, index
            if close - 1 < index + 2 or pattern[close - 1] != ":":
                items.append("\\[")
            else:
                named = _CLASSES.get(pattern[index + 2 : close - 1])
                if named is None:
                    return _NEVER, index
                items.append(named)
                index = close
                current = ""
        else:
            items.append(re.escape(current))
        previous = current
        index += 1
    if not items:
        return ("[^/]" if negated else _NEVER), index + 1
    inside = "".join(items)
    return (f"[^/{inside}]" if negated else f"(?!/)[{inside}]"), index + 1
