"""Repair: what is damaged is mended byte for byte where a good copy is, and named where none is."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import suppress

import pytest

from datacat.errors import Corrupt, StorageError
from datacat.model import Repair, VerifyLevel
from datacat.store import Store
from tests.conftest import EFFORT
from tests.faults.damaged import Scene, make_scene
from tests.faults.test_damage import files_in

KINDS = ("record", "manifest", "segment", "whole", "pack")


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    """The folder that was saved is gone: what is good elsewhere is only where a test puts it."""
    scene = make_scene(tmp_path_factory.mktemp("small"), bundled=False)
    shutil.move(scene.root / "work", scene.root / "work-kept")
    shutil.copytree(scene.store, scene.root / "backup")
    return scene


@pytest.fixture(autouse=True)
def put_back(scene: Scene) -> Iterator[None]:
    yield
    shutil.rmtree(scene.store)
    shutil.copytree(scene.root / "backup", scene.store)


def hurt(scene: Scene, key: str, how: str) -> bytes:
    """Damage one file; what it was."""
    path = scene.store / key
    data = path.read_bytes()
    path.unlink()
    middle = len(data) // 2
    if how == "flipped":
        path.write_bytes(data[:middle] + bytes([data[middle] ^ 8]) + data[middle + 1 :])
    elif how == "cut":
        path.write_bytes(data[:middle])
    return data


def read_back(scene: Scene, store: Store) -> dict[str, bool]:
    """Of each version: whether it comes back byte for byte."""
    whole = {}
    for ref, tree in scene.versions.items():
        out = scene.fresh()
        with suppress(Corrupt):
            store.pull(ref, dest=out)
        found = files_in(out) if out.exists() else {}
        assert found.items() <= tree.items(), "a wrong byte was written"
        whole[ref] = found == tree
    return whole


@pytest.mark.parametrize("how", ["flipped", "cut", "gone"] if EFFORT > 1 else ["flipped", "gone"])
@pytest.mark.parametrize("kind", KINDS)
def test_mended_from_a_backup(scene: Scene, kind: str, how: str) -> None:
    """Every kind of file, with another store that has it: then all is as it was."""
    keys = scene.keys[kind]
    for key in keys[: max(1, round(EFFORT))]:
        was = hurt(scene, key, how)
        shown: list[Repair] = []

        def refuse(plan: Repair, shown: list[Repair] = shown) -> bool:
            shown.append(plan)
            return False

        if how == "flipped":
            assert not scene.client().repair(sources=[scene.root / "backup"], confirm=refuse).done
            assert key in {one.path for one in shown[0].damaged}
            assert (scene.store / key).read_bytes() != was, "nothing was done yet"
        result = scene.client().repair(sources=[scene.root / "backup"])
        assert result.done
        assert key in {one.path for one in result.damaged}
        assert result.lost == ()
        if kind in ("record", "manifest", "segment"):
            assert (scene.store / key).read_bytes() == was, "the very bytes are back"
        assert all(read_back(scene, scene.client()).values())
        if how == "gone":
            assert scene.client().verify(everything=True)[0].ok
            assert scene.client().repair().is_empty


@pytest.mark.parametrize(
    ("kind", "how"),
    [("segment", "gone"), ("whole", "flipped"), ("pack", "flipped")]
    + [("segment", "flipped"), ("whole", "gone"), ("pack", "gone")] * (EFFORT > 1),
)
def test_without_a_copy_it_is_set_aside_and_the_next_add_heals(
    scene: Scene, kind: str, how: str
) -> None:
    """What is lost is named, and only that; saving the same files again mends all versions."""
    key = scene.keys[kind][0]
    if kind == "pack":
        start, _, _ = scene.frames[key][0]
        data = (scene.store / key).read_bytes()
        (scene.store / key).unlink()
        if how == "flipped":
            flipped = data[:start] + bytes([data[start] ^ 1]) + data[start + 1 :]
            (scene.store / key).write_bytes(flipped)
    else:
        hurt(scene, key, how)
    before = read_back(scene, scene.client())
    store = scene.client()
    result = store.repair()
    lost = {f"{one.ref}/{one.path}" for one in result.lost}
    broken = {ref for ref, whole in read_back(scene, scene.client()).items() if not whole}
    assert {one.ref for one in result.lost} == broken
    if kind == "segment":
        assert broken == set(), "packs and containers say what the index said"
        assert not all(before.values())
    else:
        assert lost
        (seen,) = scene.client().verify(everything=True)
        assert {f"{one.ref}/{one.path}" for one in seen.missing} == lost
        # Nothing that is saved now refers to what is damaged: also the newest versions heal.
        for name in ("cmr", "readings"):
            scene.client().add(scene.root / "work-kept" / name, name=name, force=True)
    again = scene.client()
    if kind == "segment":
        assert again.repair().is_empty
    newest = {"cmr@v3", "readings@v1"}
    assert {ref for ref, whole in read_back(scene, again).items() if whole} >= newest
    if how == "gone":
        assert again.verify(level=VerifyLevel.FILES)[0].ok
    # The rest of what older versions had, out of the backup.
    mended = again.repair(sources=[scene.root / "backup"])
    assert mended.lost == ()
    assert all(read_back(scene, scene.client()).values())


def test_working_copies_are_sources(scene: Scene) -> None:
    out = scene.fresh()
    store = scene.client()
    store.pull("cmr@v3", dest=out)
    for key in scene.keys["whole"]:
        hurt(scene, key, "flipped")
    result = scene.client().repair()
    assert result.lost == ()
    assert any(str(out) in mend.source for mend in result.mends)
    assert all(read_back(scene, scene.client()).values())


def test_a_folder_is_a_source_and_a_wrong_copy_is_not(scene: Scene) -> None:
    out = scene.fresh()
    scene.client().pull("cmr@v3", dest=out)
    wrong = out / "sub" / "scan.nii"
    good = wrong.read_bytes()
    wrong.write_bytes(good[:-1] + b"?")
    for key in scene.keys["whole"]:
        hurt(scene, key, "gone")
    elsewhere = scene.fresh()
    elsewhere.mkdir()
    (elsewhere / "any name").write_bytes(good)
    result = scene.client().repair()
    assert {one.path for one in result.lost} == {"sub/scan.nii"}
    result = scene.client().repair(sources=[elsewhere])
    assert result.lost == ()
    assert all(read_back(scene, scene.client()).values())


def test_gc_keeps_what_was_put_elsewhere(scene: Scene) -> None:
    from tests.collecting import AT_ONCE

    for kind in ("whole", "pack", "segment"):
        hurt(scene, scene.keys[kind][0], "gone")
    scene.client().repair(sources=[scene.root / "backup"])
    store = scene.client()
    store.rm(["readings"], force=True)
    store.gc(periods=AT_ONCE)
    (verified,) = scene.client().verify(everything=True)
    assert verified.ok
    assert verified.checked == sum(
        len(tree) for ref, tree in scene.versions.items() if ref.startswith("cmr@")
    )


def test_interrupted_at_every_write(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """However far it came, every version that could be read still can, and the next one ends it."""
    from datacat.backend.posix import PosixBackend

    def hurt_all() -> None:
        hurt(scene, scene.keys["whole"][0], "flipped")
        hurt(scene, scene.keys["pack"][0], "gone")
        hurt(scene, scene.keys["segment"][0], "cut")
        hurt(scene, scene.keys["manifest"][0], "gone")

    hurt_all()
    readable = {ref for ref, whole in read_back(scene, scene.client()).items() if whole}
    names = ("replace", "create", "write_file", "_publish", "sync")
    count = 0
    for allowed in range(100):
        shutil.rmtree(scene.store)
        shutil.copytree(scene.root / "backup", scene.store)
        hurt_all()
        left = [allowed]

        def failing(name: str, left: list[int] = left):  # type: ignore[no-untyped-def]
            real = getattr(PosixBackend, name)

            def call(self: PosixBackend, *rest: object, **named: object) -> object:
                left[0] -= 1
                if left[0] < 0:
                    raise StorageError("the drive is gone")
                return real(self, *rest, **named)

            return call

        store = scene.client()
        with monkeypatch.context() as patched:
            for name in names:
                patched.setattr(PosixBackend, name, failing(name))
            try:
                done = store.repair(sources=[scene.root / "backup"]).done
            except StorageError:
                done = False
        if done:
            break
        count += 1
        if EFFORT > 1 or allowed % 9 == 1:
            still = {ref for ref, whole in read_back(scene, scene.client()).items() if whole}
            assert still >= readable
            assert scene.client().repair(sources=[scene.root / "backup"]).lost == ()
            assert all(read_back(scene, scene.client()).values())
    assert count >= 8
    assert all(read_back(scene, scene.client()).values())
