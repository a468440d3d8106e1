"""What `scan` says: how much is duplicate, the groups that waste most, and what was left out."""

from __future__ import annotations

import os
from collections.abc import Iterator

from datacat.errors import InvalidInput
from datacat.model import CopyGroup, CopyPlace, GroupKind, LeftOut, ScanResult
from datacat.refs import normalise_name
from datacat.render.table import Column, draw, tab_separated
from datacat.render.terminal import Screen
from datacat.text import cell_width, count_of, human_bytes, printable

PATHS_SHOWN = 3
NAMED_MAX = 3
INDENT = " " * 9


def print_scan(screen: Screen, result: ScanResult) -> None:
    """A table with the copies of each group below it; in a pipe one line for each copy."""
    if not screen.answer_tty:
        rows = [(group, place) for group in result.groups for place in group.paths]
        screen.answers_of(tab_separated(_plain_columns(), rows))
    else:
        screen.answer(summary(result))
        if result.groups:
            screen.answer("")
            screen.answers_of(_blocks(screen, result))
    screen.answers.flush()


def summary(result: ScanResult) -> str:
    """`1.8 TB of 2.9 TB is duplicate (62%).`"""
    if result.dry_run:
        return (
            f"{count_of(result.files, 'file')}, {human_bytes(result.bytes)};"
            f" up to {human_bytes(result.to_read_bytes)} would have to be read."
        )
    whole = f"{count_of(result.files, 'file')}, {human_bytes(result.bytes)}"
    if not result.duplicate_bytes:
        return f"Nothing is there twice: {whole}."
    # Rounded down: what cannot be freed is not claimed.
    percent = 100 * result.duplicate_bytes // result.bytes
    duplicate = human_bytes(result.duplicate_bytes)
    return f"{duplicate} of {human_bytes(result.bytes)} is duplicate ({percent}%)."


def what(group: CopyGroup) -> str:
    """`cmr = cmr@v3`, `echo-clips = not in datacat yet`."""
    path = group.paths[0].path
    name = os.path.basename(path) or path
    if group.ref:
        return f"{name} = {group.ref}"
    return f"{name} = not in datacat yet" if group.kind is GroupKind.FOLDER else name


def percent(place: CopyPlace) -> str:
    """Empty for an identical copy, ` (98%)` for another; rounded down, 100% is for all."""
    return "" if place.identical else f" ({int(100 * place.same_ratio)}%)"


def short_path(screen: Screen, result: ScanResult, path: str) -> str:
    """A path below the only folder that was scanned without it; else as a person writes it."""
    if len(result.roots) == 1 and path.startswith(os.path.join(result.roots[0], "")):
        return path[len(os.path.join(result.roots[0], "")) :]
    return screen.place(path)


def _columns() -> list[Column[CopyGroup]]:
    return [
        Column("GROUP", lambda g: g.id),
        Column("COPIES", lambda g: f"{g.copies:,}", right=True, spare=1),
        Column("EACH", lambda g: human_bytes(g.bytes_each), right=True, spare=2),
        Column("WASTED", lambda g: human_bytes(g.wasted_bytes), right=True),
        Column("WHAT", what, flexible=True),
    ]


def _plain_columns() -> list[Column[tuple[CopyGroup, CopyPlace]]]:
    return [
        Column("GROUP", lambda row: row[0].id),
        Column("KIND", lambda row: row[0].kind.value),
        Column("COPIES", lambda row: str(row[0].copies)),
        Column("EACH", lambda row: str(row[0].bytes_each)),
        Column("WASTED", lambda row: str(row[0].wasted_bytes)),
        Column("REF", lambda row: row[0].ref or ""),
        Column("SAME", lambda row: f"{row[1].same_ratio:.4f}"),
        Column("PATH", lambda row: row[1].path),
    ]


def _blocks(screen: Screen, result: ScanResult) -> Iterator[str]:
    """Each line of the table, and below it where the copies are."""
    header, *lines = draw(_columns(), result.groups, screen=screen)
    yield header
    for group, line in zip(result.groups, lines, strict=True):
        yield line
        yield from _paths(screen, result, group)


def _paths(screen: Screen, result: ScanResult, group: CopyGroup) -> Iterator[str]:
    """The first paths, on as few lines as they fit on."""
    shown = [
        f"{printable(short_path(screen, result, place.path))}{percent(place)}"
        for place in group.paths[:PATHS_SHOWN]
    ]
    if more := group.paths_total - len(shown):
        shown.append(f"+{more:,} more")
    line = ""
    for text in shown:
        if line and cell_width(INDENT + line) + 2 + cell_width(text) > screen.width:
            yield INDENT + line
            line = text
        else:
            line = f"{line}  {text}" if line else text
    yield INDENT + line


def after(screen: Screen, result: ScanResult, *, report: str | None) -> Iterator[str]:
    """What is said below the table: the rest, the report, what was left out, what to do next."""
    more = result.groups_total - len(result.groups)
    if more or report:
        told = [f"… {count_of(more, 'more group')}"] if more else []
        told += [f"full report:  {screen.typed(report)}"] if report else []
        yield "  " + "    ".join(told)
    yield from left_out(result)
    unknown = (g for g in result.groups if g.kind is GroupKind.FOLDER and g.ref is None)
    if (first := next(unknown, None)) is not None:
        yield f"Next:  datacat add {screen.typed(first.paths[0].path)}{_named(first)}"


def _named(group: CopyGroup) -> str:
    """`--name echo` where the folder's own name would not do."""
    base = os.path.basename(group.paths[0].path)
    try:
        name = normalise_name(base)
    except InvalidInput:
        return " --name my-dataset"
    return f" --name {name}" if name != base else ""


def left_out(result: ScanResult) -> Iterator[str]:
    """A line for each reason why something was not looked at."""
    for found, said in (
        (result.unreadable, "cannot be read"),
        (result.changed, "changed meanwhile"),
        (result.other_file_systems, "on other file systems"),
    ):
        if found.count:
            yield f"  left out: {_some(found)} ({found.count:,} {said})"
    for store in result.stores:
        yield f"  left out: the store {printable(store)}"


def _some(found: LeftOut) -> str:
    names = ", ".join(printable(path) for path in found.first[:NAMED_MAX])
    return f"{names}, …" if found.count > NAMED_MAX else names
