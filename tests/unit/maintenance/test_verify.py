"""Verify names exactly what is not as it was saved, and believes nothing of the cache."""

from __future__ import annotations

from pathlib import Path

import pytest

from datacat import layout
from datacat.backend.open import open_backend
from datacat.errors import Corrupt
from datacat.model import Layout, Parameters, VerifyResult
from datacat.opened import Client
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
    path.unlink()
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
            if prefix == layout.SEGMENTS:
                with pytest.raises(Corrupt, match=key):
                    store.verify(everything=True)
            else:
                (result,) = store.verify(everything=True)
                assert key in result.damaged[0].reason
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
