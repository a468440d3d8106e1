"""What `head` shows of a file."""

from __future__ import annotations

from datacat.inside.preview import Preview
from datacat.render import shapes
from datacat.render.answer import cell_value, default_form, print_answer
from datacat.render.listing import file_lines
from datacat.render.terminal import Screen
from datacat.text import count_of, human_bytes, printable, sentence


def print_preview(screen: Screen, seen: Preview) -> None:
    """The rows, the lines, the tables to choose from, or one line about the file."""
    if seen.tables:
        screen.answers_of(file_lines(screen, seen.tables))
        screen.answers.flush()
        screen.note(f"Several tables. Choose one:  datacat head {seen.ref}/PATH")
    elif seen.columns:
        print_answer(screen, seen.columns, seen.rows, form=default_form(screen))
        screen.note(rows_line(seen))
    elif seen.lines is not None:
        screen.answers_of(_shown(line) for line in seen.lines)
        screen.answers.flush()
        if not seen.lines:
            screen.note(f"{printable(seen.path)} is empty.")
        if seen.problem is not None:
            screen.note(f"Shown as text, for it is no table: {printable(sentence(seen.problem))}")
    else:
        screen.answer(
            f"{printable(seen.path)}: {seen.kind}, {human_bytes(seen.bytes)}. Pull it:  {seen.pull}"
        )


def preview_document(seen: Preview) -> object:
    """The same for a program: a list of rows, of lines, of files, or what kind of file it is."""
    if seen.tables:
        return [shapes.file(file) for file in seen.tables]
    if seen.columns:
        names = [column.name for column in seen.columns]
        return [dict(zip(names, map(cell_value, row), strict=True)) for row in seen.rows]
    if seen.lines is not None:
        return [{"line": number, "text": text} for number, text in enumerate(seen.lines, 1)]
    return {"path": seen.path, "kind": seen.kind, "bytes": seen.bytes}


def rows_line(seen: Preview) -> str:
    """How many rows there are, and how many of them are shown."""
    columns = count_of(len(seen.columns), "column")
    count = len(seen.rows)
    if seen.rows_total is not None:
        total = count_of(seen.rows_total, "row")
        return f"{total if count == seen.rows_total else f'{count:,} of {total}'}, {columns}"
    return f"the first {count_of(count, 'row')}, {columns}" if seen.more else f"{count:,} rows"


def _shown(line: str) -> str:
    """A line of a text: only its tabs are left as they are."""
    return "\t".join(map(printable, line.split("\t")))
