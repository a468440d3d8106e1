"""Errors for people and for programs: what happened, what we know, what to run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from datacat.errors import DatacatError
from datacat.text import cell_width, printable, sentence

LINE_MAX = 80

NOTE = "   ("
"""An error may say in brackets after a command what it does: `(discard mine, kept in x)` becomes
the label `Discard mine:`, and the rest stays behind the command."""


def error_lines(error: DatacatError) -> Iterator[str]:
    """The lines for a person: the message, then the hint and the commands, two spaces in."""
    first, *more = error.message.split("\n")
    yield f"Error: {printable(sentence(first))}"
    for line in more:
        yield f"  {printable(line.strip())}"
    yield from _advice(error.hint, error.commands)


def _advice(hint: str | None, commands: Sequence[str]) -> Iterator[str]:
    hints = [printable(line.strip()) for line in (hint or "").split("\n") if line.strip()]
    labelled = [_labelled(printable(command)) for command in commands]
    if len(hints) == 1 and len(labelled) == 1:
        (label, command) = labelled[0]
        joined = f"{hints[0]}     {label}:  {command}"
        if cell_width(joined) + 2 <= LINE_MAX:
            yield f"  {joined}"
            return
    yield from (f"  {line}" for line in hints)
    width = max((len(label) for label, _ in labelled), default=0) + 1
    previous = ""
    for label, command in labelled:
        shown = "" if label == previous else f"{label}:"
        yield f"  {shown:<{width}}  {command}"
        previous = label


def _labelled(command: str) -> tuple[str, str]:
    """What to print before a command, and the command."""
    line, bracket, note = command.partition(NOTE)
    if not bracket:
        return "Try", command
    label, comma, rest = note.removesuffix(")").partition(", ")
    return label[:1].upper() + label[1:], f"{line}{NOTE}{rest})" if comma else line


def error_document(error: DatacatError) -> dict[str, object]:
    """The same for a program: `{"error": {code, exit, message, hint, try}}`."""
    return {
        "error": {
            "code": error.kind,
            "exit": error.exit_code,
            "message": sentence(error.message),
            "hint": error.hint,
            "try": [command.partition(NOTE)[0] for command in error.commands],
        }
    }
