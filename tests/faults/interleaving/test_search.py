"""Every schedule of small meetings keeps what was promised. `make simulate` goes further."""

from __future__ import annotations

import pytest

from tests.faults.interleaving.explorer import Limits
from tests.faults.interleaving.runs import searched


@pytest.mark.parametrize(
    ("name", "limits", "bundles", "steps_min"),
    [
        ("two_adders", Limits(1, 1), False, 80_000),
        ("two_adders", Limits(0, 1), True, 2_000),
        ("adder_and_collector", Limits(0, 1), False, 6_000),
        ("restorer_and_collector", Limits(0, 1), False, 30_000),
        ("left_behind", Limits(0, 1), False, 2_000),
        ("two_savers", Limits(0, 1), False, 2_000),
        ("two_editors", Limits(0, 1), False, 600),
        ("restorer_and_collector_in_full", Limits(0, 1), False, 2_000),
    ],
    ids=lambda value: str(value) if isinstance(value, str | Limits) else "",
)
def test_every_schedule(name: str, limits: Limits, bundles: bool, steps_min: int) -> None:
    report = searched(name, limits, bundles=bundles)
    assert not report.wrong, report.wrong[0]
    assert report.complete
    assert report.steps >= steps_min, "fewer steps than it should have: was anything tried?"
