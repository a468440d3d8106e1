"""What must hold of a store, by what its users were told. Everything is read back by the real code.

* The log replays, from its slots and with bundles, twice to the same catalog; numbers have no gap.
* Every version that somebody was told of is listed, and whatever is listed can be read by somebody
  new and holds what was saved.
* Nothing is listed that nobody tried to save, nor what its user was told is not saved; what was
  tried once is there once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from datacat import layout
from datacat.catalog import bundle
from datacat.errors import DatacatError
from tests.faults.interleaving import facts
from tests.faults.interleaving.outline import Outline
from tests.faults.interleaving.process import NOWHERE, Actor, Desk
from tests.faults.interleaving.replayed import FoldedLog, Live
from tests.faults.interleaving.world import World

Told = tuple[tuple[object, ...], ...]
"""The facts of each client, in order."""

Reader = Callable[[World, Live, str], facts.Tree]
"""Reads a version as somebody new does. Raises `DatacatError`."""


def onlooker(world: World) -> Desk:
    """Somebody who sees the store as it is."""
    desk = Desk(Actor("onlooker", lambda _: None), NOWHERE, world.answer)
    desk.backend = world
    return desk


def outline_reader(world: World, live: Live, ref: str) -> facts.Tree:
    """Reads what `Outline` clients wrote."""
    return Outline(onlooker(world)).read(live, ref)


class Oracle:
    """Judges worlds. What it read once it does not read again: stored bytes never change."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._known: dict[object, list[tuple[dict[str, object], facts.Tree | str]]] = {}
        self.judged = 0
        self.read = 0

    def judge(self, world: World, told: Told) -> list[str]:
        """What is wrong; nothing if all is well."""
        self.judged += 1
        outline = Outline(onlooker(world))
        try:
            log = outline.follow()
            again = Outline(onlooker(world)).follow()
        except DatacatError as error:
            return [f"the log cannot be read: {error.message}"]
        wrong = list(_bundles(world, log))
        if [entry.data for entry in log.entries] != [entry.data for entry in again.entries]:
            wrong.append("two replays differ")
        live = Live.at(log)
        trees = {ref: self._tree(world, log, live, ref) for ref in live.listed()}
        everything = [fact for facts_of_one in told for fact in facts_of_one]
        excused = _excused(everything, live)
        wrong += [
            f"{ref} cannot be read: {tree}"
            for ref, tree in trees.items()
            if _is(tree, str) and ref not in excused
        ]
        wrong += _numbers(live)
        wrong += _promises(everything, live, trees)
        wrong += _strangers(everything, live, trees)
        return wrong

    def _tree(self, world: World, log: FoldedLog, live: Live, ref: str) -> facts.Tree | str:
        """What somebody new reads as this version, or why they cannot."""
        # What is read depends on the record, on what was condemned, on repairs, and on the bytes
        # looked at: where those are as they were, the answer is as it was.
        own = log.entries[live.versions[ref].seq - 1].digest
        key = (ref, own, frozenset(live.condemned), frozenset(live.repairs))
        known = self._known.setdefault(key, [])
        for looked_at, tree in known:
            if all(world._entries.get(name) == entry for name, entry in looked_at.items()):
                return tree
        self.read += 1
        looking = world.copy()
        try:
            tree = self._reader(looking, live, ref)
        except DatacatError as error:
            tree = f"{type(error).__name__}: {error.message}"
        names = {name for name in looking.noted if not name.startswith("catalog/")}
        known.append(({name: world._entries.get(name) for name in names}, tree))
        return tree


def _is(tree: facts.Tree | str, kind: type) -> bool:
    return isinstance(tree, kind)


def _excused(everything: Sequence[object], live: Live) -> set[str]:
    """The versions that need not be readable: storage lost a part of them, which nobody was told
    to be mended."""
    if any(isinstance(fact, facts.Mended) for fact in everything):
        return set()
    hurt = _hurt(everything)
    return {ref for ref, record in live.versions.items() if record.dataset in hurt}


def _hurt(everything: Sequence[object]) -> set[str]:
    """The datasets of which storage lost something, mended since or not."""
    damaged = [fact for fact in everything if isinstance(fact, facts.Damaged)]
    digests = {digest for fact in damaged for digest in fact.digests}
    saved = {
        fact.dataset
        for fact in everything
        if isinstance(fact, facts.Trying) and digests & {digest for _, digest in fact.tree}
    }
    return saved | {ref.partition("@")[0] for fact in damaged for ref in fact.refs}


def _bundles(world: World, log: FoldedLog) -> Iterable[str]:
    """Bundles agree with the log."""
    for stat in world.keys(layout.BUNDLES):
        first, last = (int(number) for number in stat.key.split("/")[-1].split(".")[0].split("-"))
        lines = list(bundle.decode([world.read(stat.key)], stat.key))
        if lines != [entry.data for entry in log.entries[first - 1 : last]]:
            yield f"{stat.key} does not agree with the log"


def _numbers(live: Live) -> Iterable[str]:
    """Version numbers have no gap."""
    numbers: dict[str, list[int]] = {}
    for record in live.versions.values():
        numbers.setdefault(record.dataset, []).append(record.number)
    for dataset, found in numbers.items():
        if sorted(found) != list(range(1, len(found) + 1)):
            yield f"{dataset} has the versions {sorted(found)}"


def _promises(
    everything: Sequence[object], live: Live, trees: dict[str, facts.Tree | str]
) -> Iterable[str]:
    """What somebody was told is so."""
    removing = Counter(fact.ref for fact in everything if isinstance(fact, facts.Removing))
    hurt = _hurt(everything)
    restored = Counter(fact.ref for fact in everything if isinstance(fact, facts.Restored))
    for fact in everything:
        match fact:
            case facts.Saved(trying, ref):
                if ref not in trees:
                    if removing[ref] <= restored[ref]:
                        yield f"{ref} is not listed, though somebody was told that it is saved"
                elif trees[ref] != trying.tree and _is(trees[ref], tuple):
                    yield f"{ref} does not hold what was saved"
            case facts.Seen(ref, tree):
                if trees.get(ref, tree) != tree and _is(trees[ref], tuple):
                    yield f"{ref} was seen with other content than it has"
                if ref not in live.versions:
                    yield f"{ref} was seen, and never was"
            case facts.Unreadable(ref) if ref.partition("@")[0] in hurt:
                pass
            case facts.Unreadable() | facts.Broken():
                yield str(fact)
    refs = [fact.ref for fact in everything if isinstance(fact, facts.Saved) and not fact.known]
    yield from (f"{ref} was given twice" for ref, count in Counter(refs).items() if count > 1)


def _strangers(
    everything: Sequence[object], live: Live, trees: dict[str, facts.Tree | str]
) -> Iterable[str]:
    """Nothing is there that nobody knows of, and nothing twice."""
    tried = Counter(fact for fact in everything if isinstance(fact, facts.Trying))
    settled = Counter(
        fact.trying
        for fact in everything
        if isinstance(fact, facts.NotSaved) or (isinstance(fact, facts.Saved) and fact.known)
    )
    there = Counter(
        facts.Trying(live.versions[ref].dataset, tree)
        for ref, tree in trees.items()
        if isinstance(tree, tuple)
    )
    for trying, count in there.items():
        if count > tried[trying] - settled[trying]:
            told = " though its user was told that it is not" if settled[trying] else ""
            yield f"{trying.dataset} is there {count} times, tried {tried[trying]}{told}"
