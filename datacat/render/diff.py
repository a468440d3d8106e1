"""What `diff` says: a heading with counts, changed files, and folders of new and removed ones."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from datacat.model import Change, ChangeKind, Diff
from datacat.render.status import MARKS, change_lines
from datacat.render.table import Column, draw, print_table
from datacat.render.terminal import Screen
from datacat.text import count_of, human_bytes, printable

LINES_DEFAULT = 20
ALIKE_MIN = 4
"""From so many folders with alike names (`sub-4811`, `sub-4812`, …) on, one line stands for all."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line below the heading: a file, a folder of files, or how many more there are."""

    path: str
    mark: str
    text: str


def print_diff(screen: Screen, diff: Diff, *, limit: int | None, stat: bool, names: bool) -> None:
    """Write the differences in the form that was asked for."""
    if names:
        _print_names(screen, diff.changes[:limit])
    elif screen.answer_tty:
        screen.answers_of(_page(screen, diff, limit=limit or LINES_DEFAULT, stat=stat))
    elif stat:
        folders = list(by_folder(diff.changes))
        print_table(screen, _folder_columns(), folders)
    else:
        print_table(screen, _columns(), diff.changes[:limit])


def _print_names(screen: Screen, changes: Sequence[Change]) -> None:
    if screen.answer_tty:
        screen.answers_of(change_lines(changes, limit=len(changes)))
    else:
        screen.answers_of(f"{MARKS[c.change]}\t{printable(c.path)}" for c in changes)


def _columns() -> list[Column[Change]]:
    def number(value: int | None) -> str:
        return "" if value is None else str(value)

    return [
        Column("CHANGE", lambda c: c.change.value),
        Column("PATH", lambda c: c.path),
        Column("OLD_PATH", lambda c: c.old_path or ""),
        Column("BYTES", lambda c: number(c.bytes)),
        Column("OLD_BYTES", lambda c: number(c.old_bytes)),
        Column("DETAIL", lambda c: c.detail or ""),
    ]


def heading(screen: Screen, diff: Diff) -> str:
    """`cmr@v3 → cmr@v4    +24 ~72 -0    18.4 GB → 18.6 GB`."""
    a, b = (printable(screen.place(side)) for side in (diff.a, diff.b))
    counts = f"+{diff.added:,} ~{diff.modified:,} -{diff.removed:,}"
    if diff.renamed:
        counts += f" >{diff.renamed:,}"
    sizes = f"{human_bytes(diff.bytes_a)} → {human_bytes(diff.bytes_b)}"
    return f"{a} → {b}    {counts}    {sizes}"


def _page(screen: Screen, diff: Diff, *, limit: int, stat: bool) -> Iterator[str]:
    if not diff.changes:
        a, b = (printable(screen.place(side)) for side in (diff.a, diff.b))
        if a == b:
            yield f"{a} is compared with itself: nothing differs."
        else:
            yield f"{a} and {b} hold the same content."
        return
    yield heading(screen, diff)
    if stat:
        folders = list(by_folder(diff.changes))
        yield from draw(_folder_columns(), folders, screen=screen, header=False, indent="  ")
        return
    lines = list(fold(diff.changes, limit=limit))
    columns: list[Column[Line]] = [
        Column("", lambda line: line.path),
        Column("", lambda line: line.mark),
        Column("", lambda line: line.text, flexible=True),
    ]
    yield from draw(columns, lines, screen=screen, header=False, indent="  ")
    if len(lines) < len(diff.changes):
        sides = " ".join(screen.typed(side) for side in (diff.a, diff.b))
        yield f"All of them:  datacat diff {sides} --names"


def fold(changes: Sequence[Change], *, limit: int) -> Iterator[Line]:
    """The lines below the heading: about `limit` changed files, and as many new and removed.

    Changed files are named, since what changed in them is of interest; files that came, went or
    moved are named while they are few, and counted by folder when they are many.
    """
    kinds: dict[ChangeKind, list[Change]] = defaultdict(list)
    for change in changes:
        kinds[change.change].append(change)
    modified = kinds[ChangeKind.MODIFIED]
    yield from (_file_line(change) for change in modified[:limit])
    if len(modified) > limit:
        yield Line(f"… {len(modified) - limit:,} more changed", "", "")
    for kind in (ChangeKind.RENAMED, ChangeKind.ADDED, ChangeKind.REMOVED):
        found = kinds[kind]
        if len(found) <= limit:
            yield from (_file_line(change) for change in found)
            continue
        folders = list(_folded(found))
        yield from folders[:limit]
        if len(folders) > limit:
            yield Line(f"… {len(folders) - limit:,} more {kind.value}", MARKS[kind], "")


def _file_line(change: Change) -> Line:
    mark = MARKS[change.change]
    match change.change:
        case ChangeKind.MODIFIED:
            text = f"{_size(change.old_bytes)} → {_size(change.bytes)}"
        case ChangeKind.RENAMED:
            text = f"was {change.old_path}"
        case ChangeKind.REMOVED:
            text = _size(change.old_bytes)
        case ChangeKind.ADDED:
            text = _size(change.bytes)
    return Line(change.path, mark, f"{text}   {change.detail}" if change.detail else text)


def _size(size: int | None) -> str:
    return "-" if size is None else human_bytes(size)


def _folded(changes: Sequence[Change]) -> Iterator[Line]:
    """One line for each top folder, or for many of alike names; files at the top stay."""
    folders: dict[str, list[Change]] = defaultdict(list)
    for change in changes:
        top, slash, _ = change.path.partition("/")
        folders[top + slash].append(change)
    alike: dict[str, list[str]] = defaultdict(list)
    for name in folders:
        alike[re.sub(r"\d", "0", name)].append(name)
    for names in alike.values():
        groups = [names] if len(names) >= ALIKE_MIN else [[name] for name in names]
        for group in groups:
            found = [change for name in group for change in folders[name]]
            if len(found) == 1:
                yield _file_line(found[0])
                continue
            size = sum(c.bytes or c.old_bytes or 0 for c in found)
            text = f"{count_of(len(found), 'file')}, {human_bytes(size)}"
            yield Line(common_pattern(group), MARKS[found[0].change], text)


def common_pattern(names: Sequence[str]) -> str:
    """`sub-48xx/` for `sub-4811/` and `sub-4823/`: names that differ in digits only."""
    first = names[0]
    return "".join(
        character if all(name[i] == character for name in names) else "x"
        for i, character in enumerate(first)
    )


@dataclass(frozen=True, slots=True)
class Folder:
    """How many files changed below one folder; `.` stands for files at the top."""

    path: str
    added: int
    modified: int
    removed: int
    renamed: int


def by_folder(changes: Iterable[Change]) -> Iterator[Folder]:
    """The counts for `--stat`, by folder, in order of path."""
    counts: dict[str, dict[ChangeKind, int]] = defaultdict(lambda: dict.fromkeys(ChangeKind, 0))
    for change in changes:
        folder = change.path.rpartition("/")[0]
        counts[folder + "/" if folder else "."][change.change] += 1
    for path, kinds in sorted(counts.items()):
        yield Folder(
            path,
            added=kinds[ChangeKind.ADDED],
            modified=kinds[ChangeKind.MODIFIED],
            removed=kinds[ChangeKind.REMOVED],
            renamed=kinds[ChangeKind.RENAMED],
        )


def _folder_columns() -> list[Column[Folder]]:
    def counted(mark: str, number: int) -> str:
        return f"{mark}{number:,}" if number else ""

    return [
        Column("FOLDER", lambda f: f.path),
        Column("ADDED", lambda f: counted("+", f.added), lambda f: str(f.added), right=True),
        Column(
            "MODIFIED", lambda f: counted("~", f.modified), lambda f: str(f.modified), right=True
        ),
        Column("REMOVED", lambda f: counted("-", f.removed), lambda f: str(f.removed), right=True),
        Column("RENAMED", lambda f: counted(">", f.renamed), lambda f: str(f.renamed), right=True),
    ]
