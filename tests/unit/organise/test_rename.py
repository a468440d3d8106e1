from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from datacat.errors import InvalidInput, NotFound, Refused
from datacat.store import Store
from tests.trees import file, write_tree
from tests.unit.organise.conftest import Opened

Interrupted = Callable[..., Store]


def test_every_old_name_keeps_finding_the_dataset(team: Opened, tmp_path: Path) -> None:
    team("bob").pull("cmr@v1", dest=tmp_path / "copy")
    result = team("alice").rename("CMR", "Heart")
    assert (result.old, result.new, result.latest) == ("cmr", "heart", "heart@v3")
    assert team("alice").rename("cmr", "cmr-ukb").old == "heart"
    for name in ("cmr", "heart", "cmr-ukb"):
        assert team().show(f"{name}@v2").version.ref == "cmr-ukb@v2"
        found = team().ls(name)
        assert [dataset.name for dataset in found.datasets] == ["cmr-ukb"]
        assert found.renamed == (None if name == "cmr-ukb" else "cmr-ukb")
    assert team("bob").pull("heart@v2", dest=tmp_path / "copy").ref == "cmr-ukb@v2"
    write_tree(tmp_path / "copy", {"a.txt": file(b"new")})
    assert team("alice").rename("cmr-ukb", "final").new == "final"
    added = team("bob").add(tmp_path / "copy", force=True)
    assert (added.version.ref, added.renamed) == ("final@v4", "cmr-ukb")
    added = team("bob").add(tmp_path / "copy", name="cmr")
    assert (added.version.ref, added.renamed) == ("final@v4", "cmr")


def test_a_dataset_gets_its_old_name_back(team: Opened) -> None:
    team().rename("cmr", "heart")
    assert team().rename("heart", "cmr").changed
    before = len(team().log())
    assert not team().rename("cmr", "cmr").changed
    assert len(team().log()) == before


def test_a_name_that_others_have_or_had_is_taken(team: Opened, tmp_path: Path) -> None:
    team("dana").add(write_tree(tmp_path / "echo", {"b": file(b"echo")}))
    with pytest.raises(Refused, match="the name echo is taken by a dataset of dana") as caught:
        team().rename("cmr", "echo")
    assert (caught.value.kind, caught.value.exit_code) == ("name_taken", 6)
    team("dana").rename("echo", "clips")
    with pytest.raises(Refused, match="taken: dana's clips was called so before"):
        team().rename("cmr", "echo", force=True)


def test_only_its_owner_or_maker_renames_it(team: Opened) -> None:
    with pytest.raises(Refused) as caught:
        team("bob").rename("cmr", "mine")
    assert caught.value.kind == "not_yours"
    assert caught.value.commands == ("datacat rename cmr mine --force   (do it anyway)",)
    assert team("bob").rename("cmr", "mine", force=True).new == "mine"


def test_what_is_no_name(team: Opened) -> None:
    for old, new, kind in (
        ("cmr@v1", "x", "not_a_dataset"),
        ("cmr/a.txt", "x", "not_a_dataset"),
        ("cmr", "x y", "bad_name"),
        ("cmr", "../x", "bad_name"),
        ("cmr", "", "bad_name"),
        ("cmr", "x" * 65, "bad_name"),
        ("cm\u202er", "x", "bad_name"),
    ):
        with pytest.raises(InvalidInput) as caught:
            team().rename(old, new)
        assert caught.value.kind == kind


def test_what_is_not_there(team: Opened) -> None:
    with pytest.raises(NotFound, match="no dataset named 'crm'"):
        team().rename("crm", "x")


def test_decided_when_it_happens(team: Opened, interrupted: Interrupted, tmp_path: Path) -> None:
    """The name is taken, the dataset given away and renamed between the look and the record."""
    folder = write_tree(tmp_path / "echo", {"b": file(b"echo")})
    with pytest.raises(Refused, match="taken by a dataset of dana"):
        interrupted("alice", lambda: team("dana").add(folder)).rename("cmr", "echo")

    def given_away() -> None:
        team("alice").edit("cmr", owner="dana")

    with pytest.raises(Refused, match="it belongs to dana, saved by alice"):
        interrupted("bob", given_away).rename("cmr", "mine")
    result = interrupted("dana", lambda: team("alice").rename("cmr", "heart")).rename("cmr", "x")
    assert (result.old, result.new) == ("heart", "x")
