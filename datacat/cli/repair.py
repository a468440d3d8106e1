"""`datacat repair`: mend what is damaged in the store from good copies."""

from __future__ import annotations

import click

from datacat.cli.command import Command
from datacat.cli.interrupt import STOPPED
from datacat.cli.invocation import Invocation
from datacat.errors import Refused

ABOUT = """\
Reads the whole store and looks for good copies of what is damaged: in the store itself, in working
copies on this machine, in your cache, and where --from says. A plan first; every byte is compared
before it is put in place, and nothing is deleted. Returns 5 when something is lost.
"""
EXAMPLES = (
    ("datacat repair -n", "what is damaged, where a copy is"),
    ("datacat repair --from /backup/datacat", "also from another store"),
    ("datacat repair --from ./cmr --yes", "also from any folder"),
)
EXIT_LOST = 5


@click.command(cls=Command, name="repair", about=ABOUT, examples=EXAMPLES)
@click.option(
    "--from",
    "sources",
    multiple=True,
    metavar="STORE|PATH",
    help="Another store, or a folder, that may have good copies.",
)
@click.option("-n", "--dry-run", is_flag=True, help="Only say what would be done.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def command(run: Invocation, *, sources: tuple[str, ...], dry_run: bool, yes: bool) -> int:
    from datacat.model import Repair
    from datacat.render import shapes
    from datacat.render.repair import announced, mended

    screen, store = run.screen, run.store
    asked: list[Repair] = []
    with run.work(text=STOPPED) as work:

        def confirmed(plan: Repair) -> bool:
            work.pause()
            screen.note(*announced(plan))
            asked.append(plan)
            return _agreed(run, yes)

        result = store.repair(
            sources=sources,
            dry_run=dry_run,
            confirm=confirmed,
            listener=work.listener,
            stop=work.stop,
        )
    if screen.json:
        screen.document(shapes.repaired(result, dry_run=dry_run))
    else:
        if not asked:
            screen.note(*announced(result))
        screen.note(*mended(result, dry_run=dry_run))
    return EXIT_LOST if result.lost else 0


def _agreed(run: Invocation, yes: bool) -> bool:
    """Whether it shall be done. Raises `Refused` when nobody can say."""
    if yes:
        return True
    if run.can_ask:
        return (run.ask("Mend it? [y/N] ") or "").lower() in ("y", "yes")
    raise Refused(
        "repair changes the store, and nobody can be asked",
        kind="needs_yes",
        commands=["datacat repair --dry-run", "datacat repair --yes"],
    )
