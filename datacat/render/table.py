"""Tables: aligned columns on a terminal, tab-separated values in a pipe.

On a terminal the columns that identify a row keep their width; only the one that holds free text
shrinks, and when even that is not enough, columns that can be spared go, the least needed first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from datacat.render.terminal import Screen
from datacat.text import cell_width, printable

Row = TypeVar("Row")
GAP = "  "
FLEXIBLE_MIN = 12
"""A text column narrower than this says nothing; another column goes instead."""
ELLIPSIS = "…"


@dataclass(frozen=True, slots=True)
class Column(Generic[Row]):
    """One column: how a cell is written for a person, and how for a program (`plain`).

    `spare` ranks columns that may be left out on a narrow terminal, the highest first; 0 stays.
    `flexible` marks the column that is cut to what is left of the line.
    """

    title: str
    person: Callable[[Row], str]
    plain: Callable[[Row], str] | None = None
    right: bool = False
    flexible: bool = False
    spare: int = 0

    def text(self, row: Row) -> str:
        return printable(self.person(row))

    def value(self, row: Row) -> str:
        return printable((self.plain or self.person)(row))


def print_table(
    screen: Screen,
    columns: Sequence[Column[Row]],
    rows: Iterable[Row],
    *,
    header: bool = True,
    indent: str = "",
) -> None:
    """Write `rows` to standard output in the form that suits what it is connected to.

    `header=False` leaves the titles out on a terminal; a pipe always gets them.
    """
    if screen.answer_tty:
        screen.answers_of(
            draw(columns, list(rows), screen=screen, header=header, indent=indent),
        )
    else:
        screen.answers_of(tab_separated(columns, rows))


def tab_separated(columns: Sequence[Column[Row]], rows: Iterable[Row]) -> Iterator[str]:
    """A line of titles, then a line for each row; a tab or newline in a cell is escaped."""
    yield "\t".join(column.title for column in columns)
    for row in rows:
        yield "\t".join(column.value(row) for column in columns)


def draw(
    columns: Sequence[Column[Row]],
    rows: Sequence[Row],
    *,
    screen: Screen,
    header: bool = True,
    indent: str = "",
) -> Iterator[str]:
    """The lines of an aligned table that fits the terminal."""
    cells = [[column.text(row) for column in columns] for row in rows]
    fitted = _fitted(columns, cells, available=screen.width - len(indent), header=header)
    shown = [i for i, width in enumerate(fitted) if width is not None]
    if header:
        titles = [column.title for column in columns]
        yield indent + screen.strong(_line(columns, fitted, titles, shown))
    for line in cells:
        yield indent + _line(columns, fitted, line, shown)


def left_out(columns: Sequence[Column[Row]], rows: Sequence[Row], *, screen: Screen) -> list[str]:
    """Titles of the columns that say something and that the terminal is too narrow for."""
    cells = [[column.text(row) for column in columns] for row in rows]
    fitted = _fitted(columns, cells, available=screen.width, header=True)
    return [
        column.title
        for i, column in enumerate(columns)
        if fitted[i] is None and any(line[i] for line in cells)
    ]


def _fitted(
    columns: Sequence[Column[Row]], cells: Sequence[Sequence[str]], *, available: int, header: bool
) -> list[int | None]:
    """The width of each column, None where it does not fit."""
    widths = [max((cell_width(line[i]) for line in cells), default=0) for i in range(len(columns))]
    if header:
        widths = [max(w, cell_width(c.title)) for w, c in zip(widths, columns, strict=True)]
    return fit(columns, widths, available)


def fit(columns: Sequence[Column[Row]], widths: Sequence[int], available: int) -> list[int | None]:
    """The width of each column on a line of `available` cells; None for one that is left out.

    A line can still be too long, when the columns that must stay need more: then it wraps.
    """
    fitted: list[int | None] = list(widths)
    while True:
        kept = [w for w in fitted if w is not None]
        excess = sum(kept) + len(GAP) * (len(kept) - 1) - available
        if excess <= 0:
            return fitted
        flexible = next((i for i, c in enumerate(columns) if c.flexible and fitted[i]), None)
        if flexible is not None:
            width = fitted[flexible] or 0
            if width - excess >= min(FLEXIBLE_MIN, width):
                fitted[flexible] = width - excess
                return fitted
        spare = [i for i, c in enumerate(columns) if c.spare and fitted[i] is not None]
        if not spare:
            if flexible is not None:
                fitted[flexible] = max(1, (fitted[flexible] or 0) - excess)
            return fitted
        fitted[max(spare, key=lambda i: columns[i].spare)] = None


def _line(
    columns: Sequence[Column[Row]],
    widths: Sequence[int | None],
    cells: Sequence[str],
    shown: Sequence[int],
) -> str:
    parts = []
    for i in shown:
        text = shorten(cells[i], widths[i] or 0)
        padding = " " * ((widths[i] or 0) - cell_width(text))
        parts.append(padding + text if columns[i].right else text + padding)
    return GAP.join(parts).rstrip()


def shorten(text: str, width: int) -> str:
    """`text` cut to `width` cells, with `…` for what is missing."""
    if cell_width(text) <= width:
        return text
    kept = ""
    room = width - 1
    for character in text:
        room -= cell_width(character)
        if room < 0:
            break
        kept += character
    return kept.rstrip() + ELLIPSIS if width > 0 else ""
