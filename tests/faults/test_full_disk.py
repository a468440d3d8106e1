"""Real drives that are full: the store's, the cache's, the temporary one, the destination's."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from datacat import layout
from datacat.backend.reserve import RESERVE_BYTES
from datacat.errors import DatacatError, StorageFull
from datacat.model import LinkMode
from datacat.store import Store
from datacat.working_copy import checkout
from tests.faults.situation import (
    client,
    content,
    drive,
    everything,
    fill,
    make_store,
    needs_root,
    remount,
    run,
    visible,
    write,
)

pytestmark = [pytest.mark.mounts, needs_root]

NUMBERS = re.compile(r"\d[\d.,]* (B|kB|MB|GB)")
KINDS = {
    "whole": {f"w{n}": 1_500_000 for n in range(8)},
    "large": {"l": 12_000_000},
    "small": {f"s{n:03}": 30_000 for n in range(400)},
}
"""Each is 12 MB: files kept whole, one that is not read as a whole, small ones in packs."""


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[Path]:
    with drive(tmp_path / "drive", "8m") as folder:
        yield folder


def data(folder: Path, kind: str) -> Path:
    return write(folder, {name: os.urandom(size) for name, size in KINDS[kind].items()})


@pytest.mark.parametrize("kind", KINDS)
def test_the_store_fills_up_during_add(tmp_path: Path, mounted: Path, kind: str) -> None:
    store = Store.create(str(mounted / "store"), client=client(tmp_path / "cache"))
    store.add(write(tmp_path / "first", {"f": "1"}))
    source = data(tmp_path / "big", kind)
    before = visible(mounted / "store")
    for _ in range(2):
        with pytest.raises(StorageFull, match=r"no space left on .*drive/store") as caught:
            store.add(source)
        assert caught.value.exit_code == 1
        assert NUMBERS.search(str(caught.value))
    assert visible(mounted / "store") == before
    assert os.listdir(mounted / "store" / "tmp") == []
    assert [d.name for d in store.ls().datasets] == ["first"]
    # Whatever is saved can be read from a drive without one free byte.
    filler = fill(mounted)
    fresh = Store.open(store.url, client=client(tmp_path / "fresh"))
    fresh.pull("first", dest=tmp_path / "first-copy")
    assert all(result.ok for result in fresh.verify(everything=True))
    done = run("add", str(source), store=mounted / "store", home=tmp_path / "h")
    assert (done.code, done.out) == (1, "")
    assert f"no space left on {mounted}/store" in done.err
    filler.unlink()
    remount(mounted, "size=64m")
    assert store.add(source).version.ref == "big@v1"
    store.pull("big", dest=tmp_path / "copy")
    assert content(tmp_path / "copy") == content(source)


def test_no_room_for_the_record(tmp_path: Path, mounted: Path) -> None:
    """The content is known already: all that an add has to write are a few small files."""
    store = Store.create(str(mounted / "store"), client=client(tmp_path / "cache"))
    store.add(write(tmp_path / "d", {"a": "1", "b": "2"}))
    os.unlink(tmp_path / "d" / "b")
    filler = fill(mounted)
    before = visible(mounted / "store")
    with pytest.raises(StorageFull):
        store.add(tmp_path / "d")
    assert visible(mounted / "store") == before
    filler.unlink()
    assert store.add(tmp_path / "d").version.ref == "d@v2"
    assert [v.number for v in store.versions("d")] == [2, 1]


@pytest.mark.parametrize("kind", KINDS)
def test_a_pull_that_does_not_fit_is_refused_at_once(
    tmp_path: Path, mounted: Path, kind: str
) -> None:
    store = make_store(tmp_path)
    store.add(data(tmp_path / "big", kind))
    for dest in (mounted / "new" / "copy", mounted):
        with pytest.raises(StorageFull, match=r"not enough space for big@v1: need 1[23]\.") as no:
            store.pull("big", dest=dest)
        assert (no.value.kind, no.value.exit_code) == ("no_space", 1)
        assert re.search(r"need 1[23]\.\d MB, \d\.\d MB free on .*drive", str(no.value))
        assert no.value.commands
        assert everything(mounted) == {}
    done = run("pull", "big", "-d", str(mounted / "c"), store=tmp_path / "store", home=tmp_path)
    assert (done.code, done.out) == (1, "")
    assert "not enough space for big@v1" in done.err
    if kind != "small":
        assert "--link symlink" in done.err
        linked = store.pull("big", dest=mounted / "linked", link=LinkMode.SYMLINK)
        assert linked.linked == len(KINDS[kind])
    remount(mounted, "size=64m")
    store.pull("big", dest=mounted / "copy")
    assert content(mounted / "copy") == content(tmp_path / "big")


def test_a_small_pull_onto_a_small_drive(tmp_path: Path, mounted: Path) -> None:
    store = make_store(tmp_path)
    store.add(write(tmp_path / "d", {"a": "1" * 2_000_000}))
    store.pull("d", dest=mounted / "copy")
    assert content(mounted / "copy") == content(tmp_path / "d")


@pytest.mark.parametrize("kind", KINDS)
def test_the_destination_fills_up_during_pull(
    tmp_path: Path, mounted: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Others write there too, so that what fitted at first does not."""
    store = make_store(tmp_path)
    store.add(data(tmp_path / "big", kind))
    dest = mounted / "copy"
    with monkeypatch.context() as patched:
        patched.setattr(checkout, "refuse_full", lambda *a, **k: None)
        with pytest.raises(StorageFull, match=r"no space left for .*drive/copy") as caught:
            store.pull("big", dest=dest)
    assert caught.value.exit_code == 1
    assert NUMBERS.search(str(caught.value))
    # What has arrived is whole, and no temporary takes up the space that is left.
    original = content(tmp_path / "big")
    for path, found in content(dest).items():
        assert original[path] == found
    assert os.listdir(dest / ".datacat" / "tmp") == []
    remount(mounted, "size=64m")
    store.pull("big", dest=dest)
    assert content(dest) == original


def test_an_update_keeps_the_old_version_when_the_new_one_does_not_fit(
    tmp_path: Path, mounted: Path
) -> None:
    store = make_store(tmp_path)
    store.add(write(tmp_path / "d", {"f": "1", "gone": "2"}))
    dest = mounted / "copy"
    store.pull("d", dest=dest)
    os.unlink(tmp_path / "d" / "gone")
    write(tmp_path / "d", {"f": os.urandom(12_000_000)})
    store.add(tmp_path / "d")
    before = content(dest)
    with pytest.raises(StorageFull, match="not enough space"):
        store.pull("d", dest=dest)
    assert content(dest) == before
    assert [e.state for e in store.status([dest])] == ["unchanged"]


def test_the_cache_is_full(tmp_path: Path, mounted: Path) -> None:
    place = tmp_path / "store"
    with Store.create(str(place), client=client(tmp_path / "cache")) as made:
        made.add(write(tmp_path / "d", {"f": "1"}))
    before = visible(place)
    filler = fill(mounted)
    full = Store.open(str(place), client=client(mounted / "cache"))
    for call in (full.ls, lambda: full.add(tmp_path / "d"), lambda: full.pull("d", dest="x")):
        with pytest.raises(DatacatError, match=f"{mounted}") as caught:
            call()
        assert caught.value.exit_code in {1, 4}
    done = run("ls", store=place, home=tmp_path / "h", XDG_CACHE_HOME=str(mounted))
    assert (done.code, done.out) == (1, "")
    assert str(mounted) in done.err
    assert visible(place) == before
    filler.unlink()
    remount(mounted, "size=64m")
    assert [d.name for d in full.ls().datasets] == ["d"]


def test_the_folder_for_temporary_files_is_full(tmp_path: Path, mounted: Path) -> None:
    """Small plans need no file; a manifest of many names is written there first.

    A few bytes are left, without which Python takes another folder by itself.
    """
    place = tmp_path / "store"
    store = Store.create(str(place), client=client(tmp_path / "cache"))
    store.add(write(tmp_path / "d", {"f": "1"}))
    source = write(tmp_path / "many", {f"{n}-{os.urandom(40).hex()}": "" for n in range(3_000)})
    fill(mounted, leave=32_768)
    before = visible(place)
    where = {"store": place, "home": tmp_path / "h", "TMPDIR": str(mounted)}
    assert run("ls", **where).code == 0
    done = run("add", str(source), **where)
    assert (done.code, done.out) == (1, "")
    assert "no space left" in done.err
    assert "TMPDIR" in done.err
    assert visible(place) == before
    assert os.listdir(mounted) == ["fill"]
    assert store.add(source).version.ref == "many@v1"


def test_rm_and_gc_work_without_one_free_byte(tmp_path: Path, mounted: Path) -> None:
    """The space that was set aside is used, and is there again for the next time."""
    place = mounted / "store"
    store = Store.create(str(place), client=client(tmp_path / "cache"))
    reserve = place / layout.RESERVE
    for name in ("first", "second", "kept"):
        store.add(write(tmp_path / name, {name: os.urandom(400_000)}))
    kept = content(tmp_path / "kept")
    for name in ("first", "second"):
        filler = fill(mounted, name=f"fill-{name}")
        before = reserve.stat().st_size
        with pytest.raises(StorageFull):
            store.add(write(tmp_path / "more", {"m": os.urandom(100_000)}))
        assert reserve.stat().st_size == before, "only what frees space takes from it"
        done = run("rm", name, "--yes", "--force", store=place, home=tmp_path / "h")
        assert done.code == 0, done.err
        done = run("gc", "--older-than", "0d", "--yes", store=place, home=tmp_path / "h")
        assert done.code == 0, done.err
        assert [d.name for d in store.ls().datasets][-1] == "kept" or name == "first"
        assert name not in [d.name for d in store.ls().datasets]
        assert sum(path.stat().st_size > 300_000 for path in (place / "whole").rglob("*")) == (
            2 if name == "first" else 1
        )
        filler.unlink()
        store.gc()
        assert reserve.stat().st_size == RESERVE_BYTES
    store.pull("kept", dest=tmp_path / "copy")
    assert content(tmp_path / "copy") == kept
