"""What every command shares: the global options before or after its name, and its help page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from datacat.cli.commands import ENTRIES
from datacat.cli.invocation import Invocation

HELP_WIDTH = 80
_CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": HELP_WIDTH}


def _keep(context: click.Context, parameter: click.Parameter, value: Any) -> None:
    """Remember a global option, wherever on the line it stood. The last one wins."""
    if value is None or value is False or value == 0:
        return
    invocation = context.find_object(Invocation)
    if invocation is None or parameter.name is None:
        return
    given = invocation.given
    total = given.verbose + value if parameter.name == "verbose" else value
    setattr(given, parameter.name, total)


def _print_version(context: click.Context, _parameter: click.Parameter, value: bool) -> None:
    if value and not context.resilient_parsing:
        from datacat import __version__

        click.echo(f"datacat {__version__}")
        context.exit()


def _global(*names: str, help: str, **options: Any) -> click.Option:  # noqa: A002 - click's word
    return click.Option(names, help=help, expose_value=False, callback=_keep, **options)


def global_options() -> list[click.Parameter]:
    """The options that stand before or after any command."""
    return [
        _global("-s", "--store", metavar="PATH", help="Use this store: a folder or a URL."),
        _global("--json", is_flag=True, help="Answer in JSON."),
        _global("-q", "--quiet", is_flag=True, help="Say only what was asked for, and errors."),
        _global("-v", "--verbose", count=True, help="Say more; may be repeated."),
        _global(
            "-j",
            "--jobs",
            metavar="N",
            help="How many threads move data.",
        ),
        _global("--no-input", is_flag=True, help="Never ask a question."),
        _global(
            "--color",
            type=click.Choice(["auto", "always", "never"]),
            help="When to use colour.",
        ),
        _global("--no-config", is_flag=True, help="Ignore all files of settings."),
        _global("--debug", is_flag=True, help="Show tracebacks."),
        click.Option(
            ("-V", "--version"),
            is_flag=True,
            is_eager=True,
            expose_value=False,
            callback=_print_version,
            help="Print the version.",
        ),
    ]


class Count(click.ParamType[int]):
    """A whole number from 1, for `--limit` and the like."""

    name = "count"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        text = str(value)
        if text.isdecimal() and 0 < int(text) < 1 << 31:
            return int(text)
        return self.fail(f"'{text[:80]}' is not a whole number from 1", param, ctx)


class Command(click.Command):
    """A command of datacat: the first line of its help is its line in the table of commands."""

    def __init__(
        self,
        name: str,
        *,
        about: str = "",
        examples: Sequence[tuple[str, str]] = (),
        **attributes: Any,
    ) -> None:
        entry = ENTRIES.get(name.partition(" ")[0])
        summary = f"{entry.summary}." if entry and " " not in name else ""
        attributes.setdefault("context_settings", _CONTEXT)
        attributes["help"] = "\n\n".join(part for part in (summary, about) if part)
        super().__init__(name, **attributes)
        self.own_params = list(self.params)
        self.params = [*self.params, *global_options()]
        self.examples = tuple(examples)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        self.format_own_options(ctx, formatter)
        shared = [p for p in self.get_params(ctx) if p not in self.own_params]
        write_options(ctx, formatter, "Options of every command", shared)

    def format_own_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The section of the options that only this command has."""
        write_options(ctx, formatter, "Options", self.own_params)

    def format_epilog(
        self,
        ctx: click.Context,  # noqa: ARG002 - click's signature
        formatter: click.HelpFormatter,
    ) -> None:
        write_examples(formatter, self.examples)


def write_options(
    ctx: click.Context,
    formatter: click.HelpFormatter,
    title: str,
    params: Sequence[click.Parameter],
) -> None:
    """One section of options; nothing when there are none."""
    options = [param for param in params if isinstance(param, click.Option)]
    records = [record for param in options if (record := param.get_help_record(ctx)) is not None]
    if records:
        with formatter.section(title):
            formatter.write_dl(records)


def write_examples(formatter: click.HelpFormatter, examples: Sequence[tuple[str, str]]) -> None:
    """Lines that can be pasted, each with what it is for."""
    if not examples:
        return
    width = max(len(line) for line, _ in examples)
    with formatter.section("Examples"):
        for line, meaning in examples:
            text = f"{line:<{width}}   {meaning}" if meaning else line
            formatter.write(f"{'':>{formatter.current_indent}}{text}\n")
