"""What `du` says: the whole store in a sentence, its datasets in a table, what else is there."""

from __future__ import annotations

from collections.abc import Iterator

from datacat.model import DatasetDiskUse, DiskUse
from datacat.render.table import Column, print_table
from datacat.render.terminal import Screen
from datacat.text import count_of, human_bytes, printable


def print_disk_use(screen: Screen, use: DiskUse, *, place: str, only_datasets: bool) -> None:
    """The table of datasets, and unless `only_datasets` what is to be said of the whole store.

    On a terminal that is part of the answer; else it goes to standard error, beside the table.
    """
    whole = not (only_datasets or screen.quiet)
    say = screen.answer if screen.answer_tty else screen.note
    if whole:
        say(*_summary(screen, use, place))
    if use.datasets or not screen.answer_tty:
        print_table(screen, _columns(), use.datasets)
    if whole:
        screen.answers.flush()
        say(*_rest(use))


def _columns() -> list[Column[DatasetDiskUse]]:
    return [
        Column("NAME", lambda d: d.name),
        Column("VERSIONS", lambda d: f"{d.versions:,}", lambda d: str(d.versions), right=True),
        Column(
            "LOGICAL",
            lambda d: human_bytes(d.logical_bytes),
            lambda d: str(d.logical_bytes),
            right=True,
            spare=1,
        ),
        Column(
            "ON DISK",
            lambda d: human_bytes(d.on_disk_bytes),
            lambda d: str(d.on_disk_bytes),
            right=True,
        ),
        Column(
            "ONLY HERE",
            lambda d: human_bytes(d.only_here_bytes),
            lambda d: str(d.only_here_bytes),
            right=True,
        ),
    ]


def _summary(screen: Screen, use: DiskUse, place: str) -> Iterator[str]:
    title = printable(screen.place(place))
    if not use.versions:
        yield f"{title}: no versions yet."
        return
    line = (
        f"{title}: {human_bytes(use.on_disk_bytes)} on disk for"
        f" {human_bytes(use.logical_bytes)} of versions"
    )
    if use.saved_bytes <= 0:
        yield f"{line}."
        return
    yield f"{line}; {human_bytes(use.saved_bytes)} saved ({_percent(use)})."
    parts = (
        (use.same_files_bytes, "by files that are the same"),
        (use.same_parts_bytes, "by parts of files that are the same"),
        (use.compression_bytes, "by compression"),
    )
    told = [f"{human_bytes(size)} {how}" for size, how in parts if size > 0]
    if told:
        yield f"  {', '.join(told)}"


def _percent(use: DiskUse) -> str:
    """Rounded down: what is not saved is not claimed."""
    return f"{100 * use.saved_bytes // use.logical_bytes}%"


def _rest(use: DiskUse) -> Iterator[str]:
    if use.unused_bytes:
        yield (
            f"Of no version: {human_bytes(use.unused_bytes)},"
            " left by adds that did not finish, or that still run."
        )
    trash = "empty"
    if use.trash_versions or use.trash_bytes:
        trash = f"{count_of(use.trash_versions, 'version')}, {human_bytes(use.trash_bytes)}"
    free = "" if use.free_bytes is None else f"   Free on disk: {human_bytes(use.free_bytes)}"
    yield f"Trash: {trash}.{free}"
