"""What a scan must find, worked out in plain Python from the bytes of a folder."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from datacat.model import CopyGroup, ScanResult


@dataclass
class Model:
    """A folder, read as a whole: contents and inodes of its files, and what its folders hold."""

    root: Path
    contents: dict[str, bytes] = field(default_factory=dict)
    inodes: dict[str, int] = field(default_factory=dict)
    trees: dict[str, tuple[tuple[str, object], ...]] = field(default_factory=dict)

    @classmethod
    def of(cls, root: Path) -> Model:
        model = cls(root)
        model._read(str(root))
        return model

    def _read(self, folder: str) -> tuple[tuple[str, object], ...]:
        """What a folder holds, as a value that is equal for folders that hold the same."""
        held: list[tuple[str, object]] = []
        for name in sorted(os.listdir(folder)):
            path = f"{folder}/{name}"
            if os.path.islink(path):
                held.append((name, ("link", os.readlink(path))))
            elif os.path.isdir(path):
                held.append((name, self._read(path)))
            else:
                self.contents[path] = Path(path).read_bytes()
                self.inodes[path] = os.stat(path).st_ino
                held.append((name, self.contents[path]))
        self.trees[folder] = tuple(held)
        return self.trees[folder]

    @property
    def bytes(self) -> int:
        return sum({self.inodes[path]: len(data) for path, data in self.contents.items()}.values())

    def file_groups(self) -> set[frozenset[str]]:
        """The paths of each content that takes space more than once."""
        paths: dict[bytes, set[str]] = defaultdict(set)
        for path, data in self.contents.items():
            if data:
                paths[data].add(path)
        return {frozenset(p) for p in paths.values() if len({self.inodes[one] for one in p}) > 1}

    @property
    def duplicate_bytes(self) -> int:
        inodes: dict[bytes, set[int]] = defaultdict(set)
        for path, data in self.contents.items():
            inodes[data].add(self.inodes[path])
        return sum(len(data) * (len(several) - 1) for data, several in inodes.items())

    def below(self, folder: str) -> dict[str, bytes]:
        return {p: data for p, data in self.contents.items() if p.startswith(folder + "/")}

    def shared(self, a: str, b: str) -> float:
        """The share of bytes that two folders have in common, of the larger one."""
        here, there = self.below(a).values(), self.below(b).values()
        common = (Counter(here) & Counter(there)).items()
        larger = max(sum(map(len, here)), sum(map(len, there)), 1)
        return sum(len(data) * count for data, count in common) / larger

    def in_order(self) -> list[str]:
        """The folders as a tree is read: each before what is in it, by name."""
        return sorted(self.trees, key=lambda path: os.fsencode(path).split(b"/"))


def check_report(model: Model, result: ScanResult, *, rolled_up: bool = True) -> None:
    """The report is true, says nothing twice, leaves nothing out, and adds up."""
    assert result.bytes == model.bytes
    assert result.files == len(model.contents)
    assert result.duplicate_bytes == model.duplicate_bytes
    assert sum(group.wasted_bytes for group in result.groups) == model.duplicate_bytes
    assert len(result.groups) == result.groups_total
    assert len({group.id for group in result.groups}) == len(result.groups)
    copies: list[str] = []
    for group in result.groups:
        assert group.wasted_bytes > 0
        assert group.copies >= 2
        assert len(group.paths) == group.paths_total
        if group.kind == "folder":
            _check_folder_group(model, group)
            copies += [place.path for place in group.paths[1:]]
        else:
            first, *others = (model.contents[place.path] for place in group.paths)
            assert others
            assert all(other == first for other in others)
    assert len(set(copies)) == len(copies)
    assert not any(a != b and a.startswith(b + "/") for a in copies for b in copies)
    if rolled_up:
        _check_folders_complete(model, copies)
    _check_files_complete(model, result, copies)


def _check_folder_group(model: Model, group: CopyGroup) -> None:
    first = group.paths[0]
    assert first.identical
    for place in group.paths:
        assert place.files == len(model.below(place.path))
        assert place.bytes == sum(map(len, model.below(place.path).values()))
        assert place.identical == (model.trees[place.path] == model.trees[first.path])
        if not place.identical:
            assert place.same_ratio >= 0.8
            assert abs(place.same_ratio - model.shared(first.path, place.path)) < 1e-9


def _check_folders_complete(model: Model, copies: list[str]) -> None:
    """A folder that is the same as one before it is a copy, or takes no space of its own."""
    inside = tuple(copy + "/" for copy in copies)
    seen: set[object] = set()
    for folder in model.in_order():
        tree = model.trees[folder]
        if any(model.below(folder).values()) and tree in seen:
            own = {model.inodes[p] for p, data in model.below(folder).items() if data}
            others = {inode for p, inode in model.inodes.items() if p not in model.below(folder)}
            assert (folder + "/").startswith(inside) or own <= others, folder
        seen.add(tree)


def _check_files_complete(model: Model, result: ScanResult, copies: list[str]) -> None:
    """Each file that takes space and holds what another one before it does is told once."""
    inside = tuple(copy + "/" for copy in copies)
    listed = {place.path for group in result.groups for place in group.paths}
    order = {folder: number for number, folder in enumerate(model.in_order())}
    for paths in model.file_groups():
        first = min(paths, key=lambda p: (order[os.path.dirname(p)], os.fsencode(p)))
        told = {model.inodes[p] for p in paths if p in listed or p.startswith(inside)}
        assert {model.inodes[p] for p in paths} <= told | {model.inodes[first]}, paths
