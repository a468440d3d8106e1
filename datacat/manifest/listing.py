"""The files of one version in memory: found by path, listed by folder, about 150 bytes each."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from datacat.model import Kind
from datacat.sql import Workspace, identifier

_KINDS = (Kind.FILE, Kind.SYMLINK, Kind.DIR)
_CODES = {kind.value: code for code, kind in enumerate(_KINDS)}
_AFTER_SLASH = "0"
"""The character that follows `/`: `a0` sorts just behind everything below `a/`."""


@dataclass(frozen=True, slots=True)
class ListedFile:
    """One path of a version. `digest` is empty but for files, `target` but for links.

    `number` is its place in the order of paths; folders that are only a part of a path have none.
    """

    path: str
    kind: Kind
    size: int = 0
    mtime_ns: int = 0
    digest: bytes = b""
    target: str = ""
    number: int = -1


class FileListing:
    """Everything in one version, in the order of paths."""

    def __init__(self, workspace: Workspace, view: str) -> None:
        """Read the entries in `view`, which has the columns of a manifest."""
        self._paths: list[str] = []
        self._kinds = bytearray()
        self._sizes, self._times = array("q"), array("q")
        self._digests: list[bytes] = []
        self._targets: dict[int, str] = {}
        rows = workspace.batches(
            f"select path, kind, size, mtime_ns, coalesce(digest, ''::blob), target"
            f" from {identifier(view)} order by path"
        )
        for batch in rows:
            paths, kinds, sizes, times, digests, targets = zip(*batch, strict=True)
            links = ((at, target) for at, target in enumerate(targets, len(self._paths)) if target)
            self._targets.update(links)
            self._paths += paths
            self._kinds += bytes(_CODES[kind] for kind in kinds)
            self._sizes.extend(sizes)
            self._times.extend(times)
            self._digests += digests

    def __len__(self) -> int:
        return len(self._paths)

    def count(self, kind: Kind) -> int:
        """How many entries are of this kind."""
        return self._kinds.count(_CODES[kind.value])

    def at(self, number: int) -> ListedFile:
        """The entry at this place of the order."""
        return ListedFile(
            self._paths[number],
            _KINDS[self._kinds[number]],
            self._sizes[number],
            self._times[number],
            self._digests[number],
            self._targets.get(number, ""),
            number,
        )

    def digests(self, first: int, last: int) -> Sequence[bytes]:
        """The digests of the entries `first` to `last` (not included); empty but for files."""
        return self._digests[first:last]

    def sizes(self, first: int, last: int) -> Sequence[int]:
        """The sizes in bytes of the entries `first` to `last` (not included)."""
        return self._sizes[first:last]

    def find(self, path: str) -> ListedFile | None:
        """What is at `path`: a file, a link, a folder (also one that only holds others), or None.

        The empty path is the folder of everything.
        """
        number = bisect_left(self._paths, path)
        if number < len(self._paths) and self._paths[number] == path:
            return self.at(number)
        if not path or self._first_below(path) is not None:
            return ListedFile(path, Kind.DIR)
        return None

    def _first_below(self, folder: str) -> int | None:
        number = bisect_left(self._paths, folder + "/")
        there = number < len(self._paths) and self._paths[number].startswith(folder + "/")
        return number if there else None

    def children(self, folder: str) -> Iterator[ListedFile]:
        """What lies directly in `folder`, each path once; nothing if there is no such folder."""
        prefix = f"{folder}/" if folder else ""
        number = bisect_left(self._paths, prefix)
        while number < len(self._paths) and self._paths[number].startswith(prefix):
            name, slash, _ = self._paths[number][len(prefix) :].partition("/")
            if slash:
                yield ListedFile(prefix + name, Kind.DIR)
                number = bisect_left(self._paths, prefix + name + _AFTER_SLASH, lo=number)
            else:
                yield self.at(number)
                number += 1

    def below(self, folder: str) -> Iterator[ListedFile]:
        """Every entry below `folder`, in order."""
        prefix = f"{folder}/" if folder else ""
        for number in range(bisect_left(self._paths, prefix), len(self._paths)):
            if not self._paths[number].startswith(prefix):
                return
            yield self.at(number)
