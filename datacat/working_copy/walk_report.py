"""What a walk reports, and the errors it ends in: counts, and the first few names."""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass
from pathlib import Path

from datacat.errors import Failed
from datacat.text import count_of, printable

NAMED_MAX = 20
"""How many names a message or a report lists; the rest is a count."""


@dataclass(frozen=True, slots=True)
class Named:
    """So many paths, and the first `NAMED_MAX` of them."""

    count: int = 0
    first: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Ignored:
    """How many entries one rule left out; `default`: a built-in name, not somebody's pattern."""

    rule: str
    count: int
    default: bool


@dataclass(frozen=True, slots=True)
class WalkReport:
    """What a walk saw. `folders` were entered, `empty_folders` are rows of kind `dir`.

    `special`: sockets, FIFOs and devices, left out. `escaping`: symlinks that point out of the
    folder, kept as links. `stores`: the store itself, found inside the folder and left out.
    """

    files: int
    bytes: int
    symlinks: int
    linked: int
    folders: int
    empty_folders: int
    ignored: tuple[Ignored, ...]
    special: Named
    escaping: Named
    stores: tuple[str, ...]

    @property
    def skipped(self) -> tuple[str, ...]:
        """What was left out, in words: rules with how often they did, the first special files."""
        ignored = [
            f"{entry.rule} ({entry.count:,})" if entry.count > 1 else entry.rule
            for entry in self.ignored
        ]
        special = [f"{path} (not a file)" for path in self.special.first]
        return (*ignored, *special, *(f"{path} (the store)" for path in self.stores))

    @property
    def skipped_count(self) -> int:
        """How many entries were left out."""
        ignored = sum(entry.count for entry in self.ignored)
        return ignored + self.special.count + len(self.stores)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What may not be saved as its owner thinks."""
        if not self.escaping.count:
            return ()
        named = ", ".join(printable(path) for path in self.escaping.first[:3])
        return (
            f"{count_of(self.escaping.count, 'link points', 'links point')} outside the folder;"
            f" saved as links, without what they point to: {named}",
        )


class Collected:
    """A count and the first few names, so that a million of them take no memory."""

    def __init__(self) -> None:
        self.count = 0
        self.first: list[str] = []

    def add(self, name: str) -> None:
        self.count += 1
        if len(self.first) < NAMED_MAX:
            self.first.append(name)

    def named(self) -> Named:
        return Named(self.count, tuple(self.first))


def shown(path: str) -> str:
    """A path as people can read it: bytes that are no text as `\\xe9`, controls escaped."""
    try:
        return printable(os.fsencode(path).decode("utf-8", "backslashreplace"))
    except UnicodeError:
        return printable(path)


def unreadable(paths: Collected, *, reason: str, total: int) -> Failed:
    """The error for `paths` of which the first could not be read for `reason`."""
    named = ", ".join(shown(path) for path in paths.first[:3])
    return Failed(
        f"cannot read {named}{_and_more(paths.count, 3)}: {reason} ({paths.count:,} of {total:,})",
        kind="unreadable",
    )


def not_utf8(paths: Collected, *, root: Path) -> Failed:
    """The error for names or link targets that are not UTF-8."""
    named = ", ".join(shown(path) for path in sorted(paths.first))
    return Failed(
        f"{count_of(paths.count, 'name is', 'names are')} not UTF-8: "
        f"{named}{_and_more(paths.count, NAMED_MAX)}",
        kind="name_not_utf8",
        hint="Rename them first; if they were written in Latin-1:",
        commands=[f"convmv -f latin1 -t utf8 -r --notest {shlex.quote(shown(str(root)))}"],
    )


def refuse_not_utf8(root: Path) -> None:
    """Raise `Failed` (`name_not_utf8`) when the path of a folder is not UTF-8: no listing of it
    could be kept."""
    try:
        str(root).encode()
    except UnicodeEncodeError:
        raise Failed(
            f"the path {shown(str(root))} is not UTF-8",
            kind="name_not_utf8",
            hint="Rename the folder first, or use one with another name.",
        ) from None


def _and_more(count: int, named: int) -> str:
    return f" and {count - named:,} more" if count > named else ""
