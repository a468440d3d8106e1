"""`datacat clone`: make a second store with all that one holds."""

from __future__ import annotations

import click

from datacat.address import is_url
from datacat.cli.command import Command
from datacat.cli.invocation import Invocation

ABOUT = """\
NEW, an empty or new folder or URL, becomes a store of its own with the whole history of STORE: all
datasets, versions and aliases, and what is in the trash. Others may go on working in STORE. NEW is
no store before all of it is there; run again, an interrupted clone goes on.
"""
STOPPING = "Stopping… (run the same command to go on; until then there is no store)"
EXAMPLES = (
    ("datacat clone /shared/datacat s3://lab/datacat", "from the drive to a bucket"),
    ("datacat clone s3://lab/datacat /mnt/backup", "and back to a disk"),
)


@click.command(cls=Command, name="clone", about=ABOUT, examples=EXAMPLES)
@click.argument("place", metavar="STORE")
@click.argument("new", metavar="NEW")
@click.option("--name", metavar="NAME", help="What the new store is called; as the old one if not.")
@click.option("--group", metavar="GROUP", help="The group of people who may write to it.")
@click.option(
    "--option",
    "options",
    multiple=True,
    metavar="KEY=VALUE",
    help="How the new store is reached: endpoint, profile, region, account.",
)
@click.pass_obj
def command(
    run: Invocation,
    *,
    place: str,
    new: str,
    name: str | None,
    group: str | None,
    options: tuple[str, ...],
) -> None:
    from datacat.cli.arguments import parse_options
    from datacat.cli.place import absolute
    from datacat.render import shapes
    from datacat.render.copy import cloned

    screen = run.screen
    to = absolute(new, home=str(run.surroundings.home))
    given = parse_options(options) if options else run.settings.store_options
    with run.other_store(place, ()) as store, run.work(text=STOPPING) as work:
        result = store.clone(
            to,
            options=given,
            name=name,
            group=group,
            shared=is_url(to) or store.info.shared,
            interruptible=run.interrupts.also,
            listener=work.listener,
            stop=work.stop,
        )
    if screen.json:
        screen.document(shapes.cloned(result))
        return
    screen.note(*cloned(result, place=screen.place(to)))
    screen.done(to)
