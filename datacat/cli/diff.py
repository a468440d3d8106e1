"""`datacat diff`: what differs between two versions, or a folder and a version."""

from __future__ import annotations

import click

from datacat.cli.command import Command, Count
from datacat.cli.interrupt import STOPPED
from datacat.cli.invocation import Invocation

ABOUT = """\
A and B are versions, or folders written with a /. Without B, a folder is compared with its version
and a version with the newest; without both, this folder with its version. + is new, ~ changed,
- gone, > renamed.
"""
EXAMPLES = (
    ("datacat diff", "what did I change here?"),
    ("datacat diff cmr@v3 cmr@v4", "what is new in v4?"),
)


@click.command(cls=Command, name="diff", about=ABOUT, examples=EXAMPLES)
@click.argument("a", required=False, metavar="[A]")
@click.argument("b", required=False, metavar="[B]")
@click.option("--stat", is_flag=True, help="Only counts, by folder.")
@click.option("--names", is_flag=True, help="Only names, all of them.")
@click.option("--limit", type=Count(), metavar="N", help="At most N of each kind.")
@click.option("--exit-code", is_flag=True, help="Return 1 when something differs.")
@click.pass_obj
def command(
    run: Invocation,
    *,
    a: str | None,
    b: str | None,
    stat: bool,
    names: bool,
    limit: int | None,
    exit_code: bool,
) -> int:
    from datacat.render import shapes
    from datacat.render.diff import print_diff

    if stat and names:
        raise click.UsageError("--stat and --names exclude each other")
    store = run.store
    with run.work(text=STOPPED) as work:
        found = store.diff(
            a, b, details=not (stat or names), listener=work.listener, stop=work.stop
        )
    if run.screen.json:
        run.screen.document(shapes.diff(found))
    else:
        print_diff(run.screen, found, limit=limit, stat=stat, names=names)
    return int(exit_code and bool(found.changes))
