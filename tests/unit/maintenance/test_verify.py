"""Verify names exactly what is not as it was saved, and believes nothing of the cache."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from datacat import layout
from datacat.backend.open import open_backend
from datacat.errors import Cancelled, InvalidInput
from datacat.model import Layout, Parameters, VerifyLevel, VerifyResult
from datacat.opened import Client
from datacat.progress import Advanced, Event, Started, StopSignal
from datacat.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Two versions: `a` has other content of the same size in each, `b` is in both."""
    client = Client(user="alice", host="hub", cache_dir=tmp_path / "cache", jobs=2)
    made = Store.create(
        str(tmp_path / "store"),
        client=client,
        name="s",
        parameters=Parameters(small_bytes=1000, layout=Layout.WHOLE),
        shared=False,
    )
    folder = tmp_path / "cmr"
    folder.mkdir()
    for number in (b"1", b"2"):
        (folder / "a").write_bytes(number * 5000)
        (folder / "b").write_bytes(b"b" * 5000)
        (folder / "small").write_bytes(number * 500)
        (folder / "empty").write_bytes(b"")
        made.add(folder, name="cmr")
    return made


def keys(store: Store, prefix: str) -> list[Path]:
    backend = open_backend(store.url)
    return [Path(store.url) / found.key for found in backend.keys(prefix)]


def named(result: VerifyResult) -> set[tuple[str | None, str]]:
    return {(one.ref, one.path) for one in (*result.damaged, *result.missing)}


def holding(store: Store, content: bytes) -> Path:
    (found,) = (path for path in keys(store, layout.WHOLE) if path.read_bytes() == content)
    return found


def rewrite(path: Path, data: bytes | None) -> None:
    path.unlink(missing_ok=True)
    if data is not None:
        path.write_bytes(data)


def test_all_as_saved(store: Store) -> None:
    (result,) = store.verify(everything=True)
    assert result.ok
    assert (result.checked, result.bytes) == (8, 2 * (5000 + 5000 + 500))
    (one,) = store.verify(["cmr@v1"])
    assert one.ok
    assert (one.target, one.checked, one.bytes) == ("cmr@v1", 4, 10_500)


def test_a_missing_and_a_damaged_piece_of_one_path(store: Store) -> None:
    """Verify looks at content of all versions at once: neither hides the other."""
    first, second = holding(store, b"1" * 5000), holding(store, b"2" * 5000)
    rewrite(first, None)
    (result,) = store.verify(everything=True)
    assert [(one.ref, one.path) for one in result.missing] == [("cmr@v1", "a")]
    assert result.damaged == ()
    rewrite(second, b"2" * 4999 + b"3")
    (result,) = store.verify(everything=True)
    assert [(one.ref, one.path) for one in result.missing] == [("cmr@v1", "a")]
    assert [(one.ref, one.path) for one in result.damaged] == [("cmr@v2", "a")]
    (one,) = store.verify(["cmr@v2"])
    assert named(one) == {("cmr@v2", "a")}


def test_content_that_two_versions_share_is_named_for_both(store: Store) -> None:
    rewrite(holding(store, b"b" * 5000), b"b" * 4000)
    (result,) = store.verify(everything=True)
    assert named(result) == {("cmr@v1", "b"), ("cmr@v2", "b")}


@pytest.mark.parametrize("at", [0, 9, -1, -20, -40])
def test_the_list_in_a_pack_is_read_too(store: Store, at: int) -> None:
    """No pull needs it, but a lost index is made of it."""
    pack = keys(store, layout.PACKS)[0]
    data = bytearray(pack.read_bytes())
    data[at] ^= 4
    rewrite(pack, bytes(data))
    (result,) = store.verify(everything=True)
    key = str(pack.relative_to(store.url))
    assert [(one.ref, one.path) for one in result.damaged] == [(None, key)]
    assert not result.ok


def test_nothing_is_taken_from_the_cache(store: Store, tmp_path: Path) -> None:
    store.pull("cmr@v2", dest=tmp_path / "out")
    for prefix in (layout.MANIFESTS, layout.SEGMENTS):
        for path in keys(store, prefix):
            kept = path.read_bytes()
            rewrite(path, kept[:-1])
            key = str(path.relative_to(store.url))
            (result,) = store.verify(everything=True)
            first = result.damaged[0]
            assert key in (first.path if prefix == layout.SEGMENTS else first.reason)
            rewrite(path, kept)
    assert all(result.ok for result in store.verify(everything=True))


def test_a_sample(store: Store) -> None:
    (everything,) = store.verify(everything=True, sample=100)
    assert (everything.checked, everything.bytes) == (8, 21_000)
    (almost_nothing,) = store.verify(everything=True, sample=1e-9)
    assert almost_nothing.checked == 2, "the empty files: there is nothing to read of them"


def test_a_working_copy(store: Store, tmp_path: Path) -> None:
    out = tmp_path / "out"
    store.pull("cmr@v1", dest=out)
    (out / "a").write_bytes(b"1" * 4999 + b"2")
    (out / "small").unlink()
    (out / "mine").write_bytes(b"new")
    (result,) = store.verify([str(out)])
    assert [one.path for one in result.damaged] == ["a"]
    assert [one.path for one in result.missing] == ["small"]
    assert result.checked == 4


# Levels


def test_the_level_of_files_names_what_is_gone_or_cut(store: Store) -> None:
    places = (layout.MANIFESTS, layout.SEGMENTS, layout.WHOLE, layout.PACKS)
    (fine,) = store.verify(level=VerifyLevel.FILES)
    every = [path for place in places for path in keys(store, place)]
    assert (fine.ok, fine.checked) == (True, len(every))
    assert fine.bytes == sum(path.stat().st_size for path in every)
    for path in every:
        kept = path.read_bytes()
        key = str(path.relative_to(store.url))
        for data in (None, kept[:-1], kept + b"x"):
            rewrite(path, data)
            (result,) = store.verify(level=VerifyLevel.FILES)
            said = {one.path for one in (result.missing if data is None else result.damaged)}
            # Of a pack it is known how long it is at least.
            longer = data is not None and len(data) > len(kept) and key.startswith(layout.PACKS)
            assert said == (set() if longer else {key}), (key, data)
            (read,) = store.verify(everything=True)
            assert not read.ok
        rewrite(path, kept)
    assert store.verify(everything=True)[0].ok


def test_a_second_place_of_content_must_be_there_too(store: Store, tmp_path: Path) -> None:
    """Nobody reads it today; tomorrow the first one may be the damaged one."""
    for name in ("twin", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a").write_bytes(b"9" * 5000)
    bob = Store.open(
        store.url, client=Client(user="bob", host="hub", cache_dir=tmp_path / "bob", jobs=1)
    )
    saved: list[str] = []

    def meanwhile(event: Event) -> None:
        if isinstance(event, Started) and not saved:
            saved.append("other")
            bob.add(tmp_path / "other", new=True)

    # Two people who save the same at once both store it: neither knows of the other.
    store.add(tmp_path / "twin", new=True, new_version=True, listener=meanwhile)
    twins = [path for path in keys(store, layout.WHOLE) if path.read_bytes() == b"9" * 5000]
    assert len(twins) == 2
    for path in twins:
        rewrite(path, b"9" * 4999)
        (result,) = store.verify(everything=True)
        assert not result.ok
        rewrite(path, b"9" * 5000)
    assert store.verify(everything=True)[0].ok


def test_only_everything_has_levels(store: Store) -> None:
    with pytest.raises(InvalidInput, match="whole store"):
        store.verify(["cmr@v1"], level=VerifyLevel.LOG)


# Interrupted


def test_an_interrupted_read_goes_on(store: Store, tmp_path: Path) -> None:
    bad = holding(store, b"2" * 5000)
    rewrite(bad, b"2" * 4999 + b"3")

    def interrupt() -> None:
        stop = StopSignal()

        def stop_soon(event: Event) -> None:
            if isinstance(event, Advanced):
                stop.set()

        with pytest.raises(Cancelled):
            store.verify(everything=True, listener=stop_soon, stop=stop)

    interrupt()
    (result,) = store.verify(everything=True)
    assert result.resumed > 0
    assert (result.checked, named(result)) == (8, {("cmr@v2", "a")}), "damage is named again"
    (again,) = store.verify(everything=True)
    assert (again.resumed, named(again)) == (0, named(result)), "and then it begins anew"
    interrupt()
    for path in (tmp_path / "cache").rglob("*.read"):
        os.utime(path, (1, 1))
    assert store.verify(everything=True)[0].resumed == 0, "what was right long ago is read again"
    interrupt()
    assert store.verify(everything=True, restart=True)[0].resumed == 0
