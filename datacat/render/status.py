"""What `status` says: which version a folder is, and what differs from it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from datacat.model import Change, ChangeKind, StatusEntry
from datacat.refs import parse
from datacat.render.listing import short_version
from datacat.render.similar import status_lines
from datacat.render.table import Column, print_table
from datacat.render.terminal import Screen
from datacat.text import cell_width, count_of, human_bytes, printable

CHANGES_SHOWN = 20

MARKS = {
    ChangeKind.ADDED: "+",
    ChangeKind.MODIFIED: "~",
    ChangeKind.REMOVED: "-",
    ChangeKind.RENAMED: ">",
}


def print_status(screen: Screen, entries: Sequence[StatusEntry]) -> None:
    """A block for each folder, or a table for a pipe."""
    if not screen.answer_tty:
        print_table(screen, _columns(), entries)
        return
    width = max((cell_width(printable(screen.place(e.path))) for e in entries), default=0)
    for entry in entries:
        screen.answers_of(_block(screen, entry, width))


def count(entry: StatusEntry, kind: ChangeKind) -> int:
    return sum(change.change is kind for change in entry.changes)


def _columns() -> list[Column[StatusEntry]]:
    return [
        Column("PATH", lambda e: e.path),
        Column("REF", lambda e: e.ref or ""),
        Column("STATE", lambda e: e.state),
        Column("NEWEST", lambda e: e.newest or ""),
        Column("ADDED", lambda e: str(count(e, ChangeKind.ADDED))),
        Column("MODIFIED", lambda e: str(count(e, ChangeKind.MODIFIED))),
        Column("REMOVED", lambda e: str(count(e, ChangeKind.REMOVED))),
        Column("RENAMED", lambda e: str(count(e, ChangeKind.RENAMED))),
    ]


def _block(screen: Screen, entry: StatusEntry, width: int) -> Iterator[str]:
    if entry.ref is None:
        yield from _untracked(screen, entry)
        return
    where = printable(screen.place(entry.path))
    gap = " " * (width - cell_width(where))
    line = f"{where}{gap}   {entry.ref}, {_state(entry)}"
    if entry.newest and _is_newer(entry.newest, entry.ref):
        by = f", by {printable(entry.newest_by)}" if entry.newest_by else ""
        line += f"   ({short_version(entry.newest)} is available{by})"
    yield line
    if entry.missing:
        yield f"  {entry.ref} is not in this store; is another one configured?  datacat config"
    if entry.state != "changed":
        return
    yield from (f"    {line}" for line in change_lines(entry.changes, limit=CHANGES_SHOWN))
    place = screen.typed(entry.path)
    yield f"  Save:  datacat add {place}       Details:  datacat diff {place}"


def _is_newer(newest: str, ref: str) -> bool:
    return (parse(newest).number or 0) > (parse(ref).number or 0)


def _state(entry: StatusEntry) -> str:
    notes = "".join(
        note for note, on in ((", in part", entry.partial), (", linked", entry.linked)) if on
    )
    if entry.state != "changed":
        return entry.state + notes
    words = ((kind.value, count(entry, kind)) for kind in ChangeKind)
    return "changed: " + ", ".join(f"{n:,} {word}" for word, n in words if n) + notes


def change_lines(changes: Sequence[Change], *, limit: int) -> Iterator[str]:
    """`~ labels.csv`, one a line, and how many more."""
    yield from map(change_line, changes[:limit])
    if len(changes) > limit:
        yield f"… {len(changes) - limit:,} more"


def change_line(change: Change) -> str:
    """`~ labels.csv`."""
    name = change.path if change.old_path is None else f"{change.old_path} → {change.path}"
    return f"{MARKS[change.change]} {printable(name)}"


def _untracked(screen: Screen, entry: StatusEntry) -> Iterator[str]:
    where = printable(screen.place(entry.path))
    size = f"{count_of(entry.files, 'file')}, {human_bytes(entry.bytes)}"
    yield f"{where}   not a datacat copy. Compared by content ({size}):"
    quoted = screen.typed(entry.path)
    if entry.identical_to:
        yield f"  exactly {entry.identical_to}"
        yield f"  Track it:  datacat pull {entry.identical_to} -d {quoted}"
    elif entry.similar:
        yield from status_lines(entry.similar, screen=screen, typed=quoted)
    else:
        yield "  no version in the store is exactly this"
        yield f"  Save:  datacat add {quoted}"
