"""Random schedules of many clients keep what was promised, and are the same for the same seed."""

from __future__ import annotations

import pytest

from tests.faults.interleaving.moves import Move, read, written
from tests.faults.interleaving.runs import play_seed, thrown


@pytest.mark.parametrize("first", range(0, 300, 100))
def test_crowds(first: int) -> None:
    report = thrown("crowd", range(first, first + 100))
    assert not report.wrong, report.wrong[0]
    assert report.steps > 25_000
    assert report.faults > 300


@pytest.mark.parametrize("seed", [0, 2])
def test_people_with_the_real_verbs(seed: int) -> None:
    report = thrown("crowd_of_people", range(seed, seed + 1))
    assert not report.wrong, report.wrong[0]
    assert report.steps > 100


def test_people_who_mend_what_is_damaged() -> None:
    report = thrown("crowd_that_repairs", range(2, 3))
    assert not report.wrong, report.wrong[0]
    assert report.steps > 200


@pytest.mark.parametrize(("name", "seed"), [("crowd", 7), ("crowd_of_people", 1)])
def test_a_seed_gives_the_same_again(name: str, seed: int) -> None:
    assert play_seed(name, seed) == play_seed(name, seed)


def test_a_schedule_is_one_line() -> None:
    line = "alice*3 bob:lost late:1 wait:3600 alice bob+:crash"
    assert written(read(line)) == line
    assert read(line)[:4] == [Move("alice")] * 3 + [read("bob:lost")[0]]
