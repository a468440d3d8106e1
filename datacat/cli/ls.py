"""`datacat ls`: find datasets, list the files of a version, or find a file in all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from datacat.cli.command import Command, Count
from datacat.cli.invocation import Invocation

if TYPE_CHECKING:
    from datacat.model import Listing

ABOUT = """\
QUERY is looked for, in any case, in names, descriptions, tags, owners, aliases and the newest
message. With --files it is a version, NAME or NAME@v3, whose files are listed; or else a part of a
path, a pattern like '*.nii.gz' or the beginning of a hash, which is looked for in all versions.
"""
EXAMPLES = (
    ("datacat ls --tag cardiac --mine", ""),
    ("datacat ls --files cmr@v3", "the files of a version"),
    ("datacat ls --files mask.nii", "which versions have such a file?"),
)


@click.command(cls=Command, name="ls", about=ABOUT, examples=EXAMPLES)
@click.argument("query", required=False, metavar="[QUERY]")
@click.option("--mine", is_flag=True, help="Only datasets that you own.")
@click.option("--owner", metavar="U", help="Only datasets of this person.")
@click.option("--tag", "tags", multiple=True, metavar="T", help="Only datasets with this tag.")
@click.option("--since", metavar="AGE", help="Only what changed since 7d, 12h or 2026-11-01.")
@click.option("--files", is_flag=True, help="List the files of a version, or find files.")
@click.option(
    "--sort",
    metavar="KEY",
    help="name, updated, size or used (who looked last); :asc or :desc. Default: updated.",
)
@click.option("--wide", is_flag=True, help="More columns: files, who has copies, tags, aliases.")
@click.option("--tree", is_flag=True, help="Show the versions below each name.")
@click.option("--trash", is_flag=True, help="List what rm moved to the trash, by version.")
@click.option("--limit", type=Count(), metavar="N", help="At most N lines.")
@click.pass_obj
def command(
    run: Invocation,
    *,
    query: str | None,
    mine: bool,
    owner: str | None,
    tags: tuple[str, ...],
    since: str | None,
    files: bool,
    sort: str | None,
    wide: bool,
    tree: bool,
    trash: bool,
    limit: int | None,
) -> None:
    from datacat.cli.arguments import parse_since, parse_sort
    from datacat.render import shapes
    from datacat.render.listing import print_datasets, print_tree, totals
    from datacat.render.rename import now_called

    if trash and (files or tree or wide):
        raise click.UsageError("--trash and --files, --tree or --wide exclude each other")
    if files:
        _files(run, query, limit)
        return
    if mine and owner:
        raise click.UsageError("--mine and --owner exclude each other")
    screen = run.screen
    key, descending = parse_sort(sort)
    moment = parse_since(since, now=screen.now)
    listing = run.store.ls(
        query,
        owner=run.settings.user if mine else owner,
        tags=tags,
        since=moment,
        sort=key,
        descending=descending,
        limit=limit,
        trash=trash,
        in_use=wide or screen.json,
    )
    filtered = bool(query or mine or owner or tags or since or limit)
    if trash:
        _trash(run, listing, filtered=filtered)
        return
    versions = {d.name: run.store.versions(d.name) for d in listing.datasets} if tree else {}
    if screen.json:
        screen.document(
            [
                {
                    **shapes.dataset(d),
                    **(
                        {"version_list": [shapes.version(v) for v in versions[d.name]]}
                        if tree
                        else {}
                    ),
                }
                for d in listing.datasets
            ]
        )
        return
    if query and listing.renamed:
        screen.note(*now_called(query, listing.renamed))
    if tree:
        print_tree(screen, listing.datasets, versions)
    else:
        print_datasets(screen, listing.datasets, wide=wide)
    screen.answers.flush()
    screen.note(totals(listing, place=run.store.url, query=query, filtered=filtered))


def _files(run: Invocation, query: str | None, limit: int | None) -> None:
    """The files of one version, or those that are looked for in all versions, as they come."""
    from itertools import islice

    from datacat.render import shapes
    from datacat.render.listing import file_lines, json_array

    if query is None:
        raise click.UsageError(
            "--files needs a version or what to look for, for example:  datacat ls --files cmr@v3"
        )
    if not run.store.names_dataset(query):
        _found(run, query, limit)
        return
    found = islice(run.noting(query, run.store.files(query)), limit)
    if run.screen.json:
        run.screen.answers_of(json_array(shapes.file(file) for file in found))
    else:
        run.screen.answers_of(file_lines(run.screen, found))


def _found(run: Invocation, query: str, limit: int | None) -> None:
    """Which versions have such a file."""
    from datacat.cli.interrupt import STOPPED
    from datacat.render import shapes
    from datacat.render.listing import count_lines, found_lines, json_array
    from datacat.text import printable

    with run.work(text=STOPPED) as work:
        found = run.store.find_files(query, limit=limit, listener=work.listener, stop=work.stop)
        if run.screen.json:
            run.screen.answers_of(json_array(shapes.found_file(file) for file in found))
        elif not count_lines(run.screen, found_lines(run.screen, found)):
            run.screen.note(f"No file of any version matches '{printable(query)}'.")


def _trash(run: Invocation, listing: Listing, *, filtered: bool) -> None:
    """What can be restored, version by version."""
    from datacat.render import shapes
    from datacat.render.trash import print_trash, trash_total

    screen, store = run.screen, run.store
    found = {dataset.name: store.trash(dataset.name) for dataset in listing.datasets}
    if screen.json:
        screen.document(
            [
                {**shapes.dataset(d), "version_list": [shapes.version(v) for v in found[d.name]]}
                for d in listing.datasets
            ]
        )
        return
    versions = [version for name in found for version in found[name]]
    print_trash(screen, versions, days=store.info.trash_days)
    screen.answers.flush()
    screen.note(trash_total(versions, filtered=filtered))
