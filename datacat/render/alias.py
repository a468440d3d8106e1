"""What `alias` says: where an alias points now, and where it pointed before."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from datacat.model import AliasChange, AliasInfo
from datacat.render.listing import short_version
from datacat.render.table import Column, print_table
from datacat.render.terminal import Screen
from datacat.text import human_age, printable, rfc3339


def summary(change: AliasChange, *, now: datetime) -> str:
    """`cmr@gold → v4   (was v3, set by dana yesterday)`."""
    name, before = f"{change.name}@{change.alias}", change.previous
    by = f"set by {printable(before.set_by)} {human_age(before.set_at, now)}" if before else ""
    was = f"   (was {short_version(before.ref)}, {by})" if before else ""
    if change.ref is None:
        return f"There is no {name} any more.{was}"
    if not change.changed:
        return f"{name} → {short_version(change.ref)} already, {by}."
    return f"{name} → {short_version(change.ref)}{was}"


def print_aliases(screen: Screen, aliases: Sequence[AliasInfo]) -> None:
    """The aliases of one dataset."""
    columns: list[Column[AliasInfo]] = [
        Column("ALIAS", lambda a: a.alias),
        Column("VERSION", lambda a: short_version(a.ref)),
        Column("SET BY", lambda a: a.set_by, spare=1),
        Column(
            "WHEN", lambda a: human_age(a.set_at, screen.now), lambda a: rfc3339(a.set_at), spare=2
        ),
    ]
    if aliases or not screen.answer_tty:
        print_table(screen, columns, aliases)
