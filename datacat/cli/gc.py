"""`datacat gc`: free the space of what was removed."""

from __future__ import annotations

import shlex

import click

from datacat.cli.command import Command, Count
from datacat.cli.interrupt import STOPPED
from datacat.cli.invocation import Invocation
from datacat.errors import Refused

ABOUT = """\
Frees what was in the trash for long enough (the store says how long, 30 days by default), and what
adds left that did not finish. It says what goes and asks first. What any version outside the trash
needs stays, also while others work.
"""
EXAMPLES = (
    ("datacat gc -n", "what could be freed?"),
    ("datacat gc --older-than 0d", "also what was removed a moment ago"),
    ("datacat gc --keep-last 3", "also retire old versions of my datasets"),
)


@click.command(cls=Command, name="gc", about=ABOUT, examples=EXAMPLES)
@click.option("--older-than", metavar="AGE", help="How long it must have been in the trash: 30d.")
@click.option(
    "--keep-last",
    type=Count(),
    metavar="N",
    help="Move all but the newest N versions of your datasets to the trash, unless needed.",
)
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.option("-n", "--dry-run", is_flag=True, help="Say what would be freed; free nothing.")
@click.pass_obj
def command(
    run: Invocation, *, older_than: str | None, keep_last: int | None, yes: bool, dry_run: bool
) -> None:
    from datacat.cli.arguments import parse_period
    from datacat.model import Collection
    from datacat.render import shapes
    from datacat.render.gc import announced, freed

    screen, store = run.screen, run.store
    period = parse_period("--older-than", older_than)

    def say(plan: Collection) -> None:
        screen.note(*announced(plan, now=screen.now, verbose=screen.verbose > 0))

    with run.work(text=STOPPED) as work:

        def confirmed(plan: Collection) -> bool:
            work.pause()
            say(plan)
            return _agreed(run, yes)

        result = store.gc(
            older_than=period,
            keep_last=keep_last,
            dry_run=dry_run,
            confirm=confirmed,
            listener=work.listener,
            stop=work.stop,
        )
    if screen.json:
        screen.document(shapes.collection(result, dry_run=dry_run))
        return
    if dry_run or result.is_empty:
        say(result)
    screen.note(*freed(result, dry_run=dry_run))


def _agreed(run: Invocation, yes: bool) -> bool:
    """Whether it shall be done. Raises `Refused` when nobody can say."""
    if yes:
        return True
    if run.can_ask:
        return (run.ask("Delete for good? [y/N] ") or "").lower() in ("y", "yes")
    raise Refused(
        "gc deletes for good, and nobody can be asked",
        kind="needs_yes",
        commands=[shlex.join(["datacat", "gc", "--dry-run"]), "datacat gc --yes"],
    )
