"""`datacat head`: look into a file without pulling it."""

from __future__ import annotations

import click

from datacat.cli.command import Command, Count
from datacat.cli.interrupt import STOPPED
from datacat.cli.invocation import Invocation

ROWS = 10

ABOUT = """\
Of a table (CSV, TSV, Parquet, JSON, also packed with gzip) the first rows, of a text the first
lines, of anything else what it is and how to get it. Given only a dataset: the one table in it, or
the tables to choose from. Only what is shown is read.
"""
EXAMPLES = (
    ("datacat head cmr@v3/labels.csv", ""),
    ("datacat head cmr/labels.parquet --schema", "its columns and their types"),
)


@click.command(cls=Command, name="head", about=ABOUT, examples=EXAMPLES)
@click.argument("ref", metavar="REF/PATH")
@click.option(
    "-n", "rows", type=Count(), default=ROWS, metavar="ROWS", help=f"So many; {ROWS} by default."
)
@click.option("--schema", is_flag=True, help="The columns and their types instead.")
@click.option("--summary", is_flag=True, help="What is in each column; reads all of the table.")
@click.pass_obj
def command(run: Invocation, *, ref: str, rows: int, schema: bool, summary: bool) -> None:
    from datacat.render.head import preview_document, print_preview

    if schema and summary:
        raise click.UsageError("--schema and --summary exclude each other")
    with run.work(text=STOPPED) as work:
        seen = run.store.head(
            ref,
            rows=rows,
            schema=schema,
            summary=summary,
            listener=work.listener,
            stop=work.stop,
        )
    if run.screen.json:
        run.screen.document(preview_document(seen))
    else:
        print_preview(run.screen, seen)
