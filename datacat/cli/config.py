"""`datacat config`: the settings in force, and changing one's own."""

from __future__ import annotations

import click

from datacat.cli.command import Command
from datacat.cli.invocation import Invocation
from datacat.errors import DatacatError

ABOUT = """\
Without an action, shows every setting and where its value comes from: a flag, a variable, the
project's datacat.toml, your own file, the site's file, or the default, in this order.

\b
get KEY         print one value
set KEY VALUE   write it to your own file
unset KEY       remove it from your own file
path            print where your own file is
"""
EXAMPLES = (
    ("datacat config set user bob", ""),
    ("datacat config get store", ""),
)
ARGUMENTS = {"get": ("KEY",), "set": ("KEY", "VALUE"), "unset": ("KEY",), "path": ()}


@click.command(cls=Command, name="config", about=ABOUT, examples=EXAMPLES)
@click.argument("action", required=False, metavar="[get|set|unset|path]")
@click.argument("arguments", nargs=-1, metavar="[KEY] [VALUE]")
@click.pass_obj
def command(run: Invocation, *, action: str | None, arguments: tuple[str, ...]) -> None:
    if action is None:
        _show_all(run)
        return
    if action not in ARGUMENTS:
        known = ", ".join(ARGUMENTS)
        raise click.UsageError(f"no action '{action}'; known are {known}")
    expected = ARGUMENTS[action]
    if len(arguments) != len(expected):
        line = " ".join(("datacat config", action, *expected))
        raise click.UsageError(f"expected:  {line}")
    if action == "get":
        _show_one(run, *arguments)
    elif action == "path":
        _show_path(run)
    else:
        _change(run, action, *arguments)


def _show_all(run: Invocation) -> None:
    from datacat.render.settings import document, lines_of, print_settings

    if run.screen.json:
        run.screen.document([document(line) for line in lines_of(run.settings)])
    else:
        print_settings(run.screen, run.settings)


def _show_one(run: Invocation, name: str) -> None:
    from datacat.config.keys import known_key
    from datacat.render.settings import document, lines_of, value_text
    from datacat.text import printable

    key = known_key(name).name
    line = next(line for line in lines_of(run.settings) if line.key == key)
    if run.screen.json:
        run.screen.document(document(line))
    else:
        run.screen.answer(printable(value_text(line.value)))


def _show_path(run: Invocation) -> None:
    around = run.surroundings
    if run.given.json:
        run.screen.document({"user": str(around.user_file), "site": str(around.site_file)})
    else:
        run.screen.answer(str(around.user_file))


def _change(run: Invocation, action: str, name: str, text: str | None = None) -> None:
    from datacat.config import set_value, unset_value
    from datacat.render.settings import document, lines_of, value_text

    file = run.surroundings.user_file
    # Before the settings are gathered: this may be what mends a bad value.
    if text is None:
        unset_value(file, name)
    else:
        set_value(file, name, text)
    try:
        lines = lines_of(run.settings)
    except DatacatError:
        lines = []
    key = name.partition(".")[0].replace("-", "_")
    line = next((line for line in lines if line.key == key), None)
    if line is None:
        return
    if run.screen.json:
        run.screen.document(document(line))
        return
    source = run.screen.place(line.source)
    run.screen.note(f"{key} is now {value_text(line.value)}  (from {source})")
    if action == "set" and line.source != str(file) and str(file) not in line.source:
        run.screen.warn(f"{source} goes before your own settings")
