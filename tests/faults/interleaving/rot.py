"""Damage in storage before anybody meets, and the people who mend it."""

from __future__ import annotations

from datacat import layout
from datacat.errors import DatacatError
from tests.faults.interleaving import facts
from tests.faults.interleaving.oracle import onlooker
from tests.faults.interleaving.outline import Outline
from tests.faults.interleaving.people import Person, write_files
from tests.faults.interleaving.replayed import Live
from tests.faults.interleaving.world import World

BACKUP = "backup"
"""The folder in which a mender has what was saved, as any copy of it may lie about."""


def flip(world: World, content: bytes) -> facts.Damaged:
    """A bit of `content`, wherever it lies as it is."""
    for stat in [*world.keys(layout.PACKS), *world.keys(layout.WHOLE)]:
        data = world.read(stat.key)
        at = data.find(content)
        if at >= 0:
            world.replace(stat.key, data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
    ((_, digest),) = facts.tree_of({"": content})
    return facts.Damaged(digests=(digest,))


def lose_list(world: World, ref: str) -> facts.Damaged:
    """The list of files of a version."""
    log = Outline(onlooker(world)).follow()
    world.delete(Live.at(log).versions[ref].manifest.key)
    return facts.Damaged(refs=(ref,))


def mend(person: Person, files: dict[str, bytes]) -> None:
    """Repair the store from a folder with these files, and say so if nothing is lost."""
    folder = write_files(person.desk.folder / BACKUP, files)
    try:
        done = person.store.repair(sources=[folder])
    except DatacatError:
        return
    if done.done and not done.lost:
        person.desk.tell(facts.Mended())
