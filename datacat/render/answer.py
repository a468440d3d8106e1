"""The answer to a question in SQL, and the rows of a table, in every form that can be asked for.

Rows are written as they come: only `table` looks at the first ones before it writes, to know how
wide its columns are.
"""

from __future__ import annotations

import csv
import io
import itertools
import json
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal

from datacat.inside.answer import AnswerColumn
from datacat.render.table import ELLIPSIS, GAP, shorten
from datacat.render.terminal import Screen, as_json
from datacat.sql import Row
from datacat.text import cell_width, printable

FORMATS = ("table", "tsv", "csv", "json", "jsonl", "md")

MEASURED_ROWS = 1_000
"""Rows that decide how wide the columns of a table are; a longer cell further down is cut."""

CELL_WIDTH_MAX = 100
CELL_WIDTH_MIN = 8
_NUMBERS = ("INT", "DOUBLE", "FLOAT", "DECIMAL", "REAL")
_EXPLAINED = ("explain_key", "explain_value")

Columns = Sequence[AnswerColumn]


def print_answer(screen: Screen, columns: Columns, rows: Iterable[Row], *, form: str) -> int:
    """Write rows to standard output as `form`, one of `FORMATS`; how many there were."""
    count = 0

    def counted() -> Iterator[Row]:
        nonlocal count
        for count, row in enumerate(rows, 1):  # noqa: B007 - counted for who called
            yield row

    explained = tuple(column.name for column in columns) == _EXPLAINED
    writer = _plan if explained and form in ("table", "tsv") else _WRITERS[form]
    screen.answers_of(writer(screen, columns, counted()))
    screen.answers.flush()
    return count


def default_form(screen: Screen) -> str:
    """What suits the place where the answer goes."""
    return "json" if screen.json else "table" if screen.answer_tty else "tsv"


# Cells


def cell_text(value: object) -> str:
    """A value for a person, not yet escaped. Nothing at all for null."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:.15g}" if math.isfinite(value) else str(value)
    if isinstance(value, (list, tuple, dict)):
        return json.dumps(cell_value(value), ensure_ascii=False, allow_nan=False)
    found = cell_value(value)
    return found if isinstance(found, str) else str(value)


def cell_value(value: object) -> object:  # noqa: PLR0911 - one for each type
    """A value as JSON knows it: bytes in hex, moments in RFC 3339, what is not finite as text."""
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value).hex()
    if isinstance(value, datetime):
        return value.isoformat(sep="T").replace("+00:00", "Z")
    if isinstance(value, (date, time)):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, (list, tuple)):
        return [cell_value(one) for one in value]
    if isinstance(value, dict):
        return {str(key): cell_value(one) for key, one in value.items()}
    return str(value)


# Forms


def _json(_screen: Screen, columns: Columns, rows: Iterable[Row]) -> Iterator[str]:
    """A JSON array, an object on each line, without ever holding all of it."""
    line = "["
    for number, text in enumerate(_jsonl(_screen, columns, rows)):
        yield line if not number else f"{line},"
        line = text
    if line != "[":
        yield line
        line = ""
    yield f"{line}]"


def _jsonl(_screen: Screen, columns: Columns, rows: Iterable[Row]) -> Iterator[str]:
    names = [column.name for column in columns]
    for row in rows:
        yield as_json(dict(zip(names, map(cell_value, row), strict=True)))


def _tsv(_screen: Screen, columns: Columns, rows: Iterable[Row]) -> Iterator[str]:
    yield "\t".join(printable(column.name) for column in columns)
    for row in rows:
        yield "\t".join(printable(cell_text(value)) for value in row)


def _csv(screen: Screen, columns: Columns, rows: Iterable[Row]) -> Iterator[str]:
    """RFC 4180. What is piped is data and stays as it is; on a terminal it is made printable."""
    shown: Callable[[str], str] = printable if screen.answer_tty else str
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="")
    head = [column.name for column in columns]
    for row in itertools.chain([head], rows):
        writer.writerow([shown(cell_text(value)) for value in row])
        yield buffer.getvalue()
        buffer.seek(0)
        buffer.truncate()


def _md(_screen: Screen, columns: Columns, rows: Iterable[Row]) -> Iterator[str]:
    def line(cells: Iterable[str]) -> str:
        return f"| {' | '.join(cells)} |"

    def shown(text: str) -> str:
        escaped = printable(text).replace("\\", "\\\\").replace("|", "\\|")
        return escaped.replace("<", "&lt;").replace("`", "\\`").replace("[", "\\[")

    yield line(shown(column.name) for column in columns)
    yield line("---:" if is_number(column) else "---" for column in columns)
    for row in rows:
        yield line(shown(cell_text(value)) for value in row)


def _plan(_screen: Screen, _columns: Columns, rows: Iterable[Row]) -> Iterator[str]:
    """What EXPLAIN answers is a drawing."""
    for row in rows:
        yield from (printable(line) for line in str(row[-1]).splitlines())


def _table(screen: Screen, columns: Columns, rows: Iterable[Row]) -> Iterator[str]:
    coming = iter(rows)
    first = [_cells(row) for row in itertools.islice(coming, MEASURED_ROWS)]
    titles = [printable(column.name) for column in columns]
    widths = [
        min(CELL_WIDTH_MAX, max(map(cell_width, cells)))
        for cells in zip(*[titles, *first], strict=True)
    ]
    if screen.answer_tty:
        widths = _fitted(widths, screen.width)
    right = [is_number(column) for column in columns]
    yield screen.strong(_line(titles, widths, right))
    for cells in itertools.chain(first, map(_cells, coming)):
        yield _line(cells, widths, right)


def _cells(row: Row) -> list[str]:
    # What is cut to a hundred characters need not be escaped to its end.
    return [printable(cell_text(value)[: CELL_WIDTH_MAX + 1]) for value in row]


def _fitted(widths: list[int], available: int) -> list[int]:
    """The widest columns give way until the line fits, as far as they can be read then."""
    fitted = list(widths)
    excess = sum(fitted) + len(GAP) * (len(fitted) - 1) - available
    while excess > 0:
        widest = max(range(len(fitted)), key=lambda index: fitted[index])
        if fitted[widest] <= CELL_WIDTH_MIN:
            break
        second = max((w for i, w in enumerate(fitted) if i != widest), default=0)
        cut = min(excess, max(1, fitted[widest] - max(second, CELL_WIDTH_MIN)))
        fitted[widest] -= cut
        excess -= cut
    return fitted


def _line(cells: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> str:
    parts = []
    for text, width, at_right in zip(cells, widths, right, strict=True):
        shown = shorten(text, max(width, len(ELLIPSIS)))
        padding = " " * (width - cell_width(shown))
        parts.append(padding + shown if at_right else shown + padding)
    return GAP.join(parts).rstrip()


def is_number(column: AnswerColumn) -> bool:
    """Whether its values are numbers, which stand to the right."""
    return not column.type.endswith("]") and any(word in column.type for word in _NUMBERS)


_WRITERS: dict[str, Callable[[Screen, Columns, Iterable[Row]], Iterator[str]]] = {
    "table": _table,
    "tsv": _tsv,
    "csv": _csv,
    "json": _json,
    "jsonl": _jsonl,
    "md": _md,
}
