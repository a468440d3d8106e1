"""`datacat restore`: bring versions back from the trash."""

from __future__ import annotations

import click

from datacat.cli.command import Command
from datacat.cli.invocation import Invocation

ABOUT = """\
REF is NAME@v3, or NAME for all of a dataset that is in the trash: datacat ls --trash lists it.
What gc has freed is gone for good.
"""
EXAMPLES = (
    ("datacat restore echo-clips", "all its versions that are in the trash"),
    ("datacat restore cmr@v2", "one version"),
)


@click.command(cls=Command, name="restore", about=ABOUT, examples=EXAMPLES)
@click.argument("names", nargs=-1, required=True, metavar="REF...")
@click.pass_obj
def command(run: Invocation, *, names: tuple[str, ...]) -> None:
    from datacat.render import shapes
    from datacat.render.trash import restored

    screen = run.screen
    result = run.store.restore(names)
    if screen.json:
        screen.document(shapes.restored(result))
        return
    screen.note(*restored(result))
    for version in result.versions:
        screen.done(version.ref)
