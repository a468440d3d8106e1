"""`datacat alias`: names that point to versions and can be moved."""

from __future__ import annotations

import click

from datacat.cli.command import Command
from datacat.cli.invocation import Invocation

ABOUT = """\
NAME ALIAS points the alias at the newest version, NAME@v4 ALIAS at that one; NAME alone lists
what there is. Everybody may move an alias: the answer says where it was, and so does the log.
"""
EXAMPLES = (
    ("datacat alias cmr@v4 gold", "from now on cmr@gold is v4"),
    ("datacat alias cmr", "where do the aliases of cmr point?"),
    ("datacat alias -D cmr@gold", "there is no gold any more"),
)


@click.command(cls=Command, name="alias", about=ABOUT, examples=EXAMPLES)
@click.argument("ref", metavar="NAME[@VERSION]")
@click.argument("alias", required=False, metavar="[ALIAS]")
@click.option("-D", "--delete", is_flag=True, help="Remove the alias NAME@ALIAS.")
@click.pass_obj
def command(run: Invocation, *, ref: str, alias: str | None, delete: bool) -> None:
    from datacat.render import shapes
    from datacat.render.alias import print_aliases, summary

    if delete and alias is not None:
        raise click.UsageError(f"to remove an alias, name it as one word: NAME@{alias}")
    screen = run.screen
    if alias is None and not delete:
        found = run.store.aliases(ref)
        if screen.json:
            screen.document([shapes.alias(one) for one in found])
        else:
            print_aliases(screen, found)
            if not found:
                screen.note("No aliases. Set one:  datacat alias NAME@v1 WORD")
        return
    change = run.store.unalias(ref) if alias is None else run.store.alias(ref, alias)
    if screen.json:
        screen.document(shapes.alias_change(change))
        return
    screen.note(summary(change, now=screen.now))
    screen.done(change.ref or change.name)
