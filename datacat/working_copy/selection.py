"""Which files a partial pull takes: gitignore's language, read as "these" instead of "not these".

The deepest component of a path that any pattern matches decides, and there the last pattern:
`labels/ '!*.tmp'` takes everything below `labels` but the `.tmp` files. Only `!patterns` means
everything else.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from datacat.errors import InvalidInput, NotFound
from datacat.text import closest, printable
from datacat.working_copy.patterns import Pattern, PatternList, parse

CANDIDATES_MAX = 20_000
"""How many names "did you mean" compares at most."""


class PathPatterns:
    """Include patterns over a stream of paths; remembers which patterns matched something.

    Raises `InvalidInput` (`bad_pattern`) for a pattern that is empty or a comment.
    """

    def __init__(self, patterns: Sequence[str]) -> None:
        parsed: list[Pattern] = []
        for text in patterns:
            pattern = parse(text)
            if pattern is None:
                raise InvalidInput(
                    f"'{printable(text)}' is not a pattern",
                    kind="bad_pattern",
                    hint="Name a file, a folder like labels/ or a pattern like '*.csv'.",
                )
            parsed.append(pattern)
        self._patterns = PatternList(parsed)
        self._everything = all(pattern.negated for pattern in parsed)
        self._waiting = [pattern for pattern in parsed if not pattern.negated]
        self._folders: dict[str, bool] = {"": self._everything}

    @property
    def unmatched(self) -> tuple[str, ...]:
        """The patterns that matched none of the paths seen so far."""
        return tuple(pattern.text for pattern in self._waiting)

    def select(self, paths: Iterable[str]) -> Iterator[str]:
        """The paths that the patterns take."""
        return (path for path in paths if self.takes(path))

    def takes(self, path: str, *, is_folder: bool = False) -> bool:
        """True if the patterns take this file or symlink, or (`is_folder`) this empty folder."""
        if is_folder:
            return self._folder(path)
        folder, _, name = path.rpartition("/")
        return self._verdict(path, name, self._folder(folder), is_directory=False)

    def _folder(self, folder: str) -> bool:
        known = self._folders.get(folder)
        if known is not None:
            return known
        # From the top, not recursively: a path may be deeper than Python's stack.
        verdict, end = self._everything, -1
        while end < len(folder):
            start = end + 1
            end = folder.find("/", start)
            end = len(folder) if end < 0 else end
            path = folder[:end]
            if path not in self._folders:
                if len(self._folders) > CANDIDATES_MAX:
                    self._folders = {"": self._everything}
                self._folders[path] = self._verdict(
                    path, folder[start:end], verdict, is_directory=True
                )
            verdict = self._folders[path]
        return verdict

    def _verdict(self, path: str, name: str, inherited: bool, *, is_directory: bool) -> bool:
        decisive = self._patterns.last_match(path, name, is_directory=is_directory)
        if decisive is None:
            return inherited
        if self._waiting:
            self._waiting = [
                pattern
                for pattern in self._waiting
                if not pattern.matches(path, name, is_directory=is_directory)
            ]
        return not decisive.negated


def no_match(ref: str, pattern: str, paths: Iterable[str]) -> NotFound:
    """The error for a pattern that takes no file of `ref`, with the name that was meant."""
    meant = _meant(pattern, paths)
    return NotFound(
        f"no file in {ref} matches '{printable(pattern)}'",
        kind="pattern_no_match",
        hint=f"Did you mean '{printable(meant)}'?" if meant else None,
        commands=[f"datacat ls --files {ref}"],
    )


def _meant(pattern: str, paths: Iterable[str]) -> str | None:
    """The folder (with its slash), file name or path that is nearest to what was typed."""
    bare = pattern.removeprefix("/").removesuffix("/")
    depth = bare.count("/")
    candidates: set[str] = set()
    for path in paths:
        parts = path.split("/")
        candidates.update(
            "/".join(parts[start : start + depth + 1])
            + ("/" if start + depth + 1 < len(parts) else "")
            for start in (range(len(parts)) if depth == 0 else (0,))
        )
        if len(candidates) > CANDIDATES_MAX:
            break
    return closest(bare + "/" * pattern.endswith("/"), sorted(candidates))
