"""Protocols that are known to lose data, and where that shows: each must be caught."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any

from datacat import layout
from tests.faults.interleaving import bad_clients, bad_log
from tests.faults.interleaving.calls import How
from tests.faults.interleaving.explorer import Limits
from tests.faults.interleaving.scenario import Scenario
from tests.faults.interleaving.scenarios import (
    GOOD,
    Parts,
    adder_and_collector,
    left_behind,
    two_adders,
    two_collectors,
)

CALM = Limits()
"""No fault at all."""

SILENCE = Limits(faults=1, hows=(How.UNANSWERED, How.LATE, How.LOST))
"""One call of one client gets no reply."""

DOUBT = Limits(faults=3, hows=(How.UNANSWERED, How.DENIED), only=layout.LOG)
"""A record is written, the reply is lost, and the looks at the slot are refused."""


@dataclass(frozen=True)
class BadProtocol:
    """One way to do it wrong. `patched` changes the real code for the time of a search."""

    name: str
    scenario: Callable[[Parts], Scenario]
    parts: Parts = GOOD
    limits: Limits = CALM
    patched: Callable[[], Any] = field(default=nullcontext)

    def __str__(self) -> str:
        return self.name


BAD_PROTOCOLS = (
    BadProtocol("slots are overwritten", two_adders, Parts(world=bad_log.SlotsOverwritten)),
    BadProtocol(
        "a slot is deleted after a lost reply",
        two_adders,
        Parts(bad_log.TakesItsRecordBack),
        DOUBT,
    ),
    BadProtocol(
        "gc deletes records of the log", adder_and_collector, Parts(collector=bad_log.SweepsTheLog)
    ),
    BadProtocol(
        "silence is taken for success",
        two_adders,
        limits=SILENCE,
        patched=bad_log.silence_is_success,
    ),
    BadProtocol(
        "silence is taken for failure",
        two_adders,
        limits=SILENCE,
        patched=bad_log.silence_is_failure,
    ),
    BadProtocol(
        "another slot after silence",
        two_adders,
        limits=SILENCE,
        patched=bad_log.another_slot_after_silence,
    ),
    BadProtocol(
        "a session id that is used twice",
        two_adders,
        Parts(bad_clients.OneSession, world=bad_clients.OverwritingWrites),
    ),
    BadProtocol(
        "containers named by their content",
        two_collectors,
        Parts(bad_clients.NamesByContent),
    ),
    BadProtocol("dedup by exists", left_behind, Parts(bad_clients.DedupByExists)),
    BadProtocol(
        "uploads deleted after a lost reply",
        two_adders,
        Parts(bad_clients.CleansUp),
        DOUBT,
    ),
    BadProtocol("the record before the manifest", two_adders, Parts(bad_clients.RecordFirst)),
    BadProtocol(
        "an add that does not recheck", adder_and_collector, Parts(bad_clients.ForgetsToRecheck)
    ),
    BadProtocol(
        "gc without a condemn record",
        adder_and_collector,
        Parts(collector=bad_clients.NoCondemnRecord),
    ),
    BadProtocol(
        "gc without a condemn record that looks twice",
        adder_and_collector,
        Parts(collector=bad_clients.NoCondemnButLooksAgain),
    ),
    BadProtocol(
        "gc that condemns an old plan",
        adder_and_collector,
        Parts(collector=bad_clients.CondemnsAnOldPlan),
    ),
    BadProtocol(
        "an upload period by the collector's clock",
        two_collectors,
        Parts(collector=bad_clients.TrustsItsClock),
    ),
    BadProtocol(
        "gc that skips what it cannot read",
        adder_and_collector,
        Parts(collector=bad_clients.SkipsUnreadable),
        Limits(faults=1, hows=(How.DENIED,)),
    ),
)
