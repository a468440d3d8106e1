"""Small meetings of clients in outline: for the search of every schedule."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from datacat.catalog.log import Entry
from tests.faults.interleaving.collector import Collector
from tests.faults.interleaving.oracle import onlooker
from tests.faults.interleaving.outline import Outline, new_world
from tests.faults.interleaving.process import Actor, Desk, undisturbed
from tests.faults.interleaving.scenario import Scenario
from tests.faults.interleaving.world import World

Kind = TypeVar("Kind", bound=Outline)


@dataclass(frozen=True)
class Parts:
    """Which code the people run, and on what storage: the good, unless a test says otherwise."""

    adder: type[Outline] = Outline
    collector: type[Collector] = Collector
    world: type[World] = World


GOOD = Parts()


def doing(
    name: str,
    kind: type[Kind],
    work: Callable[[Kind], object],
    warm: Sequence[Entry] = (),
    *,
    skew_seconds: int = 0,
) -> Actor:
    """Somebody who does some work with a client of this kind."""

    def script(desk: Desk) -> None:
        work(kind(desk, entries=warm))

    return Actor(name, script, skew_seconds)


def begun(
    parts: Parts, work: Callable[[Outline], object] = lambda _: None
) -> tuple[World, tuple[object, ...], list[Entry]]:
    """A store in which somebody did some work before; what they were told; the log so far."""
    world = new_world(parts.world)
    told = undisturbed(world, doing("maker", Outline, work))
    outline = Outline(onlooker(world))
    outline.follow()
    return world, told, outline.entries


ONE, TWO, THREE = b"one", b"two", b"three"


def two_adders(parts: Parts = GOOD) -> Scenario:
    """Two people save to one dataset; their content overlaps. Both start with an empty cache."""
    world, told, _ = begun(parts)
    actors = [
        doing("alice", parts.adder, lambda a: a.add("scans", {"a": ONE})),
        doing("bob", parts.adder, lambda b: b.add("scans", {"a": TWO, "b": ONE})),
    ]
    return Scenario(world, actors, told)


def three_adders(parts: Parts = GOOD) -> Scenario:
    """Three people with caches; one saves twice, and finds the content of another."""
    world, told, warm = begun(parts, lambda o: o.add("scans", {"a": ONE}))

    def twice(carol: Outline) -> None:
        carol.add("scans", {"a": THREE})
        carol.add("other", {"a": TWO, "b": THREE})

    actors = [
        doing("alice", parts.adder, lambda a: a.add("scans", {"a": TWO}), warm),
        doing("bob", parts.adder, lambda b: b.add("scans", {"a": TWO, "b": ONE}), warm),
        doing("carol", parts.adder, twice, warm),
    ]
    return Scenario(world, actors, told)


def adder_and_collector(parts: Parts = GOOD) -> Scenario:
    """Somebody saves content that lies only in the trash, while it is being collected."""

    def before(outline: Outline) -> None:
        outline.add("scans", {"a": ONE, "b": TWO})
        outline.add("scans", {"a": ONE})
        outline.remove("scans", 1)

    world, told, warm = begun(parts, before)
    actors = [
        doing("alice", parts.adder, lambda a: a.add("scans", {"b": TWO}), warm),
        doing("gc", parts.collector, lambda c: c.collect(), warm),
    ]
    return Scenario(world, actors, told, collected=True)


def two_collectors(parts: Parts = GOOD) -> Scenario:
    """The same with two collectors, one of whose clock is wrong by a month."""
    one = adder_and_collector(parts)
    other = doing("gc2", parts.collector, lambda c: c.collect(), skew_seconds=30 * 86_400)
    return Scenario(one.world, [*one.actors, other], one.told, collected=True)


def restorer_and_collector(parts: Parts = GOOD) -> Scenario:
    """Somebody wants back what is being collected; somebody else reads."""

    def before(outline: Outline) -> None:
        outline.add("scans", {"a": ONE})
        outline.add("scans", {"a": TWO})
        outline.remove("scans", 1)

    world, told, warm = begun(parts, before)
    actors = [
        doing("alice", parts.adder, lambda a: a.restore("scans", 1), warm),
        doing("gc", parts.collector, lambda c: c.collect(), warm),
        doing("bob", parts.adder, lambda b: b.read_all(), warm),
    ]
    return Scenario(world, actors, told, collected=True)


def left_behind(parts: Parts = GOOD) -> Scenario:
    """A session that was interrupted left a container; it is saved again and collected, twice."""

    def before(outline: Outline) -> None:
        outline.upload_only(ONE)

    world, told, warm = begun(parts, before)

    def again(alice: Outline) -> None:
        alice.add("scans", {"a": ONE})

    actors = [
        doing("alice", parts.adder, again),
        doing("gc", parts.collector, lambda c: c.collect(), warm),
    ]
    return Scenario(world, actors, told, collected=True)


EVERY = (
    two_adders,
    three_adders,
    adder_and_collector,
    two_collectors,
    restorer_and_collector,
    left_behind,
)
