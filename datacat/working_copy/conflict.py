"""Someone else saved in between: what they changed, what you changed, what both changed."""

from __future__ import annotations

import os
import shlex
from datetime import datetime

from datacat.catalog.fold import Fold
from datacat.errors import Conflict
from datacat.manifest import diff
from datacat.sql import Workspace
from datacat.text import count_of, human_age, printable
from datacat.working_copy.target import Target

NAMED_MAX = 5


def conflict(workspace: Workspace, target: Target, *, path: str, now: datetime) -> Conflict:
    """The error for an add that would undo another person's version.

    Needs the relations `base_files`, `newest_files` and `entries`.
    """
    newest, base = target.newest, target.base
    if newest is None or base is None:
        raise ValueError("only a copy with a base can be overtaken")
    diff.compare(workspace, "base_files", "newest_files", into="theirs")
    diff.compare(workspace, "base_files", "entries", into="mine")
    (theirs,), (mine,) = (
        workspace.row("select count(*) from theirs"),
        workspace.row("select count(*) from mine"),
    )
    both = [
        row[0]
        for row in workspace.all(
            "select path from theirs semi join mine using (path) order by path"
        )
    ]
    who = newest.author
    # A bare word would mean the dataset of that name.
    spelled = path if path.startswith((".", "~")) or os.sep in path else f"./{path}"
    typed = shlex.quote(spelled)
    lines = [f"{who} changed {count_of(theirs, 'file')}, you changed {mine:,}"]
    if both:
        named = ", ".join(printable(name) for name in both[:NAMED_MAX])
        more = f", … {len(both) - NAMED_MAX:,} more" if len(both) > NAMED_MAX else ""
        lines.append(f"both changed {len(both):,}: {named}{more}")
    return Conflict(
        f"{who} saved {newest.ref} {human_age(newest.created_at, now)};"
        f" your copy started from {base.ref}.",
        kind="newer_version",
        hint=", ".join(lines),
        commands=[
            f"datacat diff {newest.ref} {typed}   (look)",
            f"datacat add {typed} --force   (save anyway, without {who}'s changes)",
        ],
    )


class OvertakenMeanwhileError(Exception):
    """Someone saved while this session uploaded: look again, to say who changed what."""


def overtaken_meanwhile(fold: Fold, target: Target, *, force: bool) -> None:
    """Raise `OvertakenMeanwhileError` if the dataset moved beyond the folder's base."""
    if target.base is None or force:
        return
    newest = fold.newest(target.name)
    if newest is not None and newest > target.base.number:
        raise OvertakenMeanwhileError
