"""`datacat sql`: ask the catalog, and the files of versions, in SQL."""

from __future__ import annotations

import os
import sys

import click

from datacat.cli.command import Command
from datacat.cli.interrupt import EXIT_INTERRUPTED, STOPPED
from datacat.cli.invocation import Invocation
from datacat.errors import Cancelled

FORMATS = ("table", "tsv", "csv", "json", "jsonl", "md")
QUESTION_BYTES_MAX = 1 << 20

ABOUT = """\
DuckDB's SQL over the views datasets, versions, files, aliases, tags, sources, params, metrics,
activity and copies, and over files of versions: from 'datacat://cmr@v3/labels.csv' (CSV, Parquet,
JSON). Without QUERY it lists the views. Nothing else is read, and nothing is written. A question
that runs long can be stopped with Ctrl-C.
"""
EXAMPLES = (
    ('datacat sql "from datasets"', ""),
    ("datacat sql - < question.sql", "a question from a file"),
)


@click.command(cls=Command, name="sql", about=ABOUT, examples=EXAMPLES)
@click.argument("query", required=False, metavar="[QUERY|-]")
@click.option(
    "--format",
    "form",
    type=click.Choice(FORMATS),
    help="How to write the answer. Default: table on a terminal, else tsv.",
)
@click.pass_obj
def command(run: Invocation, *, query: str | None, form: str | None) -> None:
    if query is None:
        from datacat.render.relations import print_relations

        print_relations(run.screen)
        return
    question = _read() if query == "-" else query
    try:
        _ask(run, question, form)
    except Cancelled as error:
        if error.kind == "still_running":
            # DuckDB does not listen, and would keep the process until it is done.
            run.screen.answers.flush()
            os._exit(EXIT_INTERRUPTED)
        raise


def _ask(run: Invocation, question: str, form: str | None) -> None:
    from datacat.render.answer import default_form, print_answer

    with (
        run.work(text=STOPPED) as work,
        run.store.sql(question, listener=work.listener, stop=work.stop) as answer,
    ):
        print_answer(run.screen, answer.columns, answer, form=form or default_form(run.screen))


def _read() -> str:
    """The question on standard input."""
    data = sys.stdin.buffer.read(QUESTION_BYTES_MAX + 1)
    if len(data) > QUESTION_BYTES_MAX:
        raise click.UsageError("a question is at most 1 MiB long")
    return data.decode("utf-8", "surrogateescape")
