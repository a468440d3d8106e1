"""What a store and its working copies must hold after each operation, in plain Python."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from tests.trees import EMPTY_FOLDER, Entry, Tree, parents, settled, without_times


@dataclass
class Copy:
    """A folder of one client. Without a `name` it is no working copy.

    `listed` is what the last pull or add put on its list, `patterns` those of a partial pull.
    """

    client: str
    name: str | None = None
    number: int = 0
    listed: dict[str, Entry] = field(default_factory=dict)
    patterns: tuple[str, ...] = ()


@dataclass
class Refusal(Exception):
    """The operation must be refused with an error of this kind, and nothing may change."""

    kind: str


@dataclass(frozen=True)
class Saved:
    """What an add must answer."""

    name: str
    number: int
    created: bool


@dataclass
class Model:
    """Every version of every dataset, oldest first."""

    versions: dict[str, list[dict[str, Entry]]] = field(default_factory=dict)
    order: list[tuple[str, int]] = field(default_factory=list)

    def content(self, name: str, number: int) -> dict[str, Entry]:
        return self.versions[name][number - 1]

    def newest(self, name: str) -> int:
        return len(self.versions.get(name, ()))

    # add

    def add(
        self,
        copy: Copy,
        disk: Tree,
        name: str,
        *,
        force: bool = False,
        only_here: bool = False,
        new_version: bool = False,
        new: bool = False,
    ) -> Saved:
        """Save `disk`, the content of the folder `copy`, under `name`."""
        based = copy.name == name and name in self.versions
        kept: dict[str, Entry] = {}
        if based and copy.patterns and not only_here:
            base = self.content(name, copy.number)
            kept = {p: e for p, e in base.items() if p not in copy.listed and p not in disk}
        if not disk and not kept:
            raise Refusal("nothing_to_save")
        entries = {**kept, **without_times(disk)}
        if any(
            entries[folder].kind != "dir"
            for path in entries
            for folder in parents(path)
            if folder in entries
        ):
            raise Refusal("unsafe_path")
        entries = settled(entries)
        known = self._known(entries, name)
        if known is not None:
            same = known == (name, self.newest(name))
            again = new_version or (new and known[0] != name)
            overtaken_first = based and copy.number < self.newest(name) and not force
            if same and (copy.name, copy.number) != known:
                # The folder is a copy of the newest version from now on.
                copy.patterns = () if only_here else copy.patterns
                copy.name, copy.number, copy.listed = name, known[1], without_times(disk)
            if same or not again:
                return Saved(*known, created=False)
            if overtaken_first:
                raise Refusal("newer_version")
        elif based and copy.number < self.newest(name) and not force:
            raise Refusal("newer_version")
        self.versions.setdefault(name, []).append(entries)
        number = self.newest(name)
        self.order.append((name, number))
        copy.patterns = () if only_here else copy.patterns
        copy.name, copy.number, copy.listed = name, number, without_times(disk)
        return Saved(name, number, created=True)

    def _known(self, entries: Tree, name: str) -> tuple[str, int] | None:
        same = [key for key in reversed(self.order) if self.content(*key) == entries]
        return next((key for key in same if key[0] == name), same[0] if same else None)

    # pull

    def pull(
        self,
        copy: Copy,
        disk: Tree,
        name: str,
        number: int,
        patterns: tuple[str, ...],
        *,
        force: bool,
    ) -> tuple[dict[str, Entry], set[str]]:
        """What the folder must hold afterwards, and the paths whose content goes to the backup."""
        if copy.name is not None and copy.name != name:
            raise Refusal("other_copy")
        wanted_patterns = patterns
        if copy.name is not None and patterns:
            if not copy.patterns:
                if copy.number != number:
                    raise Refusal("would_mix_versions")
                wanted_patterns = ()
            else:
                wanted_patterns = tuple(dict.fromkeys((*copy.patterns, *patterns)))
        version = self.content(name, number)
        if wanted_patterns and any(
            not any(takes(pattern, path, entry) for path, entry in version.items())
            for pattern in patterns
        ):
            raise Refusal("pattern_no_match")
        selected = {
            path: entry
            for path, entry in version.items()
            if not wanted_patterns or any(takes(p, path, entry) for p in wanted_patterns)
        }
        disk = without_times(disk)
        to_write = {p: e for p, e in selected.items() if disk.get(p) != e}
        gone = {p for p in copy.listed if p in disk and p not in selected}
        changed = {p for p in disk if copy.name is None or disk[p] != copy.listed.get(p)}
        mine = {
            path
            for path in changed
            if disk[path].kind != "dir" and (path in gone or _in_the_way(path, to_write))
        }
        strangers = copy.name is None and any(
            entry.kind != "dir" and path not in selected for path, entry in disk.items()
        )
        if (mine or strangers) and not force:
            raise Refusal("folder_not_empty" if copy.name is None else "local_edits")
        after = _moved(disk, selected, to_write, gone | mine)
        copy.name, copy.number, copy.patterns = name, number, wanted_patterns
        copy.listed = dict(selected)
        return after, mine


def _in_the_way(path: str, to_write: Tree) -> bool:
    """A path that is written over, must become a folder, or lies below what becomes a file."""
    return (
        path in to_write
        or any(path in parents(other) for other in to_write)
        or any(folder in to_write and to_write[folder].kind != "dir" for folder in parents(path))
    )


def _moved(disk: Tree, selected: Tree, to_write: Tree, gone: Iterable[str]) -> dict[str, Entry]:
    """`disk` without `gone`, with what is written; folders that nobody made stay as they are."""
    gone = set(gone)
    after = {p: e for p, e in disk.items() if p not in gone}
    for path, entry in to_write.items():
        # An empty folder is nothing: it gives way.
        emptied = [p for p in after if entry.kind != "dir" and path in parents(p)]
        for other in (*emptied, path):
            after.pop(other, None)
        for folder in parents(path):
            if folder in after and after[folder].kind != "dir":
                del after[folder]
        after[path] = entry
    return settled({**after, **{p: e for p, e in selected.items() if e.kind == "dir"}})


def takes(pattern: str, path: str, entry: Entry) -> bool:
    """The few patterns of the test: `name/`, `*.suffix`, `/path`."""
    folders = path.split("/")
    above = folders if entry == EMPTY_FOLDER else folders[:-1]
    if pattern.endswith("/"):
        return pattern[:-1] in above
    if pattern.startswith("*"):
        return any(part.endswith(pattern[1:]) for part in folders)
    whole = pattern.removeprefix("/")
    return path == whole or path.startswith(f"{whole}/")


def expanded(changes: Iterable[tuple[str, str, str | None]]) -> dict[str, str]:
    """Changes with each rename as what it is made of: one path removed, one added."""
    found: dict[str, str] = {}
    for path, change, old_path in changes:
        found[path] = "added" if change == "renamed" else change
        if old_path is not None:
            found[old_path] = "removed"
    return found
