"""`datacat rm`: move versions to the trash."""

from __future__ import annotations

import shlex

import click

from datacat.cli.command import Command
from datacat.cli.interrupt import STOPPED
from datacat.cli.invocation import Invocation
from datacat.errors import Refused

ABOUT = """\
REF is NAME@v3, or NAME for the dataset with all its versions; that asks first. Nothing is deleted:
restore brings it back until gc frees its space, after some weeks.

Refused without --force: what an alias points to, what another version was made from, what somebody
pulled in the last 30 days, and what is not yours.
"""
EXAMPLES = (
    ("datacat rm cmr@v2", "one version"),
    ("datacat rm echo-clips -n", "what would go, and what that would free?"),
)


@click.command(cls=Command, name="rm", about=ABOUT, examples=EXAMPLES)
@click.argument("names", nargs=-1, required=True, metavar="REF...")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.option("-n", "--dry-run", is_flag=True, help="Say what would be moved; move nothing.")
@click.option("-f", "--force", is_flag=True, help="Also what is still needed or not yours.")
@click.pass_obj
def command(
    run: Invocation, *, names: tuple[str, ...], yes: bool, dry_run: bool, force: bool
) -> None:
    from datacat.model import Removal
    from datacat.render import shapes
    from datacat.render.trash import question, removed

    screen, store = run.screen, run.store

    def confirmed(removal: Removal) -> bool:
        if yes or not removal.datasets:
            return True
        if run.can_ask:
            *lines, last = question(removal, days=store.info.trash_days)
            screen.note(*lines)
            return (run.ask(last) or "").lower() in ("y", "yes")
        raise Refused(
            f"{', '.join(removal.datasets)} would go with all versions",
            kind="needs_yes",
            commands=[shlex.join(["datacat", "rm", *names, "--yes"])],
        )

    if dry_run or screen.json:
        # To say what it frees takes a while; nobody is asked then.
        with run.work(text=STOPPED) as work:
            removal = store.rm(
                names,
                force=force,
                dry_run=dry_run,
                measure=True,
                confirm=confirmed,
                listener=work.listener,
                stop=work.stop,
            )
    else:
        removal = store.rm(names, force=force, confirm=confirmed)
    if screen.json:
        screen.document(shapes.removed(removal, dry_run=dry_run))
        return
    screen.note(*removed(removal, dry_run=dry_run))
    if removal.done:
        for name in removal.names:
            screen.done(name)
