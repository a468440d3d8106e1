"""What is moved to the trash, who is asked first, and what comes back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from datacat.errors import Conflict, InvalidInput, NotFound, Refused
from datacat.maintenance import trash
from datacat.model import Removal
from datacat.store import Store

Opened = Callable[..., Store]


def save(store: Store, folder: Path, name: str, *texts: str, **more: object) -> None:
    """A version of `name` for each text."""
    folder.mkdir(exist_ok=True)
    for text in texts:
        (folder / f"{name}.txt").write_text(text)
        store.add(folder, name=name, force=True, **more)  # type: ignore[arg-type]


@pytest.fixture
def alice(store: Opened, tmp_path: Path) -> Store:
    """Her `cmr` has three versions."""
    opened = store("alice")
    save(opened, tmp_path / "cmr", "cmr", "one", "two", "three")
    return opened


def live(store: Store, name: str = "cmr") -> list[int]:
    return [version.number for version in store.versions(name)]


def refs(removal: Removal) -> list[str]:
    return [version.ref for version in removal.versions]


def test_one_version_goes_and_comes_back(alice: Store) -> None:
    removal = alice.rm(["cmr@2"])
    assert (removal.names, removal.datasets, refs(removal)) == (("cmr@v2",), (), ["cmr@v2"])
    assert removal.done
    assert live(alice) == [3, 1]
    (listed,) = alice.ls(trash=True).datasets
    assert (listed.name, listed.latest, listed.versions) == ("cmr", "cmr@v2", 1)
    (version,) = alice.trash("cmr")
    assert (version.ref, version.trashed_by) == ("cmr@v2", "alice")
    with pytest.raises(NotFound, match="alice put it there") as caught:
        alice.pull("cmr@v2")
    assert caught.value.commands == ("datacat restore cmr@v2",)

    assert [v.ref for v in alice.restore(["cmr@v2"]).versions] == ["cmr@v2"]
    assert live(alice) == [3, 2, 1]
    assert alice.ls(trash=True).datasets == ()


def test_a_bare_name_is_the_whole_dataset_and_latest_is_not(alice: Store) -> None:
    assert refs(alice.rm(["cmr@latest"])) == ["cmr@v3"]
    removal = alice.rm(["CMR"])
    assert (removal.names, removal.datasets) == (("cmr",), ("cmr",))
    assert refs(removal) == ["cmr@v1", "cmr@v2"]
    assert alice.ls().datasets == ()
    assert [v.number for v in alice.restore(["cmr"]).versions] == [1, 2, 3]
    assert live(alice) == [3, 2, 1]


def test_until_follows_the_days_of_the_store(tmp_path: Path, client: Callable[..., object]) -> None:
    store = Store.create(
        str(tmp_path / "store"),
        client=client(),  # type: ignore[arg-type]
        trash_days=3,
    )
    assert store.info.trash_days == 3
    save(store, tmp_path / "d", "d", "one")
    removal = store.rm(["d@v1"])
    (version,) = store.trash("d")
    assert version.trashed_at is not None
    assert removal.until - version.trashed_at <= timedelta(days=3, seconds=1)


def test_what_somebody_needs_stays(alice: Store, tmp_path: Path) -> None:
    save(alice, tmp_path / "cmr", "cmr", "four", alias="gold")
    save(alice, tmp_path / "unet", "unet", "weights", sources=["cmr@v2"])
    with pytest.raises(Refused) as caught:
        alice.rm(["cmr"])
    assert caught.value.kind == "still_needed"
    assert caught.value.exit_code == 6
    assert "cmr@v4 is cmr@gold" in str(caught.value)
    assert "unet@v1 was made from cmr@v2" in str(caught.value)
    assert caught.value.commands == ("datacat rm cmr --force   (do it anyway)",)
    assert live(alice) == [4, 3, 2, 1]

    assert refs(alice.rm(["cmr@v1"])) == ["cmr@v1"], "nobody needs that one"
    looked = alice.rm(["cmr"], force=True, dry_run=True)
    assert len(looked.needed_by) == 2
    assert live(alice) == [4, 3, 2]


def test_what_goes_together_does_not_need_each_other(alice: Store, tmp_path: Path) -> None:
    save(alice, tmp_path / "unet", "unet", "weights", sources=["cmr@v2"])
    assert refs(alice.rm(["cmr@v2", "unet", "cmr@v2"])) == ["cmr@v2", "unet@v1"]


def test_what_somebody_pulled_lately_stays(store: Opened, alice: Store, tmp_path: Path) -> None:
    alice.pull("cmr@v1", dest=tmp_path / "mine")
    store("bob").pull("cmr@v2", dest=tmp_path / "his")
    assert refs(alice.rm(["cmr@v1"])) == ["cmr@v1"], "one's own copy is no reason"
    for words in (["cmr@v2"], ["cmr"]):
        with pytest.raises(Refused, match="bob pulled cmr@v2 on 20") as caught:
            alice.rm(words)
        assert caught.value.kind == "still_needed"
        assert f"hub:{tmp_path / 'his'}" in str(caught.value)
    assert refs(alice.rm(["cmr@v3"])) == ["cmr@v3"]
    later = replace(alice._opened.client, now=lambda: datetime.now(UTC) + timedelta(days=31))
    assert refs(Store.open(alice.url, client=later).rm(["cmr"])) == ["cmr@v2"]


def test_only_owner_and_author(store: Opened, alice: Store, tmp_path: Path) -> None:
    bob = store("bob")
    save(bob, tmp_path / "b", "cmr", "of bob")
    with pytest.raises(Refused, match="belongs to alice") as caught:
        bob.rm(["cmr@v1"])
    assert caught.value.kind == "not_yours"
    with pytest.raises(Refused):
        bob.rm(["cmr"])
    assert refs(bob.rm(["cmr@v4"])) == ["cmr@v4"], "his own"
    assert refs(bob.rm(["cmr@v1"], force=True)) == ["cmr@v1"]
    assert refs(alice.rm(["cmr"])) == ["cmr@v2", "cmr@v3"]
    # Nothing is lost by bringing back.
    assert len(bob.restore(["cmr"]).versions) == 4


def test_all_or_nothing_before_it_begins(alice: Store) -> None:
    with pytest.raises(NotFound):
        alice.rm(["cmr@v1", "cmr@v9"])
    with pytest.raises(NotFound):
        alice.rm(["cmr@v1", "nothing"])
    with pytest.raises(InvalidInput) as caught:
        alice.rm(["cmr@v1", "cmr@v2/cmr.txt"])
    assert caught.value.kind == "not_a_version"
    assert live(alice) == [3, 2, 1]
    alice.rm(["cmr@v1"])
    with pytest.raises(NotFound):
        alice.restore(["cmr@v1", "cmr@v9"])
    assert live(alice) == [3, 2]


def test_what_is_not_in_the_trash_need_not_come_back(alice: Store) -> None:
    result = alice.restore(["cmr", "cmr@v2"])
    assert (result.versions, result.already) == ((), ("cmr", "cmr@v2"))


def test_asked_before_and_not_done_without_a_yes(alice: Store) -> None:
    asked: list[Removal] = []

    def no(removal: Removal) -> bool:
        asked.append(removal)
        return False

    assert not alice.rm(["cmr"], confirm=no).done
    assert [removal.datasets for removal in asked] == [("cmr",)]
    assert live(alice) == [3, 2, 1]


def test_what_is_freed_is_what_nobody_else_has(alice: Store, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "shared.bin").write_bytes(b"s" * 300_000)
    (data / "own.bin").write_bytes(b"o" * 500_000)
    alice.add(data, name="one")
    (data / "own.bin").write_bytes(b"x" * 400_000)
    alice.add(data, name="two")
    assert alice.rm(["one"], dry_run=True).frees_bytes is None
    freed = alice.rm(["one"], dry_run=True, measure=True).frees_bytes
    both = alice.rm(["one", "two"], dry_run=True, measure=True).frees_bytes
    assert freed is not None
    assert both is not None
    use = {d.name: d.only_here_bytes for d in alice.du().datasets}
    assert freed == use["one"]
    assert both > use["one"] + use["two"], "what the two share goes with both"


def test_a_dataset_that_somebody_saved_to_meanwhile_stays(
    store: Opened, alice: Store, tmp_path: Path
) -> None:
    """The plan was made for three versions, and confirmed: a fourth is not removed with them."""

    def slow(_removal: Removal) -> bool:
        save(store("bob"), tmp_path / "b", "cmr", "of bob")
        return True

    with pytest.raises(Conflict, match="somebody saved to it") as caught:
        alice.rm(["cmr"], confirm=slow)
    assert caught.value.exit_code == 6
    assert live(alice) == [4, 3, 2, 1]


def test_what_went_before_another_could_not_is_said(
    store: Opened, alice: Store, tmp_path: Path
) -> None:
    save(alice, tmp_path / "other", "other", "one")

    def slow(_removal: Removal) -> bool:
        save(store("bob"), tmp_path / "b", "cmr", "of bob")
        return True

    with pytest.raises(Conflict, match="cmr") as caught:
        alice.rm(["other", "cmr"], confirm=slow)
    assert str(caught.value.hint).endswith("In the trash now: other.")
    assert caught.value.commands[-1] == "datacat restore other"
    assert live(alice) == [4, 3, 2, 1]
    alice.restore(["other"])
    assert live(alice, "other") == [1]


@pytest.mark.parametrize("what", ["alias", "source"])
def test_a_need_that_comes_up_meanwhile_counts(
    store: Opened, alice: Store, tmp_path: Path, what: str
) -> None:
    def slow(_removal: Removal) -> bool:
        bob = store("bob")
        if what == "source":
            save(bob, tmp_path / "b", "unet", "weights", sources=["cmr@v1"])
        else:
            save(bob, tmp_path / "b", "cmr", "of bob", alias="gold")
        return True

    def go(words: list[str]) -> None:
        alice.rm(words, confirm=slow)

    if what == "source":
        with pytest.raises(Refused, match=r"unet@v1 was made from cmr@v1"):
            go(["cmr@v1"])
    else:
        # The new alias is of another version: this one may go all the same.
        go(["cmr@v1"])
    assert (1 in live(alice)) == (what == "source")


def test_others_who_save_without_a_break_do_not_hold_it_up(
    store: Opened, alice: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only records about this dataset make the plan be looked at again."""
    bob = store("bob")
    commit = trash._commit
    tries: list[int] = []

    def busy(*arguments: object) -> None:
        save(bob, tmp_path / "b", "other", str(len(tries)))
        tries.append(1)
        commit(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(trash, "_commit", busy)
    assert alice.rm(["cmr"]).done
    assert len(tries) == 1


def test_two_who_remove_the_same(store: Opened, alice: Store) -> None:
    other = store("alice", host="laptop")

    def slow(_removal: Removal) -> bool:
        other.rm(["cmr@v1"])
        return True

    with pytest.raises(Conflict, match="changed meanwhile"):
        alice.rm(["cmr@v1"], confirm=slow)
    assert live(alice) == [3, 2]


def test_two_who_restore_the_same(store: Opened, alice: Store) -> None:
    alice.rm(["cmr@v1", "cmr@v2"])
    other = store("alice", host="laptop")
    other.versions("cmr")
    assert len(alice.restore(["cmr"]).versions) == 2
    assert other.restore(["cmr"]).versions == ()


def test_a_name_is_not_free_while_its_versions_are_in_the_trash(
    alice: Store, tmp_path: Path
) -> None:
    """What is saved under it is the next version: nothing is in the way of what comes back."""
    alice.rm(["cmr"])
    save(alice, tmp_path / "new", "cmr", "again")
    assert live(alice) == [4]
    alice.restore(["cmr"])
    assert live(alice) == [4, 3, 2, 1]


def test_many_versions_in_one_go(
    alice: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More than one record takes."""
    monkeypatch.setattr(trash, "NUMBERS_MAX", 2)
    save(alice, tmp_path / "cmr", "cmr", "four", "five")
    before = alice.ls().datasets[0].versions
    assert before == 5
    assert len(alice.rm(["cmr"]).versions) == 5
    assert alice.ls().datasets == ()
    assert len(alice.restore(["cmr"]).versions) == 5
