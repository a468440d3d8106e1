"""What `verify` says: how much was read, and exactly what is not as it was saved."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from datacat.model import Damage, VerifyLevel, VerifyResult
from datacat.render.terminal import Screen
from datacat.text import count_of, human_bytes, printable


def print_verified(screen: Screen, results: Sequence[VerifyResult]) -> None:
    """A line for each target, and one for each file that is damaged or missing."""
    for result in results:
        if screen.answer_tty:
            screen.answers_of(_lines(screen, result, named=len(results) > 1))
    if not screen.answer_tty:
        screen.answer("TARGET\tSTATE\tREF\tPATH\tREASON")
        for result in results:
            screen.answers_of(_tab_separated(result))


def _lines(screen: Screen, result: VerifyResult, *, named: bool) -> Iterator[str]:
    title = f"{printable(screen.place(result.target))}: " if named else ""
    read = f"{title}{read_line(result)}"
    if result.ok:
        yield f"{read}: all as saved."
        return
    yield f"{read}."
    for word, found in (("damaged", result.damaged), ("missing", result.missing)):
        if found:
            yield f"{len(found):,} of {result.checked:,} {word}:"
            yield from (f"  {damage_line(damage)}" for damage in found)


def read_line(result: VerifyResult) -> str:
    """How much was looked at."""
    seconds = duration(result.seconds)
    if result.level is VerifyLevel.LOG:
        return f"{count_of(result.checked, 'record')} of the log checked in {seconds}"
    size = human_bytes(result.bytes)
    if result.level is VerifyLevel.FILES:
        return f"{count_of(result.checked, 'file')} of the store are there, {size}, in {seconds}"
    before = f" ({result.resumed:,} of them before)" if result.resumed else ""
    return f"{count_of(result.checked, 'file')} checked{before}, {size} in {seconds}"


def damage_line(damage: Damage) -> str:
    """What is wrong with one file."""
    where = f"{damage.ref}/{damage.path}" if damage.ref and damage.path else damage.path
    return printable(f"{where or damage.ref}: {damage.reason}")


def _tab_separated(result: VerifyResult) -> Iterator[str]:
    if result.ok:
        yield f"{printable(result.target)}\tok\t\t\t"
    for word, found in (("damaged", result.damaged), ("missing", result.missing)):
        for damage in found:
            cells = (result.target, word, damage.ref or "", damage.path, damage.reason)
            yield "\t".join(printable(cell) for cell in cells)


def duration(seconds: float) -> str:
    """`24 s`, `0.4 s`, `3 min`."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
