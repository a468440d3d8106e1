"""Tests that are campaigns when they try more: what they count is kept as long runs are.

A test says `record_property("hostile paths", 495)`; of tests that passed these are added up.
"""

from __future__ import annotations

import time
from collections import Counter

import pytest

from tests.faults.campaigns.ran import record

SUITES = {
    "damage": ("26", ["tests/faults/test_damage.py", "tests/faults/test_damage_cache.py"]),
    "hostile": (
        "1",
        [
            "tests/faults/test_hostile_paths.py",
            "tests/faults/test_hostile_sql.py",
            "tests/faults/test_hostile_json.py",
        ],
    ),
    "mutated": ("371", ["tests/faults/test_mutated.py"]),
    "killed": ("40", ["tests/faults/test_kill.py"]),
}
"""The value of DATACAT_TEST_EFFORT with which each reaches its number, and its files."""


class _Counting:
    """Adds up what tests counted, and how many failed."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.failed = 0
        self.passed = 0

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.failed += report.failed
        if report.when == "call" and report.passed:
            self.passed += 1
            for name, count in report.user_properties:
                if isinstance(count, int):
                    self.counts[name] += count


def run(name: str, *, effort: str, more: list[str]) -> int:
    """Run a suite, whose tests read the effort from the environment; keep what it counted."""
    began = time.time()
    counting = _Counting()
    files = SUITES[name][1]
    code = pytest.main(["-q", "-o", "timeout=0", *files, *more], plugins=[counting])
    counts = Counter(counting.counts, tests=counting.passed)
    record(
        name,
        part=f"effort {effort}",
        counts=counts,
        wrong=counting.failed,
        seconds=time.time() - began,
    )
    return int(code)
