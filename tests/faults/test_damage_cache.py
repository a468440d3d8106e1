"""Every local file is disposable: damaged, it heals or is done without, and no answer is wrong."""

from __future__ import annotations

import random
import shutil
from contextlib import suppress
from pathlib import Path

import pytest

from datacat.errors import Corrupt, DatacatError
from datacat.store import Store
from tests.conftest import EFFORT
from tests.faults.damaged import Scene, client_of, make_scene
from tests.faults.test_damage import files_in


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    return make_scene(tmp_path_factory.mktemp("small"), bundled=False)


@pytest.fixture(scope="module")
def warm(scene: Scene) -> Path:
    """A cache with a file of every kind in it: catalog, segments, manifests, trees."""
    store = scene.client()
    folder = scene.root / f"cache-{scene.clients}"
    for ref in scene.versions:
        store.pull(ref, dest=scene.fresh())
    plain = scene.root / "plain"
    plain.mkdir()
    (plain / "labels.csv").write_bytes(b"x")
    store.add(plain, dry_run=True)
    store.diff("cmr@v1", str(plain))
    store.close()
    kinds = {path.relative_to(folder).parts[1].split("-")[0] for path in files(folder)}
    assert kinds >= {"catalog", "segments", "manifests", "trees"}, kinds
    return folder


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def hurt(data: bytes, seed: str, *, flips: int) -> list[bytes]:
    """Flipped bits all over a file, cuts, nothing, garbage."""
    made = random.Random(seed)
    found = [b"", data[:-1], data[: len(data) // 2], data + b"\0", bytes(len(data)), b"garbage"]
    count = max(1, round(flips * EFFORT))
    for n in range(count):
        low, high = len(data) * n // count, len(data) * (n + 1) // count
        at = 0 if n == 0 else made.randrange(low, max(high, low + 1))
        found.append(data[:at] + bytes([data[at] ^ 1 << made.randrange(8)]) + data[at + 1 :])
    return found


def assert_right(scene: Scene, store: Store, *, pull: bool) -> None:
    assert [dataset.name for dataset in store.ls(sort="name").datasets] == ["cmr", "readings"]
    assert [version.ref for version in store.versions("cmr")] == ["cmr@v3", "cmr@v2", "cmr@v1"]
    listed = {file.path for file in store.files("cmr@v1") if file.kind == "file"}
    assert listed == scene.versions["cmr@v1"].keys()
    if pull:
        for ref in ("cmr@v3", "readings@v1"):
            out = scene.fresh()
            store.pull(ref, dest=out)
            assert files_in(out) == scene.versions[ref]


@pytest.mark.parametrize(
    "kind",
    [
        "catalog",
        "segments",
        "manifests",
        "trees",
    ],
)
def test_a_damaged_cache_file(scene: Scene, warm: Path, kind: str) -> None:
    """The store is whole, so every answer is right; and the next client finds a whole cache."""
    found = [path for path in files(warm) if path.relative_to(warm).parts[1].startswith(kind)]
    assert found
    number = 0
    for path in found:
        relative = path.relative_to(warm)
        for data in hurt(path.read_bytes(), relative.name, flips=5 // len(found) + 1):
            number += 1
            cache = scene.root / f"hurt-{kind}-{number}"
            shutil.copytree(warm, cache)
            (cache / relative).write_bytes(data)
            for pull in (number % 3 == 0, False):
                store = Store.open(str(scene.store), client=client_of(cache))
                assert_right(scene, store, pull=pull)
                store.close()
            shutil.rmtree(cache)


@pytest.mark.parametrize(
    "name",
    [
        "copy.json",
        "manifest-*.parquet",
        "stat_cache.parquet",
    ],
)
def test_a_damaged_marker(scene: Scene, warm: Path, name: str) -> None:
    """`status` and `pull` of a working copy: the truth, or an error that names the folder.

    A change that was made is never called unchanged, and never overwritten.
    """
    copy = scene.fresh()
    store = Store.open(str(scene.store), client=client_of(warm))
    store.pull("cmr@v2", dest=copy)
    (copy / "labels.csv").write_bytes(EDITED)
    (marker,) = (copy / ".datacat").glob(name)
    for number, data in enumerate(hurt(marker.read_bytes(), name, flips=5)):
        damaged = scene.fresh()
        shutil.copytree(copy, damaged, symlinks=True)
        (damaged / ".datacat" / marker.name).write_bytes(data)
        assert status_of(store, damaged) in TRUE_ANSWERS, number
        if number % 4 == 0:
            with suppress(DatacatError):
                store.pull("cmr@v3", dest=damaged)
            assert (damaged / "labels.csv").read_bytes() == EDITED
        shutil.rmtree(damaged)
    store.close()


def test_a_stat_cache_with_a_name_that_is_not_utf_8(scene: Scene, warm: Path) -> None:
    copy = scene.fresh()
    store = Store.open(str(scene.store), client=client_of(warm))
    store.pull("cmr@v2", dest=copy)
    cache = copy / ".datacat" / "stat_cache.parquet"
    cache.write_bytes(cache.read_bytes().replace(b"inode", b"inod\xff"))
    assert status_of(store, copy) == ("unchanged", [])


EDITED = b"id,label\n" * 300 + b"id,LABEL\n"
TRUE_ANSWERS = ("refused by name", ("changed", ["labels.csv"]))


def status_of(store: Store, folder: Path) -> object:
    """What is said of a working copy, or that it cannot be said."""
    try:
        (entry,) = store.status([folder])
    except Corrupt as error:
        return "refused by name" if folder.name in error.message else error.message
    return entry.state, [change.path for change in entry.changes]
