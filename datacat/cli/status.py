"""`datacat status`: what a local folder is, and whether it changed."""

from __future__ import annotations

import click

from datacat.cli.command import Command
from datacat.cli.interrupt import STOPPED
from datacat.cli.invocation import Invocation

ABOUT = """\
Finds copies in the folder, above it and one level below. A folder that datacat did not make is
compared by its content with what the store has.
"""
EXAMPLES = (
    ("datacat status", "the copies around here"),
    ("datacat status ~/old/cmr_final_v2_new", "what is this folder?"),
)


@click.command(cls=Command, name="status", about=ABOUT, examples=EXAMPLES)
@click.argument("paths", nargs=-1, metavar="[PATH]...")
@click.option("--hash", "hash_all", is_flag=True, help="Read every file, whatever its date says.")
@click.option("--exit-code", is_flag=True, help="Return 1 when something changed.")
@click.pass_obj
def command(run: Invocation, *, paths: tuple[str, ...], hash_all: bool, exit_code: bool) -> int:
    from datacat.render import shapes
    from datacat.render.status import print_status

    store = run.store
    with run.work(text=STOPPED) as work:
        entries = store.status(
            paths or (".",), hash_all=hash_all, listener=work.listener, stop=work.stop
        )
    if run.screen.json:
        run.screen.document([shapes.status(entry) for entry in entries])
    else:
        print_status(run.screen, entries)
        if not entries:
            run.screen.note("No datacat copy here, above or one level below.")
    return int(exit_code and any(entry.state != "unchanged" for entry in entries))
