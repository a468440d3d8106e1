"""What `add` leaves out: a few names that are never data, and the folder's `.datacatignore`.

The default names cost one set look-up per entry. Patterns come after them, in gitignore's own
language, and may take a default name back in (`!.git/`). `.datacat` is never content.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from datacat.errors import Failed, InvalidInput
from datacat.text import printable
from datacat.working_copy.patterns import PatternList, parse_lines

IGNORE_FILE = ".datacatignore"
DEFAULT_NAMES = (
    ".DS_Store",
    "Thumbs.db",
    ".ipynb_checkpoints/",
    "__pycache__/",
    ".git/",
    ".datacat/",
)
"""The setting `ignore`: names at any depth; with a slash at the end, folders only."""

OURS = ".datacat"
IGNORE_FILE_BYTES_MAX = 1 << 20
"""A larger `.datacatignore` is a mistake, and matching it would take for ever."""


class IgnoreRules:
    """Which entries of a folder are left out, and why.

    `names` are the names that need a closer look (`by_name`); `patterns` is empty for most
    folders, and then nothing else has to be asked.
    """

    def __init__(
        self, *, names: Sequence[str] = DEFAULT_NAMES, patterns: Sequence[str] = ()
    ) -> None:
        self.patterns = PatternList(parse_lines(patterns))
        self._folders_only = {
            name.removesuffix("/"): name.endswith("/") for name in names if name != f"{OURS}/"
        }
        self.names = frozenset(self._folders_only) | {OURS}

    @classmethod
    def of(
        cls, root: Path, *, names: Sequence[str] = DEFAULT_NAMES, extra: Sequence[str] = ()
    ) -> IgnoreRules:
        """The rules for a folder: the default names, `extra` from settings, `.datacatignore`.

        Raises `InvalidInput` (`bad_ignore_file`) when that file is not text, and `Failed`
        (`unreadable`) when it cannot be read.
        """
        return cls(names=names, patterns=[*extra, *_read_ignore_file(root / IGNORE_FILE)])

    @classmethod
    def from_bytes(cls, data: bytes, shown: str, *, extra: Sequence[str] = ()) -> IgnoreRules:
        """As `of`, where a `.datacatignore` that is called `shown` holds `data`."""
        return cls(patterns=[*extra, *_parsed(data, shown)])

    def by_name(self, path: str, name: str, *, is_directory: bool) -> str | None:
        """The default rule that leaves out an entry whose name is in `names`, or None."""
        if name == OURS:
            return f"{OURS}/"
        folders_only = self._folders_only[name]
        if folders_only and not is_directory:
            return None
        if self.patterns:
            decisive = self.patterns.last_match(path, name, is_directory=is_directory)
            if decisive is not None and decisive.negated:
                return None
        return f"{name}/" if folders_only else name

    def by_pattern(self, path: str, name: str, *, is_directory: bool) -> str | None:
        """The pattern that leaves out this entry, or None."""
        decisive = self.patterns.last_match(path, name, is_directory=is_directory)
        return None if decisive is None or decisive.negated else decisive.text


def _read_ignore_file(path: Path) -> list[str]:
    if not os.path.isfile(path):
        return []  # or in a folder that may not be read, of which the walk will tell
    try:
        with path.open("rb") as file:
            data = file.read(IGNORE_FILE_BYTES_MAX + 1)
    except OSError as error:
        raise Failed(
            f"cannot read {printable(str(path))}: {error.strerror}", kind="unreadable"
        ) from error
    return _parsed(data, str(path))


def _parsed(data: bytes, shown: str) -> list[str]:
    if len(data) > IGNORE_FILE_BYTES_MAX:
        raise InvalidInput(f"{printable(shown)} is over 1 MiB", kind="bad_ignore_file")
    try:
        return data.decode("utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        raise InvalidInput(
            f"{printable(shown)} is not UTF-8 text", kind="bad_ignore_file"
        ) from error
