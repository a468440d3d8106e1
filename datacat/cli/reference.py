"""The command line reference, made from the commands' own help.

`python -m datacat.cli.reference > docs/cli.md` writes it; a test compares the page with this.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

import click

from datacat.cli.command import HELP_WIDTH, Command
from datacat.cli.commands import GROUPS
from datacat.cli.root import root

INTRODUCTION = """\
# Command line

What `datacat --help` and the help of each command say. This page is made from them by
`python -m datacat.cli.reference`; the options of every command are listed once, at the top.
"""


def page() -> str:
    """The whole page as Markdown."""
    return "\n".join([INTRODUCTION, *_sections()])


def _sections() -> Iterator[str]:
    group = root()
    context = _context(group, None)
    yield _section("datacat", group.get_help(context))
    for _, entries in GROUPS:
        for entry in entries:
            command = group.get_command(context, entry.name)
            if isinstance(command, Command):
                yield _section(f"datacat {entry.name}", _own_help(command, context))


def _context(command: click.Command, parent: click.Context | None) -> click.Context:
    """A context whose width is fixed, whatever terminal this runs on."""
    return click.Context(
        command,
        info_name=command.name,
        parent=parent,
        terminal_width=HELP_WIDTH - 2,
        help_option_names=["-h", "--help"],
    )


def _section(title: str, text: str) -> str:
    return f"## {title}\n\n```text\n{text.rstrip()}\n```\n"


def _own_help(command: Command, parent: click.Context) -> str:
    """The help without the options that every command has."""
    context = _context(command, parent)
    formatter = context.make_formatter()
    command.format_usage(context, formatter)
    command.format_help_text(context, formatter)
    command.format_own_options(context, formatter)
    command.format_epilog(context, formatter)
    return formatter.getvalue()


if __name__ == "__main__":
    sys.stdout.write(page())
