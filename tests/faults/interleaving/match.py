"""One schedule, played: clients that live, a world, and moves that are given from outside."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

from tests.faults.interleaving import moves
from tests.faults.interleaving.calls import How, Reply
from tests.faults.interleaving.moves import Move
from tests.faults.interleaving.oracle import Told
from tests.faults.interleaving.process import Actor, Process
from tests.faults.interleaving.scenario import Scenario


class Match:
    """The state of one schedule. `folder` takes the local files of clients.

    With `ticking` each move takes a second, for everybody; without, time goes by as in a search of
    every schedule: a second for each call that a client makes itself.
    """

    def __init__(self, start: Scenario, *, folder: Path, ticking: bool = True) -> None:
        self._ticking = ticking
        self.world = start.world.copy()
        self.processes: dict[str, Process] = {}
        self.moves: list[Move] = []
        self.lines: list[str] = []
        self.faults = 0
        self._folder = folder
        self._prepare = start.prepare
        self._told: dict[str, list[object]] = {"": list(start.told)}
        self._heard: dict[str, int] = {}
        for actor in start.actors:
            self.enter(actor)

    def enter(self, actor: Actor) -> None:
        """Somebody starts; with what `actor.like` left, if that was somebody before."""
        folder = self._folder / (actor.like or actor.name)
        if actor.like is None:
            self._prepare(actor, folder)
        self.processes[actor.name] = Process(actor, folder)
        self._told[actor.name] = []
        self._heard[actor.name] = self.world.now_seconds
        self._ended(actor.name)

    def waiting(self) -> list[str]:
        """Who can go on."""
        return [name for name, process in self.processes.items() if process.call is not None]

    def told(self) -> Told:
        """What everybody told their users, so far."""
        return tuple(tuple(facts) for facts in self._told.values())

    def play(self, move: Move) -> None:
        """Let this happen."""
        self.moves.append(move)
        self.world.now_seconds += self._ticking
        if move.who == moves.WAIT:
            self.world.now_seconds += move.number
            self.lines.append(f"{move.number} seconds go by")
        elif move.who == moves.LATE:
            self.lines.append(f"late: {self.world.in_flight[move.number]}")
            self.world.deliver(move.number)
        else:
            self._go_on(move)

    def _go_on(self, move: Move) -> None:
        process = self.processes[move.who]
        call = process.call
        assert call is not None, f"{move.who} has ended"
        self.lines.append(f"{move.who}: {call} → {move.how.value}")
        self.faults += move.how is not How.OK
        if move.how is How.CRASH:
            process.kill()
            return
        if call.verb == "tell":
            self._told[move.who].append(call.fact)
        reply = self.world.answer(call, move.how)
        seconds = self.world.now_seconds - self._heard[move.who]
        self._heard[move.who] = self.world.now_seconds
        process.answer(Reply(reply.kind, reply.value, seconds if self._ticking else 1))
        self._ended(move.who)

    def _ended(self, name: str) -> None:
        broken = self.processes[name].broken
        if broken is not None and broken not in self._told[name]:
            self._told[name].append(broken)

    def close(self) -> None:
        """Kill whoever is left, and forget their local files."""
        for process in self.processes.values():
            process.kill()
        shutil.rmtree(self._folder, ignore_errors=True)


def replay(match: Match, schedule: Iterable[Move]) -> Match:
    """Play a schedule to its end."""
    for move in schedule:
        match.play(move)
    return match
