"""How versions are listed: in `log NAME`, below `show`, and in `ls --tree`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial

from datacat.model import Changes, Scalar, Version
from datacat.render.add import scalar_text
from datacat.render.table import Column
from datacat.render.terminal import Screen
from datacat.text import human_age, rfc3339


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
            spare=3,
        ),
        Column("BY", lambda v: v.author, spare=4),
        *values,
    ]
    if with_changes:
        columns.append(Column("CHANGES", lambda v: changes_text(v.changes), spare=5))
    columns += [
        Column("MESSAGE", lambda v: v.message, flexible=True, spare=6),
        Column("ALIASES", lambda v: ", ".join(v.aliases), spare=1),
    ]
    return columns


def value_columns(
    versions: Iterable[Version], *, params: bool, metrics: bool
) -> list[Column[Version]]:
    """A column for each metric, then for each parameter, that any of the versions has."""
    listed = list(versions)
    columns: list[Column[Version]] = []
    if metrics:
        names = dict.fromkeys(key for v in listed for key in v.metrics)
        columns += [Column(name, partial(_metric, name)) for name in names]
    if params:
        names = dict.fromkeys(key for v in listed for key in v.params)
        columns += [Column(name, partial(_param, name), spare=2) for name in names]
    return columns


def _metric(name: str, version: Version) -> str:
    return _cell(version.metrics.get(name))


def _param(name: str, version: Version) -> str:
    return _cell(version.params.get(name))


def _cell(value: Scalar) -> str:
    return "" if value is None else scalar_text(value)
