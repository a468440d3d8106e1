"""Meetings in which the store is damaged, and somebody repairs it while others go on."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from tests.faults.interleaving.meetings import (
    any_job,
    edited,
    one_by_one,
    quiet,
    taken_from,
)
from tests.faults.interleaving.parties import CLOCKS_SECONDS
from tests.faults.interleaving.people import Person, content, person
from tests.faults.interleaving.process import Actor, undisturbed
from tests.faults.interleaving.rot import flip, lose_list, mend
from tests.faults.interleaving.scenario import Scenario
from tests.faults.interleaving.scenarios import GOOD, Parts, begun

BAD, FINE = content(101, 300), content(102, 300)
"""Two contents of one pack: of the first a bit flips."""

Job = Callable[[Person], object]


def mender(name: str = "bob") -> Actor:
    """Somebody who has a copy of what is damaged, and another file of the same size."""
    return quiet(name, partial(mend, files={"another": FINE, "copy": BAD}))


def repairer_and_saver(folder: Path, parts: Parts = GOOD) -> Scenario:
    """A pack is mended, while somebody saves what is damaged in it, and what is not."""
    return _rotten(
        folder,
        parts,
        lambda maker: maker.add("scans", {"a": BAD, "b": FINE}),
        [mender(), quiet("alice", lambda one: one.add("others", {"b": FINE}))],
    )


def repairer_and_healer(folder: Path, parts: Parts = GOOD) -> Scenario:
    """The same, while somebody saves the very content that is damaged."""
    return _rotten(
        folder,
        parts,
        lambda maker: maker.add("scans", {"a": BAD, "b": FINE}),
        [mender(), quiet("alice", lambda one: one.add("others", {"c": BAD}))],
    )


def repairer_and_collector(folder: Path, parts: Parts = GOOD) -> Scenario:
    """A pack that one version needs is mended, while what another had is collected."""

    def before(maker: Person) -> None:
        maker.add("scans", {"c": b"old"})
        maker.add("scans", {"a": BAD, "b": FINE})
        maker.remove("scans@v1")

    return _rotten(folder, parts, before, [mender(), quiet("gc", lambda one: one.collect())])


def two_repairers(folder: Path, parts: Parts = GOOD) -> Scenario:
    """Two people mend the same."""
    return _rotten(
        folder,
        parts,
        lambda maker: maker.add("scans", {"a": BAD, "b": FINE}),
        [mender(), mender("carol")],
    )


def _rotten(folder: Path, parts: Parts, before: Job, actors: Sequence[Actor]) -> Scenario:
    """Somebody did something before; everybody has looked since; then a bit flips."""
    world, told, _ = begun(parts)
    told += undisturbed(world, quiet("maker", before), folder / "maker")
    for actor in actors:
        undisturbed(world, quiet(actor.name, lambda one: one.store.ls()), folder / actor.name)
    told = (*told, flip(world, BAD))
    return Scenario(world, actors, told, collected=True, prepare=taken_from(folder))


EVERY = (repairer_and_saver, repairer_and_healer, repairer_and_collector, two_repairers)


def crowd_that_repairs(chance: random.Random) -> Scenario:
    """Three to five people who save, pull, remove, collect, and mend what is damaged: content of a
    pack, and often a list of files."""
    world, told, _ = begun(GOOD)
    numbers = [chance.randint(1, 8) for _ in range(2)]
    files = {"a.txt": BAD, "b.txt": FINE}

    def before(maker: Person) -> None:
        maker.add("broken", files)
        for number in numbers:
            maker.add("scans", edited(number))

    with tempfile.TemporaryDirectory() as folder:
        told += undisturbed(world, quiet("maker", before), Path(folder))
    told = (*told, flip(world, BAD))
    if chance.random() < 0.5:
        told = (*told, lose_list(world, "broken@v1"))

    def mends(one: Person) -> None:
        one.store.ls()
        mend(one, files)

    actors = []
    for number in range(chance.randint(3, 5)):
        jobs: list[Job] = [any_job(chance) for _ in range(chance.randint(1, 3))]
        if number < 2:
            jobs.insert(chance.randint(0, len(jobs)), mends)
        actors.append(
            person(f"p{number}", one_by_one(jobs), skew_seconds=chance.choice(CLOCKS_SECONDS))
        )
    return replace(Scenario(world, actors, told), collected=True)
