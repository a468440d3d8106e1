"""A start: a store, the people who meet there, and what they have with them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.faults.interleaving.calls import Call
from tests.faults.interleaving.process import Actor
from tests.faults.interleaving.world import World

OWN = ("sync", "tell")
"""What concerns nobody else, whatever it is about."""


def nothing(_actor: Actor, _folder: Path) -> None:
    """What a client has when it starts, if nobody gave it anything."""


@dataclass(frozen=True)
class Scenario:
    """What every schedule begins with. `told` was told before; `prepare(actor, folder)` puts into
    the local folder of a client what it has when it starts; `collected`: something is deleted."""

    world: World
    actors: Sequence[Actor]
    told: tuple[object, ...] = ()
    collected: bool = False
    prepare: Callable[[Actor, Path], None] = nothing

    def alone(self, world: World, call: Call) -> bool:
        """Whether a call concerns nobody else: it commutes with all that others can do."""
        if call.verb in OWN:
            return True
        if call.verb in ("read", "range"):
            # A record never changes; other names do not as long as nobody deletes.
            fixed = call.key.startswith("catalog/log/") or not self.collected
            return fixed and not call.key.startswith("copies/") and call.key in world._entries
        # A name of one's own; only a collector lists what lies there.
        return call.verb == "write" and not self.collected and not call.key.startswith("catalog/")
