"""`clone`: a second store with all that one holds, while others work in the first."""

from __future__ import annotations

import json
import threading
from datetime import timedelta
from pathlib import Path

import pytest

from datacat import layout
from datacat.backend import open_backend
from datacat.catalog.log import Log
from datacat.catalog.record import Void, sealed
from datacat.errors import Cancelled, Corrupt, DatacatError, Failed, NoStore, Refused
from datacat.opened import open_store
from datacat.progress import Advanced, Event, Started, StopSignal
from datacat.store import Store
from tests.trees import read_tree
from tests.unit.replication.conftest import Clients, Pair
from tests.unit.replication.test_copy import is_whole, pulled


@pytest.fixture
def history(pair: Pair) -> Pair:
    """Three versions, one of them in the trash, one gone for good, and a new name."""
    for edit in range(4):
        pair.save(edit, alias="gold" if edit == 1 else None)
    pair.here.rm(["cmr@v1"])
    pair.here.gc(older_than=timedelta(0))
    pair.here.rm(["cmr@v3"])
    pair.here.rename("cmr", "heart")
    return pair


def test_everything_is_there(history: Pair, client: Clients, tmp_path: Path) -> None:
    here = history.here
    result = here.clone(str(tmp_path / "new"), name="second")
    new = Store.open(result.url, client=client("carol"))
    assert new.info.id != here.info.id
    assert (new.info.name, new.info.parameters) == ("second", here.info.parameters)
    assert new.versions("cmr") == here.versions("heart")
    assert [a.ref for a in new.aliases("heart")] == ["heart@v2"]
    assert new.log()[:-1] == here.log()[:-1]
    assert is_whole(new)
    for ref in ("heart@v2", "heart@v4"):
        assert pulled(new, ref, tmp_path / f"x{ref}") == pulled(here, ref, tmp_path / f"y{ref}")
    new.restore(["heart@v3"])
    assert is_whole(new)
    with pytest.raises(DatacatError) as gone:
        new.restore(["heart@v1"])
    assert gone.value.kind == "version_gone"
    # It lives on by itself; what is new in it is known in the other, and the rest too.
    (history.folder / "note.txt").write_text("in the clone")
    assert new.add(history.folder, name="heart").version.ref == "heart@v5"
    (copied,) = new.copy(["heart@v5"], to=here).versions
    assert (copied.there, copied.created) == ("heart@v5", True)
    (known,) = new.copy(["heart@v2"], to=here).versions
    assert not known.created
    # Only what is needed was carried, and nothing is left of how it was made.
    names = {found.key for found in open_backend(result.url).keys("")}
    assert names <= {found.key for found in open_backend(here.url).keys("")} | names
    assert open_backend(result.url).stat(layout.CLONE) is None


def test_interrupted_there_is_no_store_and_it_goes_on(
    history: Pair, client: Clients, tmp_path: Path
) -> None:
    """Stopped after each step in turn: before the last one nobody can open it."""
    here, place = history.here, str(tmp_path / "new")
    steps = 0
    for allowed in (0, 1, 3, 7, 10_000):
        stop = StopSignal()
        steps = 0

        def count(event: Event, stop: StopSignal = stop, allowed: int = allowed) -> None:
            nonlocal steps
            steps += isinstance(event, (Advanced, Started))
            if steps > allowed:
                stop.set()

        try:
            result = here.clone(place, listener=count, stop=stop)
            break
        except Cancelled:
            with pytest.raises(NoStore) as caught:
                Store.open(place, client=client("carol"))
            assert caught.value.kind == "unfinished_clone"
    assert result.sent_bytes < result.bytes
    assert is_whole(Store.open(place, client=client("carol")))
    with pytest.raises(Refused) as twice:
        here.clone(place)
    assert twice.value.kind == "already_a_store"


def test_others_save_and_collect_meanwhile(history: Pair, client: Clients, tmp_path: Path) -> None:
    """While the first file is carried, versions are added, removed and collected."""
    here = history.here
    other = Store.open(here.url, client=client("carol"))
    done = threading.Event()

    def meddle(event: Event) -> None:
        if isinstance(event, Started) and event.phase == "Cloning" and not done.is_set():
            done.set()
            (history.folder / "note.txt").write_text("meanwhile")
            other.add(history.folder, name="heart")
            other.rm(["heart@v2"], force=True)
            other.gc(older_than=timedelta(0))

    result = here.clone(str(tmp_path / "new"), listener=meddle)
    assert done.is_set()
    new = Store.open(result.url, client=client("dana"))
    assert new.versions("heart") == here.versions("heart")
    assert new.versions("heart")[0].number == 5
    assert is_whole(new)
    new.pull("heart", dest=tmp_path / "pulled")
    assert read_tree(tmp_path / "pulled") == read_tree(history.folder)


def test_damage_is_not_cloned(pair: Pair, client: Clients, tmp_path: Path) -> None:
    pair.save(0)
    pair.save(1)
    backend = open_backend(pair.here.url)
    for where in (layout.WHOLE, layout.PACKS, layout.SEGMENTS, layout.MANIFESTS):
        place = tmp_path / where.strip("/")
        key = next(found.key for found in backend.keys(where))
        path = backend.path_of(key)
        assert path is not None
        good = path.read_bytes()
        path.chmod(0o644)
        path.write_bytes(good[:20] + bytes([good[20] ^ 1]) + good[21:])
        cold = Store.open(pair.here.url, client=client(where.strip("/")))
        with pytest.raises(Corrupt) as caught:
            cold.clone(str(place))
        assert key in caught.value.message
        assert not (place / key).exists()
        assert not (place / "store.json").exists()
        path.write_bytes(good)
        assert pair.here.clone(str(place)).sent_bytes > 0


def test_a_place_of_its_own(pair: Pair, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").write_text("x")
    with pytest.raises(Failed) as taken:
        pair.here.clone(str(tmp_path / "full"))
    assert taken.value.kind == "not_empty"
    stop = StopSignal()
    stop.set()
    pair.save(0)
    with pytest.raises(Cancelled):
        pair.here.clone(str(tmp_path / "new"), stop=stop)
    with pytest.raises(Failed) as other:
        pair.there.clone(str(tmp_path / "new"))
    assert other.value.kind == "other_clone"


def test_odd_records_stay_what_they_are(pair: Pair, client: Clients, tmp_path: Path) -> None:
    """What is void, what has fields of a newer version, what names the link in a text."""
    pair.save(0)
    opened = open_store(pair.here.url, client=client())
    entries = list(opened.catalog.log.read_from(0, opened.catalog.log.genesis_digest))
    backend, last = opened.backend, entries[-1]
    newer = json.loads(last.data) | {"seq": last.seq + 1, "prev": last.digest, "newer": [1, None]}
    del newer["check"]
    newer |= {"txid": "f" * 32, "number": 2, "message": f'"prev":"{last.digest}"'}
    first = sealed(json.dumps(newer, separators=(",", ":")).encode())
    backend.create(layout.log_record(last.seq + 1), first)
    backend.create(layout.log_record(last.seq + 2), sealed(b'{"nothing":1}'))
    result = pair.here.clone(str(tmp_path / "new"))
    new = open_store(result.url, client=client("carol"))
    made = list(new.catalog.log.read_from(0, new.catalog.log.genesis_digest))
    assert [type(entry.record) for entry in made[-2:]] == [type(last.record), Void]
    assert json.loads(made[-2].data)["newer"] == [1, None]
    assert json.loads(made[-2].data)["message"] == newer["message"]
    there = Store.open(result.url, client=client("carol"))
    assert [v.number for v in there.versions("cmr")] == [2, 1]
    assert isinstance(new.catalog.log, Log)
