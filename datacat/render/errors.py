"""Errors for people and for programs: what happened, what we know, what to run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from datacat.errors import DatacatError
from datacat.text import cell_width, printable, sentence

LINE_MAX = 80

LABELS: Mapping[str, tuple[str, ...]] = {
    "local_edits": ("Keep both", "Save mine", "Discard mine"),
    "newer_version": ("Look", "Save anyway, without their changes"),
}
"""What the commands of an error are for, where one alone would not say."""


def error_lines(error: DatacatError) -> Iterator[str]:
    """The lines for a person: the message, then the hint and the commands, two spaces in."""
    first, *more = error.message.split("\n")
    yield f"Error: {printable(sentence(first))}"
    for line in more:
        yield f"  {printable(line.strip())}"
    yield from _advice(error.hint, error.commands, LABELS.get(error.kind, ()))


def _advice(hint: str | None, commands: Sequence[str], labels: Sequence[str]) -> Iterator[str]:
    hints = [printable(line.strip()) for line in (hint or "").split("\n") if line.strip()]
    shown = [printable(command) for command in commands]
    if len(shown) == len(labels) and len(shown) > 1:
        width = max(len(label) for label in labels) + 1
        lines = [f"{label + ':':<{width}}  {c}" for label, c in zip(labels, shown, strict=True)]
    elif len(hints) == 1 and len(shown) == 1:
        joined = f"{hints[0]}     Try:  {shown[0]}"
        if cell_width(joined) + 2 <= LINE_MAX:
            yield f"  {joined}"
            return
        lines = [f"Try:  {shown[0]}"]
    else:
        lines = [f"{'Try:' if i == 0 else '':<4}  {c}" for i, c in enumerate(shown)]
    yield from (f"  {line}" for line in [*hints, *lines])


def error_document(error: DatacatError) -> dict[str, object]:
    """The same for a program: `{"error": {code, exit, message, hint, try}}`."""
    return {
        "error": {
            "code": error.kind,
            "exit": error.exit_code,
            "message": sentence(error.message),
            "hint": error.hint,
            "try": list(error.commands),
        }
    }
