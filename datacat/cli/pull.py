"""`datacat pull`: get a version onto this machine."""

from __future__ import annotations

import click

from datacat.cli.command import Command
from datacat.cli.invocation import Invocation
from datacat.config.keys import LINK_MODES

ABOUT = """\
REF is NAME, NAME@v3, NAME@alias or NAME@hash. PATTERNs choose files, written as in .gitignore
and quoted. Local changes are never overwritten. Run again, it goes on where it was stopped.

--link alone makes read-only links into the store instead of copies.
"""
EXAMPLES = (
    ("datacat pull cmr", "the newest version, into ./cmr"),
    ("datacat pull cmr@v3 labels/ '*.csv' -d data", "some of its files"),
)


class PullCommand(Command):
    """`--link` may stand alone: what follows it is its value only if it is a known word."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        explicit = []
        options_end = args.index("--") if "--" in args else len(args)
        for number, argument in enumerate(args):
            following = args[number + 1] if number + 1 < len(args) else ""
            alone = argument == "--link" and number < options_end and following not in LINK_MODES
            explicit.append("--link=symlink" if alone else argument)
        return super().parse_args(ctx, explicit)


@click.command(cls=PullCommand, name="pull", about=ABOUT, examples=EXAMPLES)
@click.argument("ref", metavar="REF")
@click.argument("patterns", nargs=-1, metavar="[PATTERN]...")
@click.option("-d", "--dest", metavar="DIR", help="Where to; ./NAME by default.")
@click.option("--link", type=click.Choice(LINK_MODES), help="How files are put in place.")
@click.option("--verify", is_flag=True, help="Read again what is there already.")
@click.option("-n", "--dry-run", is_flag=True, help="Say what would be done; touch nothing.")
@click.option(
    "-f", "--force", is_flag=True, help="Replace local changes; they are kept in .datacat/backup."
)
@click.pass_obj
def command(
    run: Invocation,
    *,
    ref: str,
    patterns: tuple[str, ...],
    dest: str | None,
    link: str | None,
    verify: bool,
    dry_run: bool,
    force: bool,
) -> None:
    from datacat.model import LinkMode
    from datacat.refs import parse
    from datacat.render import shapes
    from datacat.render.pull import summary
    from datacat.render.rename import now_called

    store = run.store
    with run.work() as work:
        result = store.pull(
            ref,
            patterns=patterns,
            dest=dest,
            link=LinkMode(link) if link else None,
            verify=verify,
            force=force,
            dry_run=dry_run,
            listener=work.listener,
            stop=work.stop,
        )
    screen = run.screen
    for warning in result.warnings:
        screen.warn(warning)
    if screen.json:
        screen.document(shapes.pulled(result))
        return
    screen.note(*now_called(ref, parse(result.ref).name))
    screen.note(*summary(result, screen=screen))
    screen.done(result.path)
