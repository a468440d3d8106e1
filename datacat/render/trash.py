"""What `rm`, `restore` and `ls --trash` say."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from datacat.model import Removal, Restored, Version
from datacat.render.table import Column, print_table
from datacat.render.terminal import Screen
from datacat.text import count_of, human_age, human_bytes, printable, rfc3339

NAMES_SHOWN = 5


def question(removal: Removal, *, days: int) -> Iterator[str]:
    """The lines before a whole dataset goes; the last one waits for the answer."""
    size = human_bytes(sum(version.bytes for version in removal.versions))
    versions = count_of(len(removal.versions), "version")
    undo = f"Can be undone for {count_of(days, 'day')}." if days else "gc may free it at any time."
    yield f"Move {_listed(removal.names)} ({versions}, {size}) to the trash? {undo}"
    yield from _needed(removal)
    yield "[y/N] "


def removed(removal: Removal, *, dry_run: bool) -> Iterator[str]:
    """The lines after `rm`."""
    names = _listed(removal.names)
    many = len(removal.names) > 1
    if dry_run:
        size = human_bytes(sum(version.bytes for version in removal.versions))
        versions = count_of(len(removal.versions), "version")
        yield f"Would move {names} ({versions}, {size}) to the trash."
        yield from _needed(removal)
        if removal.frees_bytes is not None:
            yield f"gc would then free {human_bytes(removal.frees_bytes)}."
        yield "Nothing was moved (dry run)."
    elif not removal.done:
        yield "Nothing was moved."
    else:
        back = " ".join(removal.names) if len(removal.names) <= NAMES_SHOWN else "…"
        yield (
            f"{names} {'are' if many else 'is'} in the trash until {_day(removal.until)}."
            f"   Undo:  datacat restore {back}"
        )
        yield "No space is freed before datacat gc."


def _needed(removal: Removal) -> Iterator[str]:
    if not removal.needed_by:
        yield "  in use: nobody    used by: nothing"
    for reason in removal.needed_by[:NAMES_SHOWN]:
        yield f"  {printable(reason)}"
    more = len(removal.needed_by) - NAMES_SHOWN
    if more > 0:
        yield f"  and {more:,} more"


def restored(result: Restored) -> Iterator[str]:
    """The lines after `restore`."""
    if result.versions:
        refs = [version.ref for version in result.versions]
        yield f"{_listed(refs)} {'is' if len(refs) == 1 else 'are'} back."
    if result.already:
        verb = "is" if len(result.already) == 1 else "are"
        yield f"{_listed(result.already)} {verb} not in the trash."


def _listed(names: Sequence[str]) -> str:
    more = len(names) - NAMES_SHOWN
    return ", ".join(names[:NAMES_SHOWN]) + (f" and {more:,} more" if more > 0 else "")


def _day(moment: datetime) -> str:
    return f"{moment.astimezone():%Y-%m-%d}"


def print_trash(screen: Screen, versions: Sequence[Version], *, days: int) -> None:
    """The table of versions that can be restored; with `-q` only their references."""
    if screen.quiet:
        screen.answers_of(version.ref for version in versions)
        return
    if versions or not screen.answer_tty:
        print_table(screen, _columns(screen, timedelta(days=days)), versions)


def _columns(screen: Screen, period: timedelta) -> list[Column[Version]]:
    def until(version: Version) -> datetime:
        return (version.trashed_at or version.created_at) + period

    def since(version: Version) -> datetime:
        return version.trashed_at or version.created_at

    return [
        Column("VERSION", lambda v: v.ref),
        Column("SIZE", lambda v: human_bytes(v.bytes), lambda v: str(v.bytes), right=True, spare=2),
        Column(
            "REMOVED",
            lambda v: human_age(since(v), screen.now),
            lambda v: rfc3339(since(v)),
            spare=1,
        ),
        Column("BY", lambda v: v.trashed_by or "", spare=3),
        Column("UNTIL", lambda v: _day(until(v)), lambda v: rfc3339(until(v))),
        Column("MESSAGE", lambda v: v.message, flexible=True, spare=4),
    ]


def trash_total(versions: Sequence[Version], *, filtered: bool) -> str:
    """The line below the table, for standard error."""
    if not versions:
        return "Nothing in the trash matches." if filtered else "The trash is empty."
    datasets = len({version.name for version in versions})
    counted = f"{count_of(len(versions), 'version')} of {count_of(datasets, 'dataset')}"
    return f"{counted} in the trash.   Bring back:  datacat restore {versions[0].ref}"
