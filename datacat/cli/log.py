"""`datacat log`: the history of a dataset, or what the team did lately."""

from __future__ import annotations

import click

from datacat.cli.command import Command, Count
from datacat.cli.invocation import Invocation

ABOUT = """\
With NAME, its versions, the newest first. Without, what everybody did lately: saved, pulled,
changed, removed. Of each working copy the last pull is known.
--metrics shows metrics and parameters side by side, to compare runs, and marks the best.
"""
EXAMPLES = (
    ("datacat log --since 2d", "who is working on what?"),
    ("datacat log unet-cmr --metrics", "did the change help?"),
)
FEED_LINES = 50


@click.command(cls=Command, name="log", about=ABOUT, examples=EXAMPLES)
@click.argument("name", required=False, metavar="[NAME]")
@click.option("--params", is_flag=True, help="A column for each parameter.")
@click.option("--metrics", is_flag=True, help="A column for each metric and parameter.")
@click.option("--user", metavar="U", help="Only what this person did.")
@click.option("--since", metavar="AGE", help="Only what is newer than 7d, 12h or 2026-11-01.")
@click.option(
    "--limit",
    type=Count(),
    metavar="N",
    help=f"At most N lines; without NAME, {FEED_LINES} by default.",
)
@click.pass_obj
def command(
    run: Invocation,
    *,
    name: str | None,
    params: bool,
    metrics: bool,
    user: str | None,
    since: str | None,
    limit: int | None,
) -> None:
    from datacat.cli.arguments import parse_since
    from datacat.render import shapes
    from datacat.render.log import print_feed, print_versions
    from datacat.render.rename import now_called
    from datacat.render.runs import print_runs

    if (params or metrics) and name is None:
        raise click.UsageError("--params and --metrics need a NAME")
    screen = run.screen
    moment = parse_since(since, now=screen.now)
    if name is None:
        entries = run.store.log(user=user, since=moment, limit=limit or FEED_LINES)
        if screen.json:
            screen.document([shapes.log_entry(entry) for entry in entries])
        else:
            print_feed(screen, entries)
        found = len(entries)
    else:
        versions = run.store.log(name, user=user, since=moment, limit=limit)
        if screen.json:
            shape = shapes.runs(versions) if metrics else map(shapes.version, versions)
            screen.document([*shape])
        else:
            screen.note(*now_called(name, versions[0].name if versions else name))
            if params or metrics:
                print_runs(screen, versions, params=params, metrics=metrics)
            else:
                print_versions(screen, versions)
        found = len(versions)
    if not found:
        screen.note("Nothing yet." if not (user or since) else "Nothing matches.")
