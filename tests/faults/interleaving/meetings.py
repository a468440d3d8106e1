"""Meetings of people with the real verbs: some for every schedule, and crowds for random ones."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from datacat.model import Layout, Periods
from tests.faults.interleaving.parties import CLOCKS_SECONDS
from tests.faults.interleaving.people import AT_ONCE, Person, content, person
from tests.faults.interleaving.process import Actor, undisturbed
from tests.faults.interleaving.scenario import Scenario
from tests.faults.interleaving.scenarios import GOOD, Parts, begun

FIRST = {"large.raw": content(1, 9_000), "small.txt": b"small"}
"""A version with a file of several chunks."""

Job = Callable[[Person], object]


def edited(number: int) -> dict[str, bytes]:
    """The first version with some bytes put in, and a file of one's own."""
    large = FIRST["large.raw"]
    middle = 1_000 * number
    return {
        "large.raw": large[:middle] + b"edit %d" % number + large[middle:],
        f"of-{number}.txt": b"%d" % number,
    }


def two_savers(_folder: Path, parts: Parts = GOOD) -> Scenario:
    """Two people save to one new dataset; their content overlaps, their caches are empty."""
    world, told, _ = begun(parts)
    actors = [
        quiet("alice", lambda one: one.add("scans", {"a": b"one"})),
        quiet("bob", lambda one: one.add("scans", {"a": b"two", "b": b"one"})),
    ]
    return Scenario(world, actors, told)


def one_saver(_folder: Path, parts: Parts = GOOD) -> Scenario:
    """One person saves, and nobody else is there."""
    world, told, _ = begun(parts)
    return Scenario(world, [quiet("alice", lambda one: one.add("scans", {"a": b"one"}))], told)


def two_editors(folder: Path) -> Scenario:
    """Two people have pulled the same version, and each saves an edit of its large file."""
    world, told, _ = begun(GOOD)
    told += undisturbed(
        world, quiet("maker", lambda one: one.add("scans", FIRST)), folder / "maker"
    )
    actors = [
        quiet("alice", lambda one: one.add("scans", edited(2))),
        quiet("bob", lambda one: one.add("scans", edited(6))),
    ]
    for actor in actors:
        undisturbed(world, quiet(actor.name, lambda one: one.pull("scans")), folder / actor.name)
    return Scenario(world, actors, told, prepare=taken_from(folder))


def saver_and_remover(folder: Path) -> Scenario:
    """A version goes to the trash and comes back while somebody pulls it and saves what follows."""
    world, told, _ = begun(GOOD)
    told += undisturbed(
        world, quiet("maker", lambda one: one.add("scans", FIRST)), folder / "maker"
    )
    for name in ("alice", "bob"):
        undisturbed(world, quiet(name, lambda one: one.pull("scans")), folder / name)

    def remover(bob: Person) -> None:
        bob.remove("scans@v1")
        bob.restore("scans@v1")

    actors = [
        quiet("alice", lambda one: one.add("scans", edited(3))),
        quiet("bob", remover),
        quiet("carol", lambda one: one.pull("scans@v1")),
    ]
    return Scenario(world, actors, told, prepare=taken_from(folder))


def saver_and_collector(folder: Path, parts: Parts = GOOD) -> Scenario:
    """Somebody saves content that lies only in the trash, while it is being collected."""

    def before(maker: Person) -> None:
        maker.add("scans", {"b": b"two"})
        maker.add("scans", {"a": b"one"})
        maker.remove("scans@v1")

    return with_caches(
        folder,
        parts,
        before,
        [
            quiet("alice", lambda one: one.add("others", {"c": b"two"})),
            quiet("gc", lambda one: one.collect()),
        ],
    )


def saver_and_wrong_clock(folder: Path, parts: Parts = GOOD) -> Scenario:
    """Somebody saves; the clock of whoever collects is a month ahead, and a day is left alone."""
    world, told, _ = begun(parts)
    periods = Periods(trash=timedelta(days=1), uploads=timedelta(days=1))
    actors = [
        quiet("alice", lambda one: one.add("scans", {"a": b"one"})),
        replace(quiet("gc", lambda one: one.collect(periods)), skew_seconds=30 * 86_400),
    ]
    return Scenario(world, actors, told, collected=True)


def restorer_and_collector_in_full(folder: Path, parts: Parts = GOOD) -> Scenario:
    """Somebody wants back what is being collected."""

    def before(maker: Person) -> None:
        maker.add("scans", {"a": b"one"})
        maker.add("scans", {"a": b"two"})
        maker.remove("scans@v1")

    return with_caches(
        folder,
        parts,
        before,
        [
            quiet("alice", lambda one: one.restore("scans@v1")),
            quiet("gc", lambda one: one.collect()),
        ],
    )


def two_collectors_in_full(folder: Path, parts: Parts = GOOD) -> Scenario:
    """Two people collect the same at once."""

    def before(maker: Person) -> None:
        maker.add("scans", {"a": b"one"})
        maker.add("scans", {"a": b"two"})
        maker.remove("scans@v1")

    collecting = [quiet(name, lambda one: one.collect()) for name in ("gc", "gc2")]
    return with_caches(folder, parts, before, collecting)


def with_caches(folder: Path, parts: Parts, before: Job, actors: Sequence[Actor]) -> Scenario:
    """Somebody did something before; everybody has looked since, and has it in their cache."""
    world, told, _ = begun(parts)
    told += undisturbed(world, quiet("maker", before), folder / "maker")
    for actor in actors:
        undisturbed(world, quiet(actor.name, lambda one: one.store.ls()), folder / actor.name)
    return Scenario(world, actors, told, collected=True, prepare=taken_from(folder))


EVERY = (
    one_saver,
    two_savers,
    two_editors,
    saver_and_remover,
    saver_and_collector,
    saver_and_wrong_clock,
    restorer_and_collector_in_full,
    two_collectors_in_full,
)


def quiet(name: str, work: Job) -> Actor:
    """Somebody who does not register working copies: that is nobody's business here."""
    return person(name, work, registers=False)


def taken_from(folder: Path) -> Callable[[Actor, Path], None]:
    """Each client starts with a copy of what lies in `folder` under its name, if anything does."""

    def prepare(actor: Actor, own: Path) -> None:
        if (folder / actor.name).is_dir():
            shutil.copytree(folder / actor.name, own, symlinks=True)

    return prepare


def crowd_of_people(chance: random.Random) -> Scenario:
    """Three to six people who save, edit, pull, remove, restore and collect."""
    world, told, _ = begun(GOOD)
    actors = []
    for number in range(chance.randint(3, 6)):
        jobs = [any_job(chance) for _ in range(chance.randint(1, 4))]
        clock = chance.choice(CLOCKS_SECONDS)
        actors.append(person(f"p{number}", one_by_one(jobs), skew_seconds=clock))
    return Scenario(world, actors, told, collected=True)


def any_job(chance: random.Random) -> Job:
    """Something that a person does."""
    dataset = chance.choice(("scans", "labels"))
    ref = f"{dataset}@v{chance.randint(1, 3)}"
    what = chance.random()
    if what < 0.3:
        files = {"a.txt": content(chance.randint(1, 6), 200)}
        return lambda one: one.add(dataset, files)
    if what < 0.65:
        number, layout = chance.randint(1, 8), chance.choice((None, *Layout))
        return lambda one: one.add(dataset, edited(number), layout=layout)
    if what < 0.85:
        return lambda one: one.pull_all()
    if what < 0.9:
        return lambda one: one.remove(ref)
    if what < 0.94:
        return lambda one: one.restore(ref)
    periods = chance.choice((AT_ONCE, Periods(trash=timedelta(hours=1), uploads=timedelta(days=1))))
    return lambda one: one.collect(periods)


def one_by_one(jobs: Sequence[Job]) -> Job:
    def work(one: Person) -> None:
        for job in jobs:
            job(one)

    return work
