"""The root command: finds a command by its name, imports it, and draws the grouped help."""

from __future__ import annotations

import importlib
from typing import NoReturn

import click

from datacat.cli.command import HELP_WIDTH, global_options, write_examples, write_options
from datacat.cli.commands import ENTRIES, EXAMPLES, GROUPS, MEANINGS, SYNONYMS
from datacat.text import closest

ABOUT = "datacat - versioned datasets for a team, on the shared drive you already have."


class UnknownCommand(click.UsageError):
    """A command that does not exist; `hint` says which one was probably meant."""

    def __init__(self, name: str, *, hint: str | None, context: click.Context) -> None:
        super().__init__(f"no command '{name}'", ctx=context)
        self.hint = hint


class Root(click.Group):
    """The group of all commands; a command's module is imported when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(ENTRIES)

    def get_command(
        self,
        ctx: click.Context,  # noqa: ARG002 - click's signature
        cmd_name: str,
    ) -> click.Command | None:
        if cmd_name not in ENTRIES:
            return None
        module = importlib.import_module(f"datacat.cli.{cmd_name}")
        found: click.Command = module.command
        return found

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in ENTRIES:
            self._unknown(ctx, args[0])
        return super().resolve_command(ctx, args)

    def _unknown(self, ctx: click.Context, name: str) -> NoReturn:
        word = name.lower()
        if word in SYNONYMS:
            hint: str | None = f"In datacat that is:  datacat {MEANINGS.get(word, SYNONYMS[word])}"
        else:
            meant = closest(name, ENTRIES)
            hint = f"Did you mean '{meant}'?" if meant else None
        raise UnknownCommand(name, hint=hint, context=ctx)

    def format_commands(
        self,
        ctx: click.Context,  # noqa: ARG002 - click's signature
        formatter: click.HelpFormatter,
    ) -> None:
        for title, entries in GROUPS:
            width = max(len(entry.name) for entry in entries)
            with formatter.section(title):
                for entry in entries:
                    formatter.write(f"  {entry.name:<{width}}  {entry.summary}\n")

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        self.format_commands(ctx, formatter)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        write_examples(formatter, EXAMPLES)
        write_options(ctx, formatter, "Options, before or after the command", self.get_params(ctx))


def root(kind: type[Root] = Root) -> Root:
    """A fresh root command."""
    return kind(
        "datacat",
        params=global_options(),
        help=ABOUT,
        context_settings={
            "help_option_names": ["-h", "--help"],
            "max_content_width": HELP_WIDTH,
        },
    )
