"""`datacat init`: create the team's store, or join it."""

from __future__ import annotations

import os
import shlex
from typing import TYPE_CHECKING

import click

from datacat.address import is_url
from datacat.cli.command import Command
from datacat.cli.invocation import Invocation
from datacat.errors import Refused

if TYPE_CHECKING:
    from datacat.model import InitResult
    from datacat.store import Store

ABOUT = """\
An empty or new folder becomes a store; a folder that is a store is joined. Either way it is
remembered as yours. --link, --layout, --digest and --trash-days are fixed for the team then.
"""
EXAMPLES = (
    ("datacat init /shared/datacat", "make it, or join it"),
    ("datacat init /shared/datacat --group imaging", "for that group"),
)


@click.command(cls=Command, name="init", about=ABOUT, examples=EXAMPLES)
@click.argument("place", metavar="PATH|URL")
@click.option("--name", metavar="NAME", help="What the store is called; the folder's name if not.")
@click.option("--description", default="", metavar="TEXT", help="What the store is for.")
@click.option("--group", metavar="GROUP", help="The group of people who may write to it.")
@click.option(
    "--link",
    type=click.Choice(["auto", "symlink", "hardlink", "copy"]),
    help="How pull puts files in place, for the whole team.",
)
@click.option(
    "--layout",
    type=click.Choice(["auto", "whole", "chunked"]),
    default="auto",
    help="How larger files are kept: to be linked, or to share their pieces.",
)
@click.option(
    "--digest",
    type=click.Choice(["blake3", "xxh3-128", "sha256"]),
    default="blake3",
    help="What content is named by.",
)
@click.option(
    "--trash-days",
    type=click.IntRange(0, 36_500),
    default=30,
    metavar="N",
    help="How long what is removed can be restored.",
)
@click.option("-y", "--yes", is_flag=True, help="Use it although another store is configured.")
@click.pass_obj
def command(
    run: Invocation,
    *,
    place: str,
    name: str | None,
    description: str,
    group: str | None,
    link: str | None,
    layout: str,
    digest: str,
    trash_days: int,
    yes: bool,
) -> int:
    from datacat.cli.place import absolute, check_new, synced_by
    from datacat.front import is_store, make_client
    from datacat.model import Layout, LinkMode, Parameters
    from datacat.render import shapes
    from datacat.render.init import summary
    from datacat.store import Store

    place = absolute(place, home=str(run.surroundings.home))
    is_local = not is_url(place)
    options = run.settings.store_options
    exists = is_store(place, options)
    if is_local and not exists:
        check_new(place)
    if not _may_switch(run, place, yes):
        run.screen.note("Nothing was changed.")
        return 0
    if is_local and (cloud := synced_by(place)):
        run.screen.warn(
            f"{place} is in a folder that {cloud} synchronises; a store there can be damaged"
        )
    client = make_client(run.settings)
    if exists:
        store = Store.open(place, client=client, options=options)
    else:
        store = Store.create(
            place,
            name=name,
            description=description,
            group=group,
            parameters=Parameters(digest=digest, layout=Layout(layout)),
            link=LinkMode(link) if link else LinkMode.AUTO,
            trash_days=trash_days,
            client=client,
            options=options,
        )
    run.interrupts.also(store.interrupt)
    try:
        result = _result(store, place, created=not exists)
    finally:
        store.close()
    remembered = _remember(run, place)
    screen, user = run.screen, run.settings.user
    if screen.json:
        screen.document(shapes.joined(result, user=user))
        return 0
    activity = run.settings.activity
    screen.note(
        *summary(result, screen=screen, user=user, remembered=remembered, activity=activity)
    )
    _say_if_overruled(run, place)
    screen.done(place)
    return 0


def _result(store: Store, place: str, *, created: bool) -> InitResult:
    from datacat.cli.place import writing_group
    from datacat.model import InitResult

    return InitResult(
        info=store.info,
        url=place,
        created=created,
        datasets=store.ls(limit=1).datasets_total,
        people=len(store.people()),
        group=writing_group(place),
    )


def _is_same(a: str, b: str) -> bool:
    are_folders = not (is_url(a) or is_url(b))
    return a == b or (are_folders and os.path.realpath(a) == os.path.realpath(b))


def _may_switch(run: Invocation, place: str, yes: bool) -> bool:
    """True when `place` may become this person's store. Raises `Refused` when nobody can say."""
    settings = run.settings
    if yes or run.given.store or settings.personal or _is_same(settings.store, place):
        return True
    source = run.screen.place(settings.sources["store"])
    known = f"another store is configured: {settings.store} (from {source})"
    if run.can_ask:
        typed = run.ask(f"{known[0].upper()}{known[1:]}. Use {place} from now on? [y/N] ")
        return (typed or "").lower() in ("y", "yes")
    raise Refused(known, kind="other_store", commands=[f"datacat init {shlex.quote(place)} --yes"])


def _remember(run: Invocation, place: str) -> str | None:
    """Write the store into the user's settings; the file, or None when it says so already."""
    from datacat.config import set_value

    file = run.surroundings.user_file
    said_there = run.settings.sources["store"] == str(file)
    if run.given.no_config or (said_there and _is_same(run.settings.store, place)):
        return None
    set_value(file, "store", place)
    return str(file)


def _say_if_overruled(run: Invocation, place: str) -> None:
    """A variable or a project file goes before the user's settings: say so, or nobody knows."""
    from datacat.config import gather

    now = gather(run.surroundings, files=not run.given.no_config)
    if not now.personal and not _is_same(now.store, place):
        source = run.screen.place(now.sources["store"])
        run.screen.warn(f"{source} names another store and goes first: {now.store}")
