"""Who meets in random schedules: many people at once, with content that overlaps."""

from __future__ import annotations

import random
from collections.abc import Callable

from tests.faults.interleaving.collector import Collector
from tests.faults.interleaving.outline import Outline
from tests.faults.interleaving.process import Actor
from tests.faults.interleaving.scenario import Scenario
from tests.faults.interleaving.scenarios import GOOD, Parts, begun, doing

DATASETS = ("scans", "labels", "models")
CONTENTS = tuple(f"content {n}".encode() for n in range(7))
PATHS = ("a", "b", "c")
CLOCKS_SECONDS = (0, 0, 0, 3_600, -86_400, 40 * 86_400)
"""How wrong clocks are."""

Job = Callable[[Outline], object]


def crowd(chance: random.Random, parts: Parts = GOOD) -> Scenario:
    """Three to eight people: most save, some remove, restore, read and collect."""

    def before(outline: Outline) -> None:
        for _ in range(chance.randrange(5)):
            saving(chance)(outline)

    world, told, warm = begun(parts, before)
    actors: list[Actor] = []
    for number in range(chance.randint(3, 8)):
        cache = warm if chance.random() < 0.5 else ()
        skew = chance.choice(CLOCKS_SECONDS)
        name = f"p{number}"
        if chance.random() < 0.25:
            rounds = chance.randint(1, 3)
            actors.append(
                doing(name, parts.collector, collecting(rounds), cache, skew_seconds=skew)
            )
        else:
            jobs = [any_job(chance) for _ in range(chance.randint(1, 4))]
            actors.append(doing(name, parts.adder, one_by_one(jobs), cache, skew_seconds=skew))
    return Scenario(world, actors, told, collected=True)


def any_job(chance: random.Random) -> Job:
    """Something that a person does."""
    dataset, number = chance.choice(DATASETS), chance.randint(1, 3)
    what = chance.random()
    if what < 0.55:
        return saving(chance)
    if what < 0.7:
        return lambda one: one.remove(dataset, number)
    if what < 0.85:
        return lambda one: one.restore(dataset, number)
    return lambda one: one.read_all()


def saving(chance: random.Random) -> Job:
    """Save some of the contents that all have in common."""
    dataset = chance.choice(DATASETS)
    files = {path: chance.choice(CONTENTS) for path in PATHS[: chance.randint(1, 3)]}
    return lambda one: one.add(dataset, files)


def one_by_one(jobs: list[Job]) -> Job:
    def work(one: Outline) -> None:
        for job in jobs:
            job(one)

    return work


def collecting(rounds: int) -> Callable[[Collector], object]:
    def work(collector: Collector) -> None:
        for _ in range(rounds):
            collector.collect()

    return work
