"""`copy`: a version is the same in another store, and only what is missing there travels."""

from __future__ import annotations

import threading
from datetime import timedelta
from pathlib import Path

import pytest

from datacat import layout
from datacat.backend import open_backend
from datacat.errors import Cancelled, Conflict, Corrupt, InvalidInput, Refused
from datacat.model import Code, Parameters
from datacat.progress import Advanced, Event, StopSignal
from datacat.store import Store
from tests.conftest import make_store
from tests.trees import read_tree
from tests.unit.replication.conftest import Clients, Pair


def pulled(store: Store, ref: str, folder: Path) -> object:
    store.pull(ref, dest=folder)
    return read_tree(folder)


def is_whole(store: Store) -> bool:
    return all(found.ok for found in store.verify(everything=True))


def test_a_version_stays_what_it_is(pair: Pair, client: Clients, tmp_path: Path) -> None:
    pair.save(0)
    raw = tmp_path / "raw"
    raw.mkdir()
    (raw / "a").write_bytes(b"raw")
    pair.here.add(raw, name="raw", description="as scanned", tags=["mri"])
    ref = pair.save(
        1,
        message="fix a mask",
        alias="gold",
        sources=["raw@v1"],
        params={"lr": 0.1},
        metrics={"dice": 0.9},
        better={"dice": "max"},
        code=Code("seg", "4f2c1aa", True),
    )
    pair.here.edit("cmr", description="heart", tags=["cardiac"])
    (first,) = pair.here.copy(["raw"], to=pair.there).versions
    result = pair.here.copy([ref], to=pair.there, name="heart")
    (copied,) = result.versions
    assert (first.there, copied.ref, copied.there) == ("raw@v1", "cmr@v2", "heart@v1")
    there = Store.open(pair.there.url, client=client("carol"))
    old, new = pair.here.versions("cmr")[0], there.versions("heart")[0]
    for fact in ("hash", "message", "author", "created_at", "files", "bytes", "params", "metrics"):
        assert getattr(new, fact) == getattr(old, fact), fact
    assert (new.better, new.code, new.aliases) == (old.better, old.code, ("gold",))
    assert new.sources == ("raw@v1",)
    assert new.origin is not None
    assert (new.origin.store, new.origin.ref) == (pair.here.info.id, "cmr@v2")
    assert (new.origin.copied_by, new.origin.sources) == ("bob", ())
    dataset = there.show("heart").dataset
    assert (dataset.description, dataset.tags, dataset.owner) == ("heart", ("cardiac",), "bob")
    assert pulled(there, "heart", tmp_path / "x") == pulled(pair.here, ref, tmp_path / "y")
    assert is_whole(there)
    saved = [entry.detail for entry in there.log() if entry.action == "saved"]
    assert saved == ["cmr@v2 of alice: fix a mask", "raw@v1 of alice: "]


def test_what_it_was_made_from_may_be_elsewhere(pair: Pair) -> None:
    pair.save(0)
    ref = pair.save(1, sources=["cmr@v1"], new_version=True)
    pair.here.copy([ref], to=pair.there)
    version = pair.there.versions("cmr")[0]
    assert version.sources == ()
    assert version.origin is not None
    assert version.origin.sources == ("cmr@v1",)
    assert version.changes.added == 3


@pytest.mark.parametrize("layout", ["pair", "chunked"])
def test_only_what_is_missing_travels(layout: str, request: pytest.FixtureRequest) -> None:
    pair: Pair = request.getfixturevalue(layout)
    refs = [pair.save(edit) for edit in range(4)]
    dry = pair.here.copy(refs[:2], to=pair.there, dry_run=True)
    assert [(v.there, v.created) for v in dry.versions] == [(None, True)] * 2
    assert pair.there.ls().datasets_total == 0
    first = pair.here.copy(refs[:1], to=pair.there)
    second = pair.here.copy(refs[1:2], to=pair.there)
    assert dry.sent_bytes == first.sent_bytes + second.sent_bytes
    assert 0 < second.sent_bytes < first.sent_bytes / 10
    rest = pair.here.copy(["cmr"], to=pair.there, history=True)
    assert [(v.there, v.created) for v in rest.versions] == [
        ("cmr@v1", False),
        ("cmr@v2", False),
        ("cmr@v3", True),
        ("cmr@v4", True),
    ]
    assert rest.sent_bytes < first.sent_bytes / 5
    assert is_whole(pair.there)
    assert pair.there.du().on_disk_bytes < 1.1 * pair.here.du().on_disk_bytes
    (again,) = pair.there.copy(["cmr@v4"], to=pair.here).versions
    assert (again.there, again.created) == ("cmr@v4", False)


def test_differences_travel_without_what_they_were_made_from(chunked: Pair, tmp_path: Path) -> None:
    """Of v3 many chunks were made against those of v1, which is not copied."""
    pair = chunked
    for edit in range(3):
        pair.save(edit)
    pair.here.copy(["cmr@v3"], to=pair.there)
    assert pulled(pair.there, "cmr", tmp_path / "x") == pulled(pair.here, "cmr", tmp_path / "y")
    assert is_whole(pair.there)


def test_through_a_third_store_and_back(pair: Pair, tmp_path: Path, client: Clients) -> None:
    pair.save(0)
    third = make_store("memory", tmp_path, client=client("carol"))
    pair.here.copy(["cmr"], to=third, name="heart")
    third.copy(["heart"], to=pair.there)
    version = pair.there.versions("heart")[0]
    assert version.origin is not None
    assert (version.author, version.origin.ref) == ("alice", "cmr@v1")
    assert version.origin.store == pair.here.info.id
    (back,) = pair.there.copy(["heart"], to=pair.here, name="cmr").versions
    assert (back.there, back.created) == ("cmr@v1", False)


def test_the_newest_there_is_not_replaced_by_something_older(pair: Pair) -> None:
    pair.save(0)
    pair.save(1)
    pair.here.copy(["cmr@v2"], to=pair.there)
    with pytest.raises(Refused) as older:
        pair.here.copy(["cmr@v1"], to=pair.there)
    assert (older.value.kind, older.value.exit_code) == ("older_version", 6)
    (forced,) = pair.here.copy(["cmr@v1"], to=pair.there, force=True).versions
    assert forced.there == "cmr@v2"


def test_a_dataset_of_their_own_is_left_alone(pair: Pair, tmp_path: Path) -> None:
    pair.save(0)
    other = tmp_path / "other"
    other.mkdir()
    (other / "a").write_bytes(b"something else")
    pair.there.add(other, name="cmr")
    with pytest.raises(Conflict) as caught:
        pair.here.copy(["cmr"], to=pair.there)
    assert caught.value.kind == "other_dataset"
    assert "cmr@v1, by bob" in caught.value.message
    assert any("--name" in command for command in caught.value.commands)
    assert [v.author for v in pair.there.versions("cmr")] == ["bob"]
    (forced,) = pair.here.copy(["cmr"], to=pair.there, force=True).versions
    assert forced.there == "cmr@v2"
    assert pair.there.versions("cmr")[0].changes.added == 3


def test_the_same_content_that_somebody_added_there(pair: Pair) -> None:
    pair.save(0)
    pair.there.add(pair.folder, name="cmr")
    (copied,) = pair.here.copy(["cmr"], to=pair.there).versions
    assert (copied.there, copied.created) == ("cmr@v1", False)
    ref = pair.save(1)
    (copied,) = pair.here.copy([ref], to=pair.there).versions
    assert (copied.there, copied.created) == ("cmr@v2", True)


def test_not_to_itself_and_not_to_another_kind(pair: Pair, client: Clients, tmp_path: Path) -> None:
    pair.save(0)
    with pytest.raises(InvalidInput) as same:
        pair.here.copy(["cmr"], to=Store.open(pair.here.url, client=client("bob")))
    assert same.value.kind == "same_store"
    other = make_store("memory", tmp_path, client=client(), parameters=Parameters(digest="sha256"))
    with pytest.raises(InvalidInput) as unlike:
        pair.here.copy(["cmr"], to=other)
    assert unlike.value.kind == "other_digest"


def test_damage_is_never_copied(pair: Pair, client: Clients) -> None:
    pair.save(0)
    pair.save(1)
    backend = open_backend(pair.here.url)
    for found in [*backend.keys(layout.WHOLE), *backend.keys(layout.PACKS)][:4]:
        path = backend.path_of(found.key)
        assert path is not None
        good = path.read_bytes()
        path.chmod(0o644)
        at = 16  # of a pack where its first frame begins
        path.write_bytes(good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :])
        there = make_store("memory", Path(), client=client("bob"))
        with pytest.raises(Corrupt) as caught:
            pair.here.copy(["cmr@v2"], to=there, history=True)
        assert caught.value.exit_code == 5
        assert any(name in caught.value.message for name in (".csv", ".bin", "note.txt"))
        assert is_whole(there)
        path.write_bytes(good)
    result = pair.here.copy(["cmr@v2"], to=there, history=True)
    # What arrived of the last try need not travel again.
    assert result.sent_bytes < pair.here.du().on_disk_bytes
    assert is_whole(there)


def test_it_goes_on_where_it_was_stopped(pair: Pair) -> None:
    pair.save(0)
    total = pair.here.copy(["cmr"], to=pair.there, dry_run=True).sent_bytes
    stop = StopSignal()
    seen = 0

    def stop_soon(event: Event) -> None:
        nonlocal seen
        seen += isinstance(event, Advanced)
        if seen == 4:
            stop.set()

    # Small groups, so that it is stopped between some of them.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("datacat.transfer.relay.GROUP_PIECES", 10)
        with pytest.raises(Cancelled):
            pair.here.copy(["cmr"], to=pair.there, listener=stop_soon, stop=stop)
        assert pair.there.ls().datasets_total == 0
        result = pair.here.copy(["cmr"], to=pair.there)
    assert 0 < result.sent_bytes < total
    assert is_whole(pair.there)


def test_two_who_copy_the_same_make_one_version(pair: Pair, client: Clients) -> None:
    pair.save(0)
    stores = [
        (
            Store.open(pair.here.url, client=client(name)),
            Store.open(pair.there.url, client=client(name)),
        )
        for name in ("carol", "dana")
    ]
    begin = threading.Barrier(2)
    made = []

    def copy(here: Store, there: Store) -> None:
        begin.wait()
        made.extend(here.copy(["cmr"], to=there).versions)

    threads = [threading.Thread(target=copy, args=pair) for pair in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted((one.there, one.created) for one in made) == [("cmr@v1", False), ("cmr@v1", True)]
    assert len(pair.there.versions("cmr")) == 1


def test_gc_there_takes_nothing_that_was_counted_on(pair: Pair, tmp_path: Path) -> None:
    """Between the plan and the record, what the plan found there is condemned."""
    pair.save(0)
    pair.save(1)
    pair.here.copy(["cmr@v1"], to=pair.there)
    collected = []

    def collect(event: Event) -> None:
        if isinstance(event, Advanced) and not collected:
            collected.append(event)
            with Store.open(pair.there.url, client=pair.there._opened.client) as other:
                other.rm(["cmr"])
                other.gc(older_than=timedelta(0))

    pair.here.copy(["cmr@v2"], to=pair.there, listener=collect)
    assert collected
    assert is_whole(pair.there)
    assert pulled(pair.there, "cmr", tmp_path / "x") == pulled(pair.here, "cmr", tmp_path / "y")
