"""`datacat verify`: read stored or local files again and compare them with their hashes."""

from __future__ import annotations

import click

from datacat.cli.command import Command
from datacat.cli.interrupt import STOPPED
from datacat.cli.invocation import Invocation

ABOUT = """\
A target is a version, or a pulled folder written with a /. Without one it is the copy that we are
in, else the whole store, as with --all. What was interrupted goes on where it stopped. Returns 5
when something is damaged.
"""
EXAMPLES = (
    ("datacat verify cmr@v4", "every stored byte of one version"),
    ("datacat verify ./cmr", "the files of this copy"),
    ("datacat verify --all --sample 5", "a twentieth of everything"),
    ("datacat verify --level files", "is every file there, with its size"),
)
EXIT_DAMAGED = 5


@click.command(cls=Command, name="verify", about=ABOUT, examples=EXAMPLES)
@click.argument("targets", nargs=-1, metavar="[REF|PATH]...")
@click.option(
    "--sample",
    type=click.FloatRange(min=0, max=100, min_open=True),
    metavar="PCT",
    help="Read only this share of the files, chosen at random.",
)
@click.option("--all", "everything", is_flag=True, help="Read every version of the store.")
@click.option(
    "--level",
    type=click.Choice(["log", "files", "content"]),
    default="content",
    help="How deep to look at the store; content reads all of it.",
)
@click.option("--restart", is_flag=True, help="Also read what an interrupted verify has read.")
@click.pass_obj
def command(
    run: Invocation,
    *,
    targets: tuple[str, ...],
    sample: float | None,
    everything: bool,
    level: str,
    restart: bool,
) -> int:
    from datacat.model import VerifyLevel
    from datacat.render import shapes
    from datacat.render.verify import print_verified

    if targets and everything:
        raise click.UsageError("--all and a target exclude each other")
    store = run.store
    with run.work(text=STOPPED) as work:
        results = store.verify(
            targets,
            sample=sample,
            everything=everything,
            level=VerifyLevel(level),
            restart=restart,
            listener=work.listener,
            stop=work.stop,
        )
    if run.screen.json:
        run.screen.document(shapes.verified(results))
    else:
        print_verified(run.screen, results)
    return 0 if all(result.ok for result in results) else EXIT_DAMAGED
