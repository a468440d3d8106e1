"""Outputs: what is said of a run when it is saved, and when its bytes are there already."""

from __future__ import annotations

from pathlib import Path

import pytest

from datacat.errors import InvalidInput
from datacat.model import Better, Unsaved
from tests.trees import file, write_tree
from tests.unit.organise.conftest import Opened


@pytest.fixture
def net(team: Opened, tmp_path: Path) -> Path:
    """bob's output, saved as net@v1."""
    folder = write_tree(tmp_path / "net", {"w.bin": file(b"weights")})
    team("bob").add(
        folder,
        sources=["cmr@v1"],
        params={"lr": 1, "on": True},
        metrics={"dice": 0.9, "secs": 3},
        better={"secs": "min"},
    )
    return folder


def test_the_same_again_loses_nothing(team: Opened, net: Path) -> None:
    again = team("bob").add(
        net, sources=["cmr@v1"], params={"lr": 1}, metrics={"dice": 0.9}, better={"secs": "min"}
    )
    assert not again.created
    assert again.unsaved == Unsaved()
    assert not again.unsaved
    assert not team("bob").add(net, params={"lr": 1}, new_version=True).created


def test_other_numbers_for_the_same_bytes_are_named(team: Opened, net: Path) -> None:
    store = team("bob")
    asked = {
        "sources": ["cmr@v2", "cmr@v1"],
        "params": {"lr": 1.0, "on": 1, "new": None},
        "metrics": {"dice": 0.95, "secs": 3},
        "better": {"dice": "max", "secs": "min"},
    }
    expected = Unsaved(
        params={"lr": 1.0, "on": 1, "new": None},
        metrics={"dice": 0.95},
        better={"dice": Better.MAX},
        sources=("cmr@v2",),
    )
    for dry_run in (True, False):
        found = store.add(net, **asked, dry_run=dry_run)  # type: ignore[arg-type]
        assert (found.created, found.version.ref, found.unsaved) == (False, "net@v1", expected)
        assert {key: type(value) for key, value in found.unsaved.params.items()} == {
            "lr": float,
            "on": int,
            "new": type(None),
        }
    assert [v.number for v in store.versions("net")] == [1]
    saved = store.add(net, **asked, new_version=True)  # type: ignore[arg-type]
    assert (saved.created, saved.version.ref, saved.unsaved) == (True, "net@v2", Unsaved())
    assert saved.version.hash == found.version.hash
    # Once more there is nothing left to save.
    assert not store.add(net, **asked, new_version=True).created  # type: ignore[arg-type]


def test_or_they_are_said_of_the_version(team: Opened, net: Path) -> None:
    store = team("bob")
    unsaved = store.add(net, metrics={"dice": 0.95}, better={"dice": "max"}).unsaved
    store.edit("net@v1", metrics=unsaved.metrics, better=unsaved.better)
    assert not store.add(net, metrics={"dice": 0.95}, better={"dice": "max"}).unsaved


def test_a_direction_holds_for_every_version(team: Opened, net: Path) -> None:
    store = team("bob")
    (net / "w.bin").write_bytes(b"others")
    added = store.add(net, metrics={"secs": 2})
    assert added.version.ref == "net@v2"
    assert [dict(v.better) for v in store.log("net")] == [{"secs": Better.MIN}] * 2
    assert store.show("net").best == ("secs",)
    store.edit("net@v1", better={"secs": "max"})
    assert store.show("net").best == ()
    assert store.show("net@v1").best == ("secs",)
    with pytest.raises(InvalidInput, match="'min' or 'max'"):
        store.edit("net@v1", better={"secs": "fast"})
    with pytest.raises(InvalidInput, match="'min' or 'max'"):
        store.add(net, better={"secs": "fast"})


def test_metrics_that_are_no_number_are_warned_of(team: Opened, net: Path) -> None:
    (net / "w.bin").write_bytes(b"others")
    metrics = {"dice": "0,91", "\x1b[31m": "x\n", "ok": True, "good": 1, "gone": None}
    warnings = team("bob").add(net, metrics=metrics).warnings
    assert len(warnings) == 3
    assert warnings[0] == "metric dice is '0,91', not a number: it is kept, but never compared"
    assert "\x1b" not in warnings[1]
    with pytest.raises(InvalidInput, match="not a finite number"):
        team("bob").add(net, metrics={"dice": float("nan")}, new_version=True)
