"""What `doctor` says: a line for each thing it looked at, and below it what to do."""

from __future__ import annotations

from collections.abc import Iterator

from datacat.model import Check, CheckState, Diagnosis
from datacat.render.terminal import Screen
from datacat.text import count_of, printable

MARKS = {CheckState.OK: "ok", CheckState.NOTE: "!", CheckState.FAIL: "FAIL"}
MARK_CELLS = 4


def print_diagnosis(screen: Screen, diagnosis: Diagnosis) -> None:
    """For a person, or tab-separated; with `-q` only what is not all right."""
    checks = [c for c in diagnosis.checks if not screen.quiet or c.state is not CheckState.OK]
    if screen.answer_tty:
        screen.answers_of(line for check in checks for line in _lines(screen, check))
    else:
        screen.answer("STATE\tCHECK\tMESSAGE\tFIX")
        for check in checks:
            cells = (check.state.value, check.id, check.message, check.fix or "")
            screen.answer("\t".join(printable(cell) for cell in cells))
    screen.answers.flush()
    screen.note(total(diagnosis))


def _lines(screen: Screen, check: Check) -> Iterator[str]:
    mark = f"{MARKS[check.state]:<{MARK_CELLS}}"
    yield f"{screen.strong(mark) if check.state is CheckState.FAIL else mark}  " + printable(
        check.message
    )
    if check.fix:
        yield " " * (MARK_CELLS + 4) + printable(check.fix)


def total(diagnosis: Diagnosis) -> str:
    """`1 problem, 2 notes.`"""
    problems = diagnosis.count(CheckState.FAIL)
    notes = diagnosis.count(CheckState.NOTE)
    counted = [count_of(problems, "problem")] if problems else ["No problems"]
    if notes:
        counted.append(count_of(notes, "note"))
    return ", ".join(counted) + "."
