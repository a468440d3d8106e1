"""Whether the help of other threads is worth it is found out by trying both ways."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from datacat.transfer.pace import CHOSEN_BYTES, SETTLED_BYTES, TRIAL_BYTES, Pace

STEP = 1 << 20


def read(pace: Pace, count: int, seconds: Callable[[bool, int], float]) -> list[bool]:
    """Which way was gone at each step of `count` bytes in all."""
    gone = []
    for number in range(count // STEP):
        gone.append(pace.helped)
        pace.took(STEP, seconds(pace.helped, number))
    return gone


@pytest.mark.parametrize(("alone", "helped"), [(1.0, 2.0), (2.0, 1.0)])
def test_the_faster_way_is_taken_whatever_single_reads_take(alone: float, helped: float) -> None:
    def seconds(with_help: bool, number: int) -> float:
        return 50.0 if number % 9 == 0 else helped if with_help else alone

    pace, trial = Pace(), SETTLED_BYTES + TRIAL_BYTES
    assert read(pace, 2 * trial, seconds) == [False] * (trial // STEP) + [True] * (trial // STEP)
    assert set(read(pace, CHOSEN_BYTES, seconds)) == {helped < alone}


def test_both_are_tried_again_after_a_while() -> None:
    pace, trial = Pace(), SETTLED_BYTES + TRIAL_BYTES
    read(pace, 2 * trial + CHOSEN_BYTES, lambda helped, _: 1.0 if helped else 2.0)
    gone = read(pace, 2 * trial, lambda helped, _: 2.0 if helped else 1.0)
    assert gone == [False] * (trial // STEP) + [True] * (trial // STEP)
    assert not pace.helped
