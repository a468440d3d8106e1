"""What `log` shows: the versions of one dataset, or what the team did lately."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from datacat.model import LogEntry, Version
from datacat.render.table import Column, draw, print_table
from datacat.render.terminal import Screen
from datacat.render.versions import version_columns
from datacat.text import rfc3339


def print_versions(screen: Screen, versions: Sequence[Version]) -> None:
    """One line for each version of a dataset."""
    print_table(screen, version_columns(screen), versions)


@dataclass(frozen=True, slots=True)
class _Row:
    """A line of the feed with its day, which is named only where it changes."""

    entry: LogEntry
    day: str


def print_feed(screen: Screen, entries: Sequence[LogEntry]) -> None:
    """The team feed: by day on a terminal, with full times in a pipe."""
    if not screen.answer_tty:
        print_table(screen, _plain_columns(), entries)
        return
    rows: list[_Row] = []
    previous = ""
    for entry in entries:
        day = day_name(entry.at, screen.now)
        rows.append(_Row(entry, "" if day == previous else day))
        previous = day
    columns: list[Column[_Row]] = [
        Column("", lambda row: row.day),
        Column("", lambda row: row.entry.at.astimezone().strftime("%H:%M"), spare=1),
        Column("", lambda row: row.entry.user),
        Column("", lambda row: row.entry.action),
        Column("", lambda row: row.entry.ref),
        Column("", lambda row: _detail(row.entry), flexible=True, spare=2),
    ]
    screen.answers_of(draw(columns, rows, screen=screen, header=False))


def _detail(entry: LogEntry) -> str:
    """What was said about it; of a pull, where it went."""
    return entry.detail or (f"{entry.host}:{entry.path}" if entry.path else "")


def day_name(then: datetime, now: datetime) -> str:
    """`today`, `yesterday`, or the date."""
    day = then.astimezone().date()
    age_days = (now.astimezone().date() - day).days
    return {0: "today", 1: "yesterday"}.get(age_days, day.isoformat())


def _plain_columns() -> list[Column[LogEntry]]:
    return [
        Column("AT", lambda e: rfc3339(e.at)),
        Column("USER", lambda e: e.user),
        Column("HOST", lambda e: e.host),
        Column("ACTION", lambda e: e.action),
        Column("REF", lambda e: e.ref),
        Column("DETAIL", lambda e: e.detail or ""),
        Column("PATH", lambda e: e.path or ""),
    ]
