"""A table as HTML for a notebook, and as text: titles, rows, and how many more there are.

Whatever is in a cell is escaped; nothing needs a style sheet, a script or another request.
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass

from datacat.text import cell_width, count_of, printable

ROWS_SHOWN = 20

_CELL = 'style="text-align:left;padding:0 1em 0 0;vertical-align:top;white-space:pre-wrap"'
_NUMBER = 'style="text-align:right;padding:0 1em 0 0;vertical-align:top"'


@dataclass(frozen=True, slots=True)
class Page:
    """A heading, a table of which the first `ROWS_SHOWN` rows are shown, and what comes below.

    Cells are text as it came from people; `right` names the columns of numbers. `noun` is what a
    row is, for the line that counts the others.
    """

    heading: str
    titles: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    right: frozenset[str] = frozenset()
    noun: str = "row"
    total: int | None = None
    below: Sequence[str] = ()

    @property
    def more(self) -> str | None:
        """`… 480 more versions`, if there are more than are shown."""
        total = len(self.rows) if self.total is None else self.total
        left = total - min(len(self.rows), ROWS_SHOWN)
        return f"… {count_of(left, f'more {self.noun}')}" if left > 0 else None


def as_html(page: Page) -> str:
    """The page for a notebook."""

    def cells(tag: str, values: Sequence[str]) -> str:
        return "".join(
            f"<{tag} {_NUMBER if title in page.right else _CELL}>{_safe(value)}</{tag}>"
            for title, value in zip(page.titles, values, strict=True)
        )

    parts = [f"<div><strong>{_safe(page.heading)}</strong></div>"] if page.heading else []
    if page.rows:
        body = "".join(f"<tr>{cells('td', row)}</tr>" for row in page.rows[:ROWS_SHOWN])
        head = f"<thead><tr>{cells('th', page.titles)}</tr></thead>" if any(page.titles) else ""
        parts.append(f"<table>{head}<tbody>{body}</tbody></table>")
    parts += [f"<div>{_safe(line)}</div>" for line in (page.more, *page.below) if line]
    return f"<div>{''.join(parts)}</div>"


def as_text(page: Page) -> str:
    """The same for `print`."""
    shown = [[printable(cell) for cell in row] for row in page.rows[:ROWS_SHOWN]]
    titles = [printable(title) for title in page.titles]
    table = [titles, *shown] if shown and any(page.titles) else shown
    widths = [max(map(cell_width, column)) for column in zip(*table, strict=True)]
    lines = [printable(page.heading)] if page.heading else []
    for row in table:
        padded = (
            " " * (width - cell_width(cell)) + cell
            if title in page.right
            else cell + " " * (width - cell_width(cell))
            for title, cell, width in zip(page.titles, row, widths, strict=True)
        )
        lines.append("  ".join(padded).rstrip())
    lines += [printable(line) for line in (page.more, *page.below) if line]
    return "\n".join(lines)


def _safe(text: str) -> str:
    return html.escape(printable(text))
