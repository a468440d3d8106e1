"""Random schedules of larger scenarios, each from its seed.

The seed decides who takes part, how often the scheduler changes its mind, and how bad storage is:
most runs are either long stretches of one client after the other, or wild; and calm or stormy. Runs
that are all the same in the middle find little.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tests.faults.interleaving import facts, moves
from tests.faults.interleaving.calls import How, possible
from tests.faults.interleaving.match import Match
from tests.faults.interleaving.moves import Move
from tests.faults.interleaving.oracle import Oracle
from tests.faults.interleaving.scenario import Scenario

STEPS_MAX = 20_000
"""A schedule that does not end by then is wrong: somebody waits for ever."""

REBIRTHS = 3
"""So often the clients of one schedule come back after a crash."""

PLAIN = ("too_busy", "newer_version", "storage_missing")
"""What an add may be told though storage is well: others saved without a break, or just before; or
gc, without any grace, took what a plan that was made before still wanted to read."""

JUDGED_EVERY = 150
"""Steps between two looks of the oracle."""

Meeting = Callable[[random.Random], Scenario]
"""Who meets in a random schedule, by chance."""

PAUSES_SECONDS = (5, 90, 3_600, 3 * 86_400)


@dataclass(frozen=True)
class Thrown:
    """One random schedule: how long it was, and what was wrong at its end."""

    seed: int
    steps: int
    faults: int
    saved: int
    wrong: tuple[str, ...]
    schedule: str
    lines: tuple[str, ...]


class Dice:
    """The choices of one schedule."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.stays = chance.choice([0.0, 0.5, 0.9, 0.98])
        self.fault = chance.choice([0.0, 0.0, 0.01, 0.05, 0.15])
        self.crash = chance.choice([0.0, 0.0, 0.002, 0.01])
        self.pause = chance.choice([0.0, 0.002])
        self.delivers = chance.choice([0.01, 0.2])
        self.last = ""

    def next(self, match: Match, waiting: Sequence[str]) -> Move:
        chance = self.chance
        if match.world.in_flight and chance.random() < self.delivers:
            return Move(moves.LATE, number=chance.randrange(len(match.world.in_flight)))
        if chance.random() < self.pause:
            return Move(moves.WAIT, number=chance.choice(PAUSES_SECONDS))
        if self.last not in waiting or chance.random() >= self.stays:
            self.last = chance.choice(waiting)
        if chance.random() < self.crash:
            return Move(self.last, How.CRASH)
        how = How.OK
        if chance.random() < self.fault:
            call = match.processes[self.last].call
            assert call is not None
            how = chance.choice([how for how in possible(call) if how is not How.CRASH])
        return Move(self.last, how)


def throw(seed: int, meeting: Meeting, oracle: Oracle, *, folder: Path) -> Thrown:
    """Play the schedule of this seed and judge it, also on the way."""
    chance = random.Random(seed)
    start = meeting(chance)
    match = Match(start, folder=folder)
    try:
        wrong = _played(match, start, Dice(chance), oracle)
    finally:
        match.close()
    saved = sum(
        isinstance(fact, facts.Saved) and not fact.known for told in match.told() for fact in told
    )
    return Thrown(
        seed,
        len(match.moves),
        match.faults,
        saved,
        tuple(wrong),
        moves.written(match.moves),
        tuple(match.lines),
    )


def _played(match: Match, start: Scenario, dice: Dice, oracle: Oracle) -> list[str]:
    again = {actor.name: actor for actor in start.actors}
    reborn = 0
    while waiting := match.waiting():
        move = dice.next(match, waiting)
        match.play(move)
        if move.how is How.CRASH and reborn < REBIRTHS:
            reborn += 1
            actor = again[move.who]
            born = replace(actor, name=f"{actor.name}+", like=actor.like or actor.name)
            again[born.name] = born
            match.enter(born)
        if len(match.moves) > STEPS_MAX:
            return ["the clients do not come to an end"]
        if len(match.moves) % JUDGED_EVERY == 0 and (
            wrong := oracle.judge(match.world, match.told())
        ):
            return wrong
    wrong = oracle.judge(match.world, match.told())
    while match.world.in_flight and not wrong:
        match.play(Move(moves.LATE, number=0))
        wrong = oracle.judge(match.world, match.told())
    if not wrong and not match.faults:
        wrong = [
            f"{fact}, though nothing was wrong"
            for told in match.told()
            for fact in told
            if isinstance(fact, facts.InDoubt)
            or (isinstance(fact, facts.NotSaved) and fact.kind not in PLAIN)
        ]
    return wrong
