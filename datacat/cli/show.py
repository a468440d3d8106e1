"""`datacat show`: one dataset or version on one screen."""

from __future__ import annotations

import click

from datacat.cli.command import Command, Count
from datacat.cli.invocation import Invocation

ABOUT = "With -v the version's README is shown too."
EXAMPLES = (
    ("datacat show cmr", "the newest version, and the history"),
    ("datacat show cmr@v3", "one version: parameters, metrics, code"),
)
VERSIONS_SHOWN = 10


@click.command(cls=Command, name="show", about=ABOUT, examples=EXAMPLES)
@click.argument("ref", metavar="REF")
@click.option("--files", is_flag=True, help="List its files too.")
@click.option(
    "--versions",
    type=Count(),
    default=VERSIONS_SHOWN,
    metavar="N",
    help=f"List the newest N versions; {VERSIONS_SHOWN} by default.",
)
@click.pass_obj
def command(run: Invocation, *, ref: str, files: bool, versions: int) -> None:
    from datacat.render import shapes
    from datacat.render.listing import file_lines
    from datacat.render.rename import now_called
    from datacat.render.show import print_shown

    screen = run.screen
    shown = run.store.show(ref, versions=versions, readme=screen.json or screen.verbose > 0)
    if screen.json:
        document = shapes.shown(shown)
        if files:
            listed = run.noting(shown.version.ref, run.store.files(shown.version.ref))
            document["file_list"] = [shapes.file(file) for file in listed]
        screen.document(document)
        return
    screen.note(*now_called(ref, shown.dataset.name))
    print_shown(screen, shown)
    if files:
        screen.answer("")
        screen.answers_of(
            file_lines(screen, run.noting(shown.version.ref, run.store.files(shown.version.ref)))
        )
