"""What a scheduler decides, one move after the other; and how a schedule is written down.

`alice` goes on and all is well, `alice:lost` goes on and her call is lost, `late:0` is the arrival
of the first call in flight, and `wait:86400` lets a day go by. `alice*5` stands for five times
`alice`. So a schedule is one line, and gives the same again.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass

from tests.faults.interleaving.calls import How

LATE = "late"
WAIT = "wait"


@dataclass(frozen=True, slots=True)
class Move:
    """Who goes on (or `late`, `wait`), and what becomes of the call."""

    who: str
    how: How = How.OK
    number: int = 0

    def __str__(self) -> str:
        if self.who in (LATE, WAIT):
            return f"{self.who}:{self.number}"
        return self.who if self.how is How.OK else f"{self.who}:{self.how.value}"


def written(moves: Iterable[Move]) -> str:
    """The schedule as one line."""
    counted = ((str(move), len(list(same))) for move, same in itertools.groupby(moves))
    return " ".join(text if count == 1 else f"{text}*{count}" for text, count in counted)


def read(text: str) -> list[Move]:
    """The moves of a schedule. Raises `ValueError`."""
    moves = []
    for word in text.split():
        one, _, count = word.partition("*")
        who, _, rest = one.partition(":")
        timed = who in (LATE, WAIT)
        move = Move(who, number=int(rest)) if timed else Move(who, How(rest or "ok"))
        moves += [move] * int(count or 1)
    return moves
