"""`datacat rename`: a new name for a dataset."""

from __future__ import annotations

import click

from datacat.cli.command import Command
from datacat.cli.invocation import Invocation

ABOUT = """\
The old name keeps finding the dataset: in commands, in working copies and in what was made from
it. So nobody else can take it.
"""
EXAMPLES = (("datacat rename cmr cmr-ukb", ""),)


@click.command(cls=Command, name="rename", about=ABOUT, examples=EXAMPLES)
@click.argument("old", metavar="OLD")
@click.argument("new", metavar="NEW")
@click.option("-f", "--force", is_flag=True, help="Also if you neither own nor made it.")
@click.pass_obj
def command(run: Invocation, *, old: str, new: str, force: bool) -> None:
    from datacat.render import shapes
    from datacat.render.rename import summary

    result = run.store.rename(old, new, force=force)
    screen = run.screen
    if screen.json:
        screen.document(shapes.renamed(result))
        return
    screen.note(summary(result))
    screen.done(result.new)
