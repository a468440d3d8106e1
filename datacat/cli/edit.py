"""`datacat edit`: change what is said of a dataset or of one version."""

from __future__ import annotations

import click

from datacat.cli.command import Command
from datacat.cli.invocation import Invocation

ABOUT = """\
Description, tags and owner are of the dataset; message, parameters and metrics of one version:
name it, as in cmr@v3. The content of a version never changes.

VALUES are numbers, true, false or text; null takes a value away. loss=0.2:min and dice=0.9:max
also say which values of that metric are good.
"""
EXAMPLES = (
    ("datacat edit cmr --tag ukb --owner dana", ""),
    ('datacat edit unet@v3 -m "augment rotations" --metric dice=0.912', ""),
)


@click.command(cls=Command, name="edit", about=ABOUT, examples=EXAMPLES)
@click.argument("ref", metavar="NAME[@VERSION]")
@click.option("--description", metavar="TEXT", help="What the dataset is.")
@click.option("--tag", "tags", multiple=True, metavar="T", help="Add a keyword.")
@click.option("--untag", "untags", multiple=True, metavar="T", help="Remove a keyword.")
@click.option("--owner", metavar="U", help="Who answers for the dataset.")
@click.option("-m", "--message", metavar="TEXT", help="What is new in this version.")
@click.option("--param", "params", multiple=True, metavar="K=V", help="A parameter of the run.")
@click.option("--metric", "metrics", multiple=True, metavar="K=V", help="A result of the run.")
@click.option("-f", "--force", is_flag=True, help="Also if you neither own nor saved it.")
@click.pass_obj
def command(
    run: Invocation,
    *,
    ref: str,
    description: str | None,
    tags: tuple[str, ...],
    untags: tuple[str, ...],
    owner: str | None,
    message: str | None,
    params: tuple[str, ...],
    metrics: tuple[str, ...],
    force: bool,
) -> None:
    from datacat.cli.arguments import parse_metrics, parse_pairs
    from datacat.render import shapes
    from datacat.render.edit import summary

    values, better = parse_metrics("--metric", metrics)
    result = run.store.edit(
        ref,
        description=description,
        owner=owner,
        tags=tags,
        untags=untags,
        message=message,
        params=parse_pairs("--param", params),
        metrics=values,
        better=better,
        force=force,
    )
    screen, version = run.screen, result.version
    if screen.json:
        screen.document(shapes.version(version) if version else shapes.dataset(result.dataset))
        return
    screen.note(summary(result))
    screen.done(version.ref if version else result.dataset.name)
