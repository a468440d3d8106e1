"""`datacat add`: save folders or files as versions."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from datacat.cli.command import Command
from datacat.cli.invocation import Invocation
from datacat.errors import InvalidInput

if TYPE_CHECKING:
    from datacat.model import AddResult, Better, Code, Layout, Scalar, Version

ABOUT = """\
The name is --name, else what the folder was pulled as, else the folder's own name. Content that
the store has is noticed, exactly or nearly, whatever it is called; only what is new takes space.
What a .datacatignore file lists is left out. PATH may be a URL (s3, https, sftp, hf, gs, az):
the files are read from there, and nothing is kept on this machine.

VALUES are numbers, true, false, null, or text; loss=0.2:min and dice=0.9:max also say which
values are good. --from takes a version or a pulled folder.
"""
EXAMPLES = (
    ('datacat add ./cmr -m "first import" --tag cardiac', ""),
    ("datacat add s3://my-bucket/raw/cmr", ""),
    ("datacat add runs/unet --name unet --from cmr@v3 --metric dice=0.91", ""),
)


@dataclass(frozen=True)
class Request:
    """What was asked for, the same for every path."""

    name: str | None
    message: str
    tags: tuple[str, ...]
    description: str | None
    alias: str | None
    sources: tuple[str, ...]
    params: dict[str, Scalar]
    metrics: dict[str, Scalar]
    better: dict[str, Better]
    new: bool
    new_version: bool
    only_here: bool
    force: bool
    dry_run: bool
    layout: Layout | None
    executor: str | None
    code: Code | None


@click.command(cls=Command, name="add", about=ABOUT, examples=EXAMPLES)
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@click.option("--name", metavar="NAME", help="The dataset to save to.")
@click.option("-m", "--message", default="", metavar="TEXT", help="What is new in this version.")
@click.option("--tag", "tags", multiple=True, metavar="T", help="A keyword to find it by.")
@click.option("--description", metavar="TEXT", help="What the dataset is.")
@click.option("--alias", metavar="A", help="Point this alias at the new version.")
@click.option(
    "--from", "sources", multiple=True, metavar="REF|PATH", help="What this was made from."
)
@click.option("--param", "params", multiple=True, metavar="K=V", help="A parameter of the run.")
@click.option("--metric", "metrics", multiple=True, metavar="K=V", help="A result of the run.")
@click.option("--params", "params_file", metavar="FILE", help="Parameters: JSON, TOML or YAML.")
@click.option("--metrics", "metrics_file", metavar="FILE", help="Results: JSON, TOML or YAML.")
@click.option("--new", is_flag=True, help="Save as a separate dataset, like others or not.")
@click.option("--new-version", is_flag=True, help="Make known content the newest version again.")
@click.option(
    "--only-here", is_flag=True, help="Drop files of the version that this copy does not hold."
)
@click.option("--whole", is_flag=True, help="Keep files whole: they can be linked, not shared.")
@click.option("--chunked", is_flag=True, help="Keep files in pieces: only new pieces are stored.")
@click.option(
    "--executor", metavar="E", help="Where the work is done: threads, or dask://HOST:8786."
)
@click.option("-n", "--dry-run", is_flag=True, help="Say what would be saved; save nothing.")
@click.option("-f", "--force", is_flag=True, help="Save although someone saved a newer version.")
@click.pass_obj
def command(
    run: Invocation,
    *,
    paths: tuple[str, ...],
    name: str | None,
    message: str,
    tags: tuple[str, ...],
    description: str | None,
    alias: str | None,
    sources: tuple[str, ...],
    params: tuple[str, ...],
    metrics: tuple[str, ...],
    params_file: str | None,
    metrics_file: str | None,
    new: bool,
    new_version: bool,
    only_here: bool,
    whole: bool,
    chunked: bool,
    executor: str | None,
    dry_run: bool,
    force: bool,
) -> None:
    from datacat.cli.arguments import parse_metrics, parse_pairs, read_pairs
    from datacat.model import Layout
    from datacat.organise.code import describe
    from datacat.transfer.cluster import check_executor

    if whole and chunked:
        raise InvalidInput("--whole and --chunked contradict each other", kind="usage")
    if len(paths) > 1 and (name or alias):
        raise InvalidInput(
            f"{'--name' if name else '--alias'} fits one path, not {len(paths)}", kind="usage"
        )
    from_file = read_pairs("--params", params_file) if params_file else {}
    results_file = read_pairs("--metrics", metrics_file) if metrics_file else {}
    values, better = parse_metrics("--metric", metrics)
    request = Request(
        name=name,
        message=message,
        tags=tags,
        description=description,
        alias=alias,
        sources=sources,
        params=from_file | parse_pairs("--param", params),
        metrics=results_file | values,
        better=better,
        new=new,
        new_version=new_version,
        only_here=only_here,
        force=force,
        dry_run=dry_run,
        layout=Layout.WHOLE if whole else Layout.CHUNKED if chunked else None,
        executor=check_executor(executor) if executor else None,
        code=describe(os.getcwd()),
    )
    documents = [_add(run, path, request) for path in paths]
    if run.given.json:
        run.screen.document(documents[0] if len(documents) == 1 else documents)


def _add(run: Invocation, path: str, request: Request) -> dict[str, object]:
    """Save one path and say so; returns its JSON."""
    from datacat.providers.address import is_remote, shown_url
    from datacat.render import shapes
    from datacat.render.add import became_copy, summary
    from datacat.render.rename import now_called
    from datacat.render.similar import said_of_a_copy

    result, was_asked = _save(run, path, request)
    # What is said of it may be read by others: a token in a URL is not repeated.
    path = shown_url(path) if is_remote(path) else path
    screen = run.screen
    if result.declined:
        screen.note("Nothing was saved.")
        return shapes.added(result)
    for warning in result.warnings:
        screen.warn(warning)
    if became_copy(result) and not was_asked:
        screen.warn(said_of_a_copy(result.similar, ref=result.version.ref, dry_run=result.dry_run))
    earlier: list[Version] = []
    if result.created and result.version.metrics and not screen.json:
        earlier = run.store.versions(result.version.name)
    if result.renamed:
        screen.note(*now_called(result.renamed, result.version.name))
    screen.note(*summary(result, screen=screen, path=path, earlier=earlier))
    screen.done(result.version.ref)
    return shapes.added(result)


def _save(run: Invocation, path: str, request: Request) -> tuple[AddResult, bool]:
    """Save one path; says, too, whether the person was asked what to do with it."""
    from datacat.cli.question import SimilarQuestion

    store = run.store
    with run.work() as work:
        question = SimilarQuestion(run, work)
        result = store.add(
            path,
            name=request.name,
            message=request.message,
            tags=request.tags,
            description=request.description,
            alias=request.alias,
            sources=request.sources,
            params=request.params,
            metrics=request.metrics,
            better=request.better,
            new=request.new,
            new_version=request.new_version,
            only_here=request.only_here,
            force=request.force,
            dry_run=request.dry_run,
            layout=request.layout,
            executor=request.executor,
            code=request.code,
            decide=question.decide if run.can_ask else None,
            listener=work.listener,
            stop=work.stop,
        )
        return result, question.was_asked
