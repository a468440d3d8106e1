"""What can be asked in SQL: every view, what a row of it is, and some questions to begin with."""

from __future__ import annotations

from datacat.catalog import schema
from datacat.render.table import Column, print_table
from datacat.render.terminal import Screen

_SHOWN = ("datasets", "files", "metrics")
"""Views whose example is shown below the list."""


def print_relations(screen: Screen) -> None:
    """List the views for people, and three questions that can be pasted."""
    views = schema.for_people()
    if screen.json:
        screen.document(
            [{"view": view.name, "row": view.describes, "example": view.example} for view in views]
        )
        return
    print_table(
        screen,
        [
            Column("VIEW", lambda view: view.name),
            Column("ONE ROW IS", lambda view: _what(view.describes), flexible=True),
        ],
        views,
    )
    screen.answers.flush()
    examples = {view.name: view.example.rstrip(";") for view in views}
    screen.note("", *(f'datacat sql "{examples[name]}"' for name in _SHOWN))
    screen.note("datacat sql \"from 'datacat://NAME@v1/FILE.csv' limit 5\"")


def _what(describes: str) -> str:
    """`one dataset …` of `One row is one dataset ….`"""
    return describes.removeprefix("One row is ").rstrip(".")
