"""Every schedule of a small scenario: which client goes on, and what becomes of its call.

A client is a function of the replies it has had, so its state is the history of them: a node of a
tree that all schedules share. What a node waits for is found by running the real code once; every
other schedule that gives this client the same replies takes it from the tree. A state is the world
and a node for each client, and no state is gone through twice.

Where a client's next call concerns nobody else (it writes a name that is its own, or reads what
never changes), only that client goes on: all orders lead to the same states (Godefroid, 1996).
"""

from __future__ import annotations

import shutil
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from tests.faults.interleaving import moves
from tests.faults.interleaving.calls import Call, How, Reply, possible
from tests.faults.interleaving.moves import Move
from tests.faults.interleaving.oracle import Oracle, Told
from tests.faults.interleaving.process import Process
from tests.faults.interleaving.scenario import Scenario
from tests.faults.interleaving.world import World

PARKED_MAX = 24
"""Clients that wait in a thread for a reply that may yet come; others are run again for it."""


@dataclass(eq=False)
class Node:
    """A client after some replies: what it waits for, or None when it has ended or is dead."""

    actor: int
    history: tuple[tuple[Call, Reply], ...]
    call: Call | None = None
    told: tuple[object, ...] = ()
    children: dict[Reply, Node] = field(default_factory=dict)


@dataclass(frozen=True)
class Limits:
    """How far a search goes: so many faults and crashes in one schedule, of these kinds, and only
    in calls whose key begins with `only`."""

    faults: int = 0
    crashes: int = 0
    hows: tuple[How, ...] = (How.LOST, How.UNANSWERED, How.LATE, How.TWICE, How.STALE, How.DENIED)
    only: str = ""
    states_max: int = 5_000_000

    def __str__(self) -> str:
        where = f" of {self.only}" if self.only else ""
        return f"{self.faults} faults{where}, {self.crashes} crashes"


@dataclass
class Found:
    """What a search did, and the first schedules that went wrong."""

    states: int = 0
    steps: int = 0
    runs: int = 0
    calls: int = 0
    ends: int = 0
    complete: bool = True
    wrong: list[tuple[list[str], list[Move]]] = field(default_factory=list)

    def __str__(self) -> str:
        return (
            f"{self.states:,} states, {self.steps:,} steps, {self.ends:,} ends;"
            f" the real code ran {self.runs:,} times and made {self.calls:,} calls"
        )


@dataclass(frozen=True, slots=True)
class _State:
    world: World
    nodes: tuple[Node, ...]
    faults: int
    crashes: int
    path: tuple[object, ...]


class Explorer:
    """One search. `folder` takes the local files of clients."""

    def __init__(self, start: Scenario, oracle: Oracle, *, limits: Limits, folder: Path) -> None:
        self._start = start
        self._actors = start.actors
        self._oracle = oracle
        self._limits = limits
        self._folder = folder
        self._parked: OrderedDict[Node, tuple[Process, Path]] = OrderedDict()
        self._worlds: dict[object, int] = {}
        self._judged: set[tuple[int, Told]] = set()
        self._dead: dict[tuple[int, tuple[object, ...]], Node] = {}
        self.found = Found()

    def run(self, *, enough: int = 1) -> Found:
        """Go through every state, or until `enough` schedules went wrong."""
        try:
            self._search(enough)
        finally:
            while self._parked:
                self._drop(self._parked.popitem()[1])
        return self.found

    def _search(self, enough: int) -> None:
        found, limits = self.found, self._limits
        roots = tuple(self._started(number) for number in range(len(self._actors)))
        todo = [_State(self._start.world, roots, limits.faults, limits.crashes, ())]
        seen: set[object] = set()
        while todo and len(found.wrong) < enough:
            state = todo.pop()
            key = (
                self._number(state.world),
                *(id(node) for node in state.nodes),
                state.faults,
                state.crashes,
            )
            if key in seen:
                continue
            seen.add(key)
            found.states += 1
            if found.states > limits.states_max:
                found.complete = False
                return
            self._judge(state)
            todo += self._following(state)

    def _following(self, state: _State) -> Iterator[_State]:
        waiting = [node for node in state.nodes if node.call is not None]
        if not waiting:
            self.found.ends += 1
        arriving = {call.key for call in state.world.in_flight}
        for node in waiting:
            assert node.call is not None
            if node.call.key not in arriving and self._start.alone(state.world, node.call):
                waiting = [node]
                break
        for node in waiting:
            for how in self._hows(state, node):
                self.found.steps += 1
                yield self._after(state, node, how)
        for number in range(len(state.world.in_flight)):
            self.found.steps += 1
            world = state.world.copy()
            world.deliver(number)
            path = (state.path, Move(moves.LATE, number=number))
            yield _State(world, state.nodes, state.faults, state.crashes, path)

    def _hows(self, state: _State, node: Node) -> Iterator[How]:
        assert node.call is not None
        faulty = state.faults and node.call.key.startswith(self._limits.only)
        for how in possible(node.call):
            if (
                how is How.OK
                or (how is How.CRASH and state.crashes)
                or (how in self._limits.hows and faulty)
            ):
                yield how

    def _after(self, state: _State, node: Node, how: How) -> _State:
        call = node.call
        assert call is not None
        faults = state.faults - (how not in (How.OK, How.CRASH))
        world = state.world
        path = (state.path, Move(self._actors[node.actor].name, how))
        if how is How.CRASH:
            following = self._buried(node)
        else:
            world = world.copy() if world.changes(call, how) else world
            following = self._child(node, world.answer(call, how))
        nodes = tuple(following if one is node else one for one in state.nodes)
        return _State(world, nodes, faults, state.crashes - (how is How.CRASH), path)

    # Clients

    def _child(self, node: Node, reply: Reply) -> Node:
        child = node.children.get(reply)
        if child is None:
            child = node.children[reply] = self._advanced(node, reply)
        return child

    def _advanced(self, node: Node, reply: Reply) -> Node:
        assert node.call is not None
        history = (*node.history, (node.call, reply))
        parked = self._parked.pop(node, None)
        if parked is not None:
            process, folder = parked
            process.answer(reply)
        else:
            process, folder = self._run(node.actor, history)
        told = node.told
        if node.call.verb == "tell":
            told = (*told, node.call.fact)
        return self._placed(Node(node.actor, history, process.call, told), process, folder)

    def _started(self, number: int) -> Node:
        process, folder = self._run(number, ())
        return self._placed(Node(number, (), process.call), process, folder)

    def _run(self, number: int, history: tuple[tuple[Call, Reply], ...]) -> tuple[Process, Path]:
        self.found.runs += 1
        actor = self._actors[number]
        folder = self._folder / f"{actor.name}-{self.found.runs}"
        self._start.prepare(actor, folder)
        return Process(actor, folder, history), folder

    def _placed(self, node: Node, process: Process, folder: Path) -> Node:
        self.found.calls += 1
        if node.call is None:
            self._drop((process, folder))
            if process.broken is not None:
                node.told = (*node.told, process.broken)
            return self._buried(node)
        self._parked[node] = (process, folder)
        if len(self._parked) > PARKED_MAX:
            self._drop(self._parked.popitem(last=False)[1])
        return node

    def _buried(self, node: Node) -> Node:
        """The one node of a client that makes no call any more: it matters what it told."""
        key = (node.actor, node.told)
        return self._dead.setdefault(key, Node(node.actor, (), None, node.told))

    def _drop(self, parked: tuple[Process, Path]) -> None:
        process, folder = parked
        process.kill()
        shutil.rmtree(folder, ignore_errors=True)

    # Judging

    def _number(self, world: World) -> int:
        return self._worlds.setdefault(world.fingerprint(), len(self._worlds))

    def _judge(self, state: _State) -> None:
        told = (self._start.told, *(node.told for node in state.nodes))
        key = (self._number(state.world), told)
        if key in self._judged:
            return
        self._judged.add(key)
        wrong = self._oracle.judge(state.world, told)
        if wrong:
            self.found.wrong.append((wrong, moves_of(state.path)))


def moves_of(path: tuple[object, ...]) -> list[Move]:
    """The schedule that led to a state."""
    schedule: list[Move] = []
    while path:
        path, move = cast("tuple[tuple[object, ...], Move]", path)
        schedule.append(move)
    return schedule[::-1]
