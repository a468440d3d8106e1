"""`datacat du`: what the store takes on disk, and what was saved."""

from __future__ import annotations

import click

from datacat.cli.command import Command
from datacat.cli.interrupt import STOPPED
from datacat.cli.invocation import Invocation

ABOUT = """\
LOGICAL is the size of all versions as files, ON DISK what they take together, and ONLY HERE what
deleting the dataset would free: what no other dataset shares with it.
"""
EXAMPLES = (
    ("datacat du", "what takes the space, and what was saved"),
    ("datacat du cmr", "what would deleting it free?"),
)


@click.command(cls=Command, name="du", about=ABOUT, examples=EXAMPLES)
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.pass_obj
def command(run: Invocation, *, names: tuple[str, ...]) -> None:
    from datacat.render import shapes
    from datacat.render.du import print_disk_use

    screen, store = run.screen, run.store
    with run.work(text=STOPPED) as work:
        use = store.du(names, listener=work.listener, stop=work.stop)
    if screen.json:
        screen.document(shapes.disk_use(use))
    else:
        print_disk_use(screen, use, place=store.url, only_datasets=bool(names))
