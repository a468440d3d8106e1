"""What a notebook shows of answers, of the beginnings of files, and of what commands did."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any

from datacat.inside.answer import Answer, AnswerColumn
from datacat.inside.preview import Preview
from datacat.model import (
    CheckState,
    Diagnosis,
    FoundFile,
    ScanResult,
    VerifyResult,
)
from datacat.render.answer import cell_text, is_number
from datacat.render.doctor import total
from datacat.render.head import rows_line
from datacat.render.pages import ROWS_SHOWN, Page
from datacat.render.scan import summary, what
from datacat.render.verify import damage_line, read_line
from datacat.sql import Row
from datacat.text import human_bytes, rfc3339

_SHOWN_OF_MANY = 3
_BYTES = "_bytes"


def _table(columns: Sequence[AnswerColumn], rows: Sequence[Row], below: Sequence[str]) -> Page:
    return Page(
        "",
        [column.name for column in columns],
        [[cell_text(value) for value in row] for row in rows[:ROWS_SHOWN]],
        frozenset(column.name for column in columns if is_number(column)),
        below=below,
    )


def _answer(answer: Answer) -> Page:
    if answer.closed:
        return Page(f"an answer that was read: {', '.join(answer.names)}")
    rows = answer.first(ROWS_SHOWN + 1)
    if not rows:
        return Page(f"no rows: {', '.join(answer.names)}")
    more = len(rows) > ROWS_SHOWN
    return _table(answer.columns, rows, ["… and more rows; rows() or df() gives all"] * more)


def _preview(seen: Preview) -> Page:
    where = f"{seen.ref}/{seen.path}" if seen.path else seen.ref
    if seen.tables:
        found = [[file.path, human_bytes(file.bytes)] for file in seen.tables[:ROWS_SHOWN]]
        heading = f"{where}: several tables, choose one"
        return Page(heading, ["PATH", "SIZE"], found, noun="table", total=len(seen.tables))
    if seen.columns:
        return _table(seen.columns, seen.rows, [rows_line(seen)])
    if seen.lines is not None:
        lines = [[line] for line in seen.lines[:ROWS_SHOWN]]
        below = [f"no table: {seen.problem}"] if seen.problem else []
        return Page(where, [""], lines, noun="line", total=len(seen.lines), below=below)
    return Page(f"{where}: {seen.kind}, {human_bytes(seen.bytes)}", below=[seen.pull])


def _scan(result: ScanResult) -> Page:
    rows = [
        [
            group.id,
            what(group),
            f"{group.copies:,}",
            human_bytes(group.bytes_each),
            human_bytes(group.wasted_bytes),
            "\n".join(place.path for place in group.paths[:_SHOWN_OF_MANY])
            + ("\n…" if group.paths_total > _SHOWN_OF_MANY else ""),
        ]
        for group in result.groups[:ROWS_SHOWN]
    ]
    titles = ["GROUP", "WHAT", "COPIES", "EACH", "WASTED", "WHERE"]
    right = frozenset({"COPIES", "EACH", "WASTED"})
    return Page(summary(result), titles, rows, right, "group", result.groups_total)


def _verified(result: VerifyResult) -> Page:
    if result.ok:
        return Page(f"{result.target}: {read_line(result)}: all as saved")
    bad = [*result.damaged, *result.missing]
    rows = [[damage_line(one)] for one in bad[:ROWS_SHOWN]]
    heading = f"{result.target}: {read_line(result)}, {len(bad):,} damaged or missing"
    return Page(heading, [""], rows, noun="file", total=len(bad))


def _diagnosis(found: Diagnosis) -> Page:
    rows = [
        [one.id, one.state.value, one.message, one.fix or ""]
        for one in sorted(found.checks, key=lambda one: _WORST.index(one.state))
    ]
    return Page(total(found), ["CHECK", "STATE", "MESSAGE", "FIX"], rows, noun="check")


_WORST = (CheckState.FAIL, CheckState.NOTE, CheckState.OK)


def found_files(found: Sequence[FoundFile]) -> Page:
    """Files of datasets, and which versions have them."""
    rows = [
        [one.name, one.path, human_bytes(one.bytes), ", ".join(f"v{n}" for n in one.versions)]
        for one in found[:ROWS_SHOWN]
    ]
    titles = ["NAME", "PATH", "SIZE", "IN"]
    return Page("", titles, rows, frozenset({"SIZE"}), "file", len(found))


def facts(value: Any) -> Page:
    """Any other fact: a line for each of its parts that says something."""
    said = [(one.name, getattr(value, one.name)) for one in fields(value)]
    rows = [[name.replace("_", " "), _said(name, part)] for name, part in said]
    return Page(type(value).__name__, ["", ""], [row for row in rows if row[1]])


def fact_rows(values: Sequence[Any]) -> Page:
    """Facts of one kind: a row for each, a column for each part."""
    names = [one.name for one in fields(values[0])]
    rows = [[_said(name, getattr(one, name)) for name in names] for one in values[:ROWS_SHOWN]]
    return Page("", [name.replace("_", " ").upper() for name in names], rows, total=len(values))


def _said(name: str, value: Any) -> str:
    if value is None or value == () or value is False:
        return ""
    if value is True:
        return "yes"
    if isinstance(value, int):
        return human_bytes(value) if name.endswith(_BYTES) or name == "bytes" else f"{value:,}"
    if isinstance(value, datetime):
        return rfc3339(value)
    if isinstance(value, tuple):
        first = ", ".join(_said("", one) for one in value[:_SHOWN_OF_MANY])
        left = len(value) - _SHOWN_OF_MANY
        return f"{first}, … {left:,} more" if left > 0 else first
    named = getattr(value, "ref", None) or getattr(value, "name", None)
    return str(named or getattr(value, "path", None) or value)


PAGES: dict[type, Callable[[Any], Page]] = {
    Answer: _answer,
    Preview: _preview,
    ScanResult: _scan,
    VerifyResult: _verified,
    Diagnosis: _diagnosis,
}
