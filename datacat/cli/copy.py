"""`datacat copy`: send versions to another store."""

from __future__ import annotations

import click

from datacat.cli.command import Command
from datacat.cli.invocation import Invocation

ABOUT = """\
REF is NAME, NAME@v3, NAME@alias or NAME@hash. Only what the other store does not have travels. A
version keeps its hash, message, author, time, params and metrics, and gets the next number there.
What arrived stays; run again, it goes on where it was stopped.

The other store is opened with your settings; --option gives it others, such as an endpoint.
"""
STOPPING = "Stopping… (run the same command to go on; nobody sees half a version)"
EXAMPLES = (
    ("datacat copy cmr@v3 --to s3://lab/datacat", "one version"),
    ("datacat copy cmr --to /mnt/archive --history", "all versions up to the newest"),
    ("datacat copy cmr labels --to /mnt/archive -n", "how much would travel?"),
)


@click.command(cls=Command, name="copy", about=ABOUT, examples=EXAMPLES)
@click.argument("refs", nargs=-1, required=True, metavar="REF...")
@click.option("--to", required=True, metavar="STORE", help="The other store: a folder or a URL.")
@click.option("--history", is_flag=True, help="All older versions as well.")
@click.option("--name", metavar="NAME", help="What the dataset is called there.")
@click.option(
    "--option",
    "options",
    multiple=True,
    metavar="KEY=VALUE",
    help="How the other store is reached: endpoint, profile, region, account.",
)
@click.option("-n", "--dry-run", is_flag=True, help="Say what would be sent; send nothing.")
@click.option("-f", "--force", is_flag=True, help="Also where something else is the newest.")
@click.pass_obj
def command(
    run: Invocation,
    *,
    refs: tuple[str, ...],
    to: str,
    history: bool,
    name: str | None,
    options: tuple[str, ...],
    dry_run: bool,
    force: bool,
) -> None:
    from datacat.render import shapes
    from datacat.render.copy import summary

    screen, store = run.screen, run.store
    with run.other_store(to, options) as other, run.work(text=STOPPING) as work:
        result = store.copy(
            refs,
            to=other,
            name=name,
            history=history,
            force=force,
            dry_run=dry_run,
            listener=work.listener,
            stop=work.stop,
        )
    if screen.json:
        screen.document(shapes.copied(result))
        return
    screen.note(*summary(result, place=screen.place(to)))
    for version in result.versions:
        if version.there is not None:
            screen.done(version.there)
