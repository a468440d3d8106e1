"""`datacat lineage`: what an output was made from, and what used it."""

from __future__ import annotations

import click

from datacat.cli.command import Command, Count
from datacat.cli.invocation import Invocation

ABOUT = """\
Follows what `add --from` recorded, in both directions. A `!` marks what deserves a look: two
versions of one dataset that both went in, a source that has a newer version, or one in the trash.
"""
EXAMPLES = (
    ("datacat lineage unet-cmr@v9", ""),
    ("datacat lineage cmr@v3 --down", "what has to be made again?"),
)


@click.command(cls=Command, name="lineage", about=ABOUT, examples=EXAMPLES)
@click.argument("ref", metavar="REF")
@click.option("--up", is_flag=True, help="Only what it was made from.")
@click.option("--down", is_flag=True, help="Only what was made from it.")
@click.option("--depth", type=Count(), metavar="N", help="At most N generations; all by default.")
@click.pass_obj
def command(run: Invocation, *, ref: str, up: bool, down: bool, depth: int | None) -> None:
    from datacat.refs import parse
    from datacat.render import shapes
    from datacat.render.lineage import print_lineage, remarks
    from datacat.render.rename import now_called

    if up == down:
        up = down = True
    found = run.store.lineage(ref, up=up, down=down, depth=depth)
    screen = run.screen
    if screen.json:
        screen.document(shapes.lineage(found))
        return
    screen.note(*now_called(ref, parse(found.ref).name))
    print_lineage(screen, found)
    screen.answers.flush()
    screen.note(*remarks(found, up=up, down=down, depth=depth))
