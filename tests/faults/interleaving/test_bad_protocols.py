"""Protocols that are known to lose data do lose it here: the simulator would notice if ours did."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from datacat import layout
from tests.faults.interleaving import bad_gc, bad_log, bad_repairs, bad_verbs
from tests.faults.interleaving.bad_clients import OverwritingWrites
from tests.faults.interleaving.bad_protocols import BAD_PROTOCOLS, DOUBT, SILENCE, BadProtocol
from tests.faults.interleaving.explorer import Limits
from tests.faults.interleaving.meetings import (
    one_saver,
    restorer_and_collector_in_full,
    saver_and_collector,
    saver_and_wrong_clock,
    two_savers,
)
from tests.faults.interleaving.repairs import repairer_and_healer, repairer_and_saver
from tests.faults.interleaving.runs import in_outline, play_schedule, searched
from tests.faults.interleaving.scenario import Scenario
from tests.faults.interleaving.scenarios import GOOD, Parts


@pytest.mark.parametrize("bad", BAD_PROTOCOLS, ids=str)
def test_a_bad_protocol_is_caught(bad: BadProtocol) -> None:
    name = bad.scenario.__name__
    start = in_outline(bad.scenario, bad.parts)
    with bad.patched():
        report = searched(name, bad.limits, start=start)
        assert report.wrong
        # The schedule that is printed shows it again.
        schedule = report.wrong[0].rpartition(f"{name} '")[2].rstrip("'")
        again = play_schedule(name, schedule, start=start)
        assert any(line.startswith("WRONG") for line in again)
    # And with the good protocol nothing is wrong with it; it may not go that far.
    if bad.limits.faults == 0:
        good = searched(name, Limits(states_max=20_000))
        assert not good.wrong


@pytest.mark.parametrize(
    ("meeting", "patched", "parts", "limits"),
    [
        (two_savers, bad_verbs.one_session, Parts(world=OverwritingWrites), Limits()),
        (two_savers, bad_verbs.record_first, GOOD, Limits()),
        (one_saver, bad_verbs.cleans_up, GOOD, DOUBT),
        (one_saver, bad_log.silence_is_success, GOOD, SILENCE),
        (one_saver, bad_log.silence_is_failure, GOOD, SILENCE),
        (saver_and_collector, bad_gc.no_recheck_by_add, GOOD, Limits()),
        (restorer_and_collector_in_full, bad_gc.no_recheck_by_gc, GOOD, Limits()),
        (saver_and_collector, bad_gc.no_condemn_record, GOOD, Limits()),
        (saver_and_wrong_clock, bad_gc.only_a_period_by_its_own_clock, GOOD, Limits()),
        (repairer_and_saver, bad_repairs.overwrites_in_place, GOOD, Limits()),
        (repairer_and_saver, bad_repairs.record_first, GOOD, Limits(crashes=1)),
        (repairer_and_healer, bad_repairs.believes_its_copies, GOOD, Limits()),
        (repairer_and_healer, bad_repairs.takes_back_what_was_set_aside, GOOD, Limits()),
    ],
)
def test_a_bad_patch_of_the_real_verbs_is_caught(
    meeting: Callable[[Path, Parts], Scenario],
    patched: Callable[[], Any],
    parts: Parts,
    limits: Limits,
) -> None:
    limits = replace(limits, only=layout.LOG)
    with patched():
        name = meeting.__name__
        report = searched(name, limits, start=lambda folder: meeting(folder, parts))
    assert report.wrong
