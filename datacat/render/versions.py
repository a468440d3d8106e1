"""How versions are listed: in `log NAME`, below `show`, and in `ls --tree`."""

from __future__ import annotations

from collections.abc import Sequence

from datacat.model import Changes, Version
from datacat.render.table import Column
from datacat.render.terminal import Screen
from datacat.text import human_age, rfc3339

TITLES = ("VERSION", "WHEN", "BY", "CHANGES", "MESSAGE", "ALIASES")

SPARE_VALUES = 1_000
"""Ranks below this are for columns of values, which say more in a comparison than the rest."""


def changes_text(changes: Changes) -> str:
    """`+24 ~72`: only what there is; `=` when nothing differs from the base."""
    marks = (("+", changes.added), ("~", changes.modified), ("-", changes.removed))
    return " ".join(f"{mark}{count}" for mark, count in marks if count) or "="


def version_columns(
    screen: Screen, *, values: Sequence[Column[Version]] = (), with_changes: bool = True
) -> list[Column[Version]]:
    """The columns of a list of versions; `values` are those of parameters and metrics."""
    columns: list[Column[Version]] = [
        Column("VERSION", lambda v: f"v{v.number}"),
        Column(
            "WHEN",
            lambda v: human_age(v.created_at, screen.now),
            lambda v: rfc3339(v.created_at),
            spare=SPARE_VALUES + 3,
        ),
        Column("BY", lambda v: v.author, spare=SPARE_VALUES + 4),
        *values,
    ]
    if with_changes:
        columns.append(Column("CHANGES", lambda v: changes_text(v.changes), spare=SPARE_VALUES + 5))
    columns += [
        Column("MESSAGE", lambda v: v.message, flexible=True, spare=SPARE_VALUES + 6),
        Column("ALIASES", lambda v: ", ".join(v.aliases), spare=SPARE_VALUES + 1),
    ]
    return columns
