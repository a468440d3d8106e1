"""Threads take turns while files are quick, and go side by side once they are slow."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from datacat.transfer import turns
from datacat.transfer.turns import SMALL_BYTES, Turns


class Inside:
    """Counts how many threads are between `take` and its end at the same time."""

    def __init__(self) -> None:
        self.most = 0
        self._now = 0
        self._lock = threading.Lock()
        self._second_came = threading.Event()

    def visit(self, turn: Turns, *, files: int, size: int, wait: float) -> None:
        with turn.take(files, size):
            with self._lock:
                self._now += 1
                self.most = max(self.most, self._now)
                if self._now == 2:
                    self._second_came.set()
            self._second_came.wait(wait)
            with self._lock:
                self._now -= 1


def most_inside(turn: Turns, *, files: int, size: int, wait: float) -> int:
    inside = Inside()
    with ThreadPoolExecutor(4) as pool:
        for future in [
            pool.submit(inside.visit, turn, files=files, size=size, wait=wait) for _ in range(4)
        ]:
            future.result()
    return inside.most


def test_quick_small_files_are_handled_by_one_thread_at_a_time() -> None:
    # A thousand files in some milliseconds: nobody waits for storage here.
    assert most_inside(Turns(), files=1_000, size=1_000_000, wait=0.01) == 1


def test_large_files_are_handled_side_by_side() -> None:
    assert most_inside(Turns(), files=2, size=2 * SMALL_BYTES + 2, wait=5) >= 2


def test_slow_files_are_handled_side_by_side_from_then_on(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 10 * turns.SLOW_SECONDS, *[0.0] * 100])
    monkeypatch.setattr(turns.time, "perf_counter", lambda: next(clock))
    turn = Turns()
    with turn.take(10, 10):
        pass
    assert most_inside(turn, files=10, size=10, wait=0.01) == 1, "ten files took just the limit"
    clock = iter([0.0, 11 * turns.SLOW_SECONDS, *[0.0] * 100])
    with turn.take(10, 10):
        pass
    assert most_inside(turn, files=10, size=10, wait=5) >= 2


def test_a_failure_inside_lets_the_next_one_in() -> None:
    turn = Turns()
    with pytest.raises(ValueError, match="stop"), turn.take(1, 1):
        raise ValueError("stop")
    assert most_inside(turn, files=1_000, size=1, wait=0.01) == 1
