"""Which run is best: what was said, what names say, and what cannot be compared."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datacat.catalog.best import best_metrics, best_runs, best_so_far, direction, number
from datacat.model import Better
from tests.unit.render.conftest import version

MIN, MAX = Better.MIN, Better.MAX


@pytest.mark.parametrize(
    ("metric", "known"),
    [
        ("dice", MAX),
        ("Dice/mean", MAX),
        ("val_loss", MIN),
        ("val.loss", MIN),
        ("dice_loss", MIN),
        ("top-1 accuracy", MAX),
        ("HD95", MIN),
        ("glossary", None),
        ("discerning", None),
        ("seconds", None),
        ("", None),
    ],
)
def test_what_a_name_says(metric: str, known: Better | None) -> None:
    assert direction(version(), metric) is known
    assert direction(version(better={metric: MIN}), metric) is MIN
    assert direction(version(better={metric: MAX}), metric) is MAX


@pytest.mark.parametrize(
    ("value", "others", "best"),
    [
        (0.9, [0.8, 0.7], True),
        (0.9, [0.9], False),
        (0.9, [0.95, 0.8], False),
        (0.9, [], False),
        (0.9, [None], False),
        (1, [0.5], True),
        (True, [0.1], False),
        ("0.9", [0.1], False),
        (float("nan"), [0.1], False),
        (float("inf"), [0.1], False),
        (0.9, ["x", True, float("nan")], False),
        (0.9, ["x", 0.1], True),
    ],
)
def test_best_so_far(value: Any, others: list[Any], best: bool) -> None:
    earlier = [version(n, metrics={} if o is None else {"dice": o}) for n, o in enumerate(others)]
    now = version(99, metrics={"dice": value})
    assert best_so_far(now, "dice", earlier) is best


values = st.one_of(
    st.integers(-3, 3), st.floats(), st.booleans(), st.sampled_from(["0.9", "nan"]), st.none()
)


@given(st.lists(st.one_of(st.none(), values.map(lambda v: {"m": v})), max_size=8), st.booleans())
def test_the_best_are_better_than_every_other(found: list[Any], small: bool) -> None:
    better = {"m": MIN if small else MAX}
    runs = [version(n, metrics=m or {}, better=better) for n, m in enumerate(found)]
    counted = {r.number: n for r in runs if (n := number(r.metrics.get("m"))) is not None}
    best = best_runs(runs)
    if len(set(counted.values())) < 2:
        assert best == {}
        return
    sign = -1 if small else 1
    highest = max(sign * value for value in counted.values())
    assert best == {"m": {n for n, value in counted.items() if sign * value == highest}}
    for run in runs:
        assert best_metrics(run, best) == (["m"] if run.number in best["m"] else [])


def test_of_other_metrics_nothing_is_claimed() -> None:
    assert best_runs([version(1, metrics={"seconds": 3}), version(2, metrics={"seconds": 4})]) == {}
