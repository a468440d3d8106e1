"""Running one command line: click parses, a command runs, and whatever fails is said in words."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import click

from datacat.cli.interrupt import EXIT_INTERRUPTED
from datacat.cli.invocation import Invocation
from datacat.cli.root import UnknownCommand, root
from datacat.errors import Cancelled, DatacatError, Failed, InvalidInput
from datacat.render.terminal import as_json, safe_stream
from datacat.text import closest

EXIT_BROKEN_PIPE = 141
"""What a shell reports for a program that SIGPIPE ended: `datacat ls | head` is no failure."""


def run(arguments: Sequence[str]) -> int:
    """Run `arguments` and return the exit code; every failure has been reported."""
    _open_closed_streams()
    invocation = Invocation()
    invocation.interrupts.install()
    safe_stream(sys.stdout)
    safe_stream(sys.stderr)
    try:
        code = _run(_helped(arguments), invocation)
        sys.stdout.flush()
    except BrokenPipeError:
        return _reader_is_gone()
    except OSError as error:
        # The answer could not be written: the disk behind a redirection is full, for example.
        sys.stderr.write(f"Error: cannot write the output: {error.strerror or error}.\n")
        _discard_output()
        return 1
    return code


def _open_closed_streams() -> None:
    """A cron job may start us with streams closed; Python then has None in their place."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115


def _helped(arguments: Sequence[str]) -> list[str]:
    """`datacat` alone and `datacat help add` are requests for help."""
    given = list(arguments)
    if given[:1] == ["help"]:
        return [*given[1:2], "--help"]
    return given or ["--help"]


def _run(arguments: list[str], invocation: Invocation) -> int:
    as_document = "--json" in _options(arguments)
    command = root()
    try:
        try:
            with command.make_context("datacat", arguments, obj=invocation) as context:
                return command.invoke(context) or 0
        finally:
            invocation.close()
    except click.exceptions.Exit as request:
        return request.exit_code
    except KeyboardInterrupt:
        if as_document:
            _report(Cancelled("stopped"), as_document=True)
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        raise
    except Exception as error:  # noqa: BLE001 - the outermost handler
        _show_traceback_if_asked(error, arguments, invocation)
        failure = _in_our_words(error)
        # What Ctrl-C does was said when it was pressed.
        if as_document or not isinstance(failure, Cancelled):
            _report(failure, as_document=as_document)
        return failure.exit_code


def _options(arguments: Sequence[str]) -> Sequence[str]:
    """The arguments that can be options: those before `--`."""
    return arguments[: arguments.index("--")] if "--" in arguments else arguments


def _in_our_words(error: Exception) -> DatacatError:
    """Any exception as an error that can be shown to a person."""
    if isinstance(error, DatacatError):
        return error
    if isinstance(error, click.ClickException):
        return _usage(error)
    if isinstance(error, MemoryError):
        return Failed("out of memory", kind="out_of_memory", hint="Try fewer jobs:  --jobs 1")
    if isinstance(error, OSError):
        names = f": {error.filename}" if error.filename else ""
        return Failed(f"{(error.strerror or str(error)).lower()}{names}", kind="os_error")
    summary = " ".join(f"{type(error).__name__}: {error}".split())[:300]
    return Failed(
        f"unexpected {summary} (a bug in datacat); run again with --debug", kind="unexpected"
    )


def _usage(error: click.ClickException) -> InvalidInput:
    if isinstance(error, UnknownCommand):
        commands = [] if error.hint else ["datacat --help"]
        return InvalidInput(
            error.message, kind="unknown_command", hint=error.hint, commands=commands
        )
    context = error.ctx if isinstance(error, click.UsageError) else None
    commands = [f"{context.command_path if context else 'datacat'} --help"]
    if isinstance(error, click.NoSuchOption):
        meant = closest(error.option_name, error.possibilities or ())
        hint = f"Did you mean {meant}?" if meant else None
        message = f"no option {error.option_name}"
        return InvalidInput(message, kind="usage", hint=hint, commands=commands)
    message = error.format_message().rstrip(".")
    if message[1:2].islower():
        message = message[0].lower() + message[1:]
    return InvalidInput(message, kind="usage", commands=commands)


def _report(error: DatacatError, *, as_document: bool) -> None:
    from datacat.render.errors import error_document, error_lines

    if as_document:
        sys.stdout.write(as_json(error_document(error)) + "\n")
        return
    sys.stdout.flush()
    sys.stderr.write("".join(f"{line}\n" for line in error_lines(error)))
    sys.stderr.flush()


def _show_traceback_if_asked(
    error: Exception, arguments: Sequence[str], invocation: Invocation
) -> None:
    asked = invocation.given.debug or "--debug" in _options(arguments)
    if not asked:
        from datacat.config.keys import is_truthy

        asked = is_truthy(os.environ.get("DATACAT_DEBUG"))
    if asked:
        import traceback

        traceback.print_exception(error)


def _reader_is_gone() -> int:
    _discard_output()
    return EXIT_BROKEN_PIPE


def _discard_output() -> None:
    """Let the interpreter flush into nothing at exit, instead of failing once more."""
    devnull = os.open(os.devnull, os.O_WRONLY)
    os.dup2(devnull, sys.stdout.fileno())
    os.close(devnull)
