"""Whatever happens to one file of a store, it is noticed, named, and never served as data."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from datacat import layout
from datacat.digest import digest_of
from datacat.errors import Corrupt, DatacatError, FormatTooNew, NoStore
from datacat.model import VerifyLevel
from datacat.store import Store
from tests.conftest import EFFORT
from tests.faults.damaged import Damage, Scene, Tree, damages, make_scene


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    return make_scene(tmp_path_factory.mktemp("small"), bundled=False)


@pytest.fixture(scope="module")
def long_scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    return make_scene(tmp_path_factory.mktemp("long"), bundled=True)


@pytest.fixture(scope="module")
def warm(scene: Scene) -> Path:
    """A cache that knows the log and nothing else, to begin many cold clients quickly."""
    store = scene.client()
    store.ls()
    store.close()
    return scene.root / f"cache-{scene.clients}"


def assert_healthy(scene: Scene, store: Store) -> None:
    """Every answer is as if nothing had happened."""
    listing = store.ls()
    assert {dataset.name for dataset in listing.datasets} == {"cmr", "readings"}
    for ref, tree in scene.versions.items():
        out = scene.fresh()
        store.pull(ref, dest=out)
        assert files_in(out) == tree
    assert all(result.ok for result in store.verify(everything=True))


def files_in(folder: Path) -> Tree:
    """The regular files that a pull left, without its own."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not path.is_symlink() and ".datacat" not in path.parts
    }


def pulled(scene: Scene, store: Store, ref: str) -> tuple[Tree, Corrupt | None]:
    """What a pull wrote: nothing but true files of the version, whatever it said."""
    out = scene.fresh()
    error: Corrupt | None = None
    try:
        store.pull(ref, dest=out)
    except Corrupt as caught:
        error = caught
    found = files_in(out)
    assert found.items() <= scene.versions[ref].items(), "a wrong byte was written"
    if error is None:
        assert found == scene.versions[ref]
        assert (out / ".datacat" / "copy.json").exists()
    else:
        assert error.exit_code == 5
        assert not (out / ".datacat" / "copy.json").exists(), "it does not count as pulled"
    return found, error


def named(error: DatacatError, key: str) -> bool:
    return key in f"{error.message} {error.hint}"


def affected(scene: Scene, damage: Damage) -> set[bytes]:
    """The digests of the contents that this damage to a container destroyed."""
    original = (scene.store / damage.key).read_bytes()
    if damage.key.startswith(layout.WHOLE):
        return {bytes.fromhex(damage.key.rpartition("/")[2].partition("-")[0])}
    data = damage.data or b""
    lost = {
        digest
        for start, end, digest in scene.frames[damage.key]
        if data[start:end] != original[start:end]
    }
    # What was made against a chunk is lost with it.
    return lost | {made for made, reference in scene.references.items() if reference in lost}


def counted_flips(
    kind: str, found: list[Damage], record_property: Callable[[str, object], None]
) -> None:
    """For the table of what was reached."""
    record_property(f"flips of a {kind}", sum(one.how.startswith("bit ") for one in found))


@pytest.mark.parametrize("kind", ["pack", "whole"])
def test_damaged_content(
    scene: Scene, warm: Path, kind: str, record_property: Callable[[str, object], None]
) -> None:
    """Just the files whose bytes are gone do not arrive; each is named, with its container."""
    counted = 0
    found = damages(scene, kind, flips=8, cuts=2)
    counted_flips(kind, found, record_property)
    for number, damage in enumerate(found):
        lost = affected(scene, damage)
        with scene.damaged(damage.key, damage.data):
            store = scene.client(like=warm)
            for ref, tree in scene.versions.items():
                bad = {path for path, data in tree.items() if digest_of("blake3", data) in lost}
                if number % 4 and ref != "cmr@v3":
                    continue
                found, error = pulled(scene, store, ref)
                assert found.keys() == tree.keys() - bad, damage.how
                if bad:
                    assert error is not None
                    assert min(bad) in error.message
                    assert kind == "whole" or damage.key in error.message
            if number % 4 == 0:
                assert_verify_names(scene, store, lost, damage)
            assert store.ls().datasets_total == 2
            store.close()
        counted += 1
    assert counted >= 10 * EFFORT


def assert_verify_names(scene: Scene, store: Store, lost: set[bytes], damage: Damage) -> None:
    """`verify` names each file of each version that is gone, and the container's own footer."""
    (result,) = store.verify(everything=True)
    reported = {(one.ref, one.path) for one in (*result.damaged, *result.missing)}
    expected = {
        (ref, path)
        for ref, tree in scene.versions.items()
        for path, data in tree.items()
        if digest_of("blake3", data) in lost
    }
    assert expected <= reported, damage.how
    others = [
        one for one in (*result.damaged, *result.missing) if (one.ref, one.path) not in expected
    ]
    assert all(damage.key in f"{one.path} {one.reason}" for one in others), others
    assert reported, f"{damage.key}, {damage.how}: unnoticed"


@pytest.mark.parametrize("kind", ["manifest", "segment"])
def test_a_damaged_description(
    scene: Scene, warm: Path, kind: str, record_property: Callable[[str, object], None]
) -> None:
    """The versions that need the file say so; the others are as they were."""
    victims: dict[str, set[str]] = {}
    found = damages(scene, kind, flips=8, cuts=2)
    counted_flips(kind, found, record_property)
    for number, damage in enumerate(found):
        with scene.damaged(damage.key, damage.data):
            store = scene.client(like=warm)
            known = victims.get(damage.key)
            refs = scene.versions if known is None or number % 8 == 0 else known
            errors = {ref: pulled(scene, store, ref) for ref in refs}
            failed = {ref for ref, (_, error) in errors.items() if error is not None}
            assert failed == victims.setdefault(damage.key, failed), damage.how
            assert failed, damage.how
            for found, error in errors.values():
                assert error is None or (named(error, damage.key) and not found)
            if number % 4 == 0:
                assert_verify_sees(store, kind, damage.key)
                assert store.ls().datasets_total == 2
            store.close()
    if kind == "manifest":
        assert [len(found) for found in victims.values()] == [1] * len(scene.versions)


def assert_verify_sees(store: Store, kind: str, key: str) -> None:
    (result,) = store.verify(everything=True)
    if kind == "segment":
        assert key in {one.path for one in result.damaged}
    else:
        assert len(result.damaged) == 1
        assert key in result.damaged[0].reason
    (result,) = store.verify(level=VerifyLevel.FILES)
    sized = {one.path for one in (*result.damaged, *result.missing)}
    # Only reading tells that a bit was flipped, unless what the index says is needed here too.
    assert sized <= {key}


def test_a_damaged_record(scene: Scene, record_property: Callable[[str, object], None]) -> None:
    """Without its bundle a damaged record ends every answer, by its name: no name is guessed."""
    keys = scene.keys["record"]
    found = damages(scene, "record", flips=20, cuts=4)
    counted_flips("record", found, record_property)
    for number, damage in enumerate(found):
        with scene.damaged(damage.key, damage.data):
            store = scene.client()
            if damage.how == "removed" and damage.key == keys[-1]:
                # The newest record is the only one whose absence cannot be seen.
                assert store.ls().datasets_total == 2
                continue
            asks: list[Callable[[], object]] = [store.ls]
            if number % 8 == 0:
                asks += [
                    partial(store.pull, "cmr", dest=scene.fresh()),
                    partial(store.verify, everything=True),
                ]
            for ask in asks:
                with pytest.raises(Corrupt) as caught:
                    ask()
                assert caught.value.exit_code == 5
                following = keys[min(keys.index(damage.key) + 1, len(keys) - 1)]
                assert named(caught.value, damage.key) or (
                    damage.how == "another one" and named(caught.value, following)
                )


def test_a_damaged_store_file(scene: Scene, record_property: Callable[[str, object], None]) -> None:
    """Cut, it is named; with other values in it, the log does not belong to it any more."""
    other = scene.root / "other.json"
    text = (scene.store / layout.STORE).read_text()
    other.write_text(text.replace('"imaging"', '"imagine"'))
    found = damages(scene, "store", flips=20, cuts=4)
    counted_flips("store", found, record_property)
    for damage in [*found, Damage(layout.STORE, "another one", other.read_bytes())]:
        with scene.damaged(damage.key, damage.data):
            with pytest.raises((Corrupt, NoStore)) as caught:
                scene.client().ls()
            if isinstance(caught.value, Corrupt):
                assert named(caught.value, layout.STORE) or caught.value.kind == "log_altered"
            elif isinstance(caught.value, FormatTooNew):
                assert "format" in damage.how or damage.data is not None
            else:
                assert str(scene.store) in caught.value.message


def test_a_damaged_bundle_costs_only_time(
    long_scene: Scene, record_property: Callable[[str, object], None]
) -> None:
    found = damages(long_scene, "bundle", flips=13 if EFFORT > 1 else 4, cuts=1)
    counted_flips("bundle", found, record_property)
    for damage in found:
        with long_scene.damaged(damage.key, damage.data):
            store = long_scene.client()
            assert store.ls().datasets_total == 2
            assert store.versions("cmr")[0].ref == "cmr@v3"
            assert store.show("cmr").dataset.description == "the 259th"
            store.close()


def test_a_bundle_heals_the_records_it_holds(long_scene: Scene) -> None:
    keys = sorted(long_scene.keys["record"])
    for at in (0, 1, 3, 100, 255):
        data = (long_scene.store / keys[at]).read_bytes()
        for bad in (None, b"", data[:-1], data[:40] + b"!" + data[41:], b"\0" * len(data)):
            with long_scene.damaged(keys[at], bad):
                store = long_scene.client()
                assert store.show("cmr").dataset.description == "the 259th"
                store.close()
    with long_scene.damaged(keys[256], b""), pytest.raises(Corrupt, match=keys[256]):
        long_scene.client().ls()


def test_a_record_is_compared_with_its_bundle(long_scene: Scene) -> None:
    store = long_scene.client()
    (fine,) = store.verify(level=VerifyLevel.LOG)
    assert (fine.ok, fine.checked) == (True, 259)
    bundle = layout.bundle(1, 256)
    cut = (long_scene.store / layout.log_record(7)).read_bytes()[:-3]
    for key, data, missing in (
        (layout.log_record(7), cut, False),
        (layout.log_record(256), None, True),
        (bundle, (long_scene.store / bundle).read_bytes()[:-1], False),
    ):
        with long_scene.damaged(key, data):
            (result,) = store.verify(level=VerifyLevel.LOG)
            assert [one.path for one in (result.missing if missing else result.damaged)] == [key]
            assert len(result.missing) + len(result.damaged) == 1
    with long_scene.damaged(layout.log_record(258), cut), pytest.raises(Corrupt, match="258"):
        store.verify(level=VerifyLevel.LOG)


def test_the_copies_of_the_log_mend_each_other(long_scene: Scene) -> None:
    bundle, record = layout.bundle(1, 256), layout.log_record(9)
    for key, source in ((bundle, "the records of the log"), (record, "a bundle of the log")):
        was = (long_scene.store / key).read_bytes()
        for data in (None, was[:-1]):
            with long_scene.damaged(key, data):
                result = long_scene.client().repair()
                assert [(mend.key, mend.source) for mend in result.mends] == [(key, source)]
                assert (long_scene.store / key).read_bytes() == was


def test_the_undamaged_store(scene: Scene, long_scene: Scene) -> None:
    """And each of the tests above has put everything back."""
    for one in (scene, long_scene):
        store = one.client()
        assert_healthy(one, store)
        store.close()


# A working copy, seen while the store is damaged


def test_status_of_a_working_copy_needs_only_the_log(scene: Scene) -> None:
    out = scene.fresh()
    scene.client().pull("cmr@v2", dest=out)
    (out / "labels.csv").write_bytes(b"changed")
    for kind in ("manifest", "segment", "pack", "whole"):
        for key in scene.keys[kind]:
            with scene.damaged(key, None):
                (entry,) = scene.client().status([out])
                assert (entry.ref, entry.state, entry.newest) == ("cmr@v2", "changed", "cmr@v3")
                assert [change.path for change in entry.changes] == ["labels.csv"]


def every(folder: Path) -> Iterator[Path]:
    yield from sorted(path for path in folder.rglob("*") if path.is_file())


def test_nothing_is_left_behind(scene: Scene) -> None:
    """Of pulls that failed: no temporary, and no file that looks like data."""
    key = scene.keys["whole"][0]
    data = (scene.store / key).read_bytes()
    with scene.damaged(key, data[:-1] + bytes([data[-1] ^ 1])):
        out = scene.fresh()
        with pytest.raises(Corrupt):
            scene.client().pull("cmr", dest=out)
        assert [path for path in every(out) if "tmp" in path.relative_to(out).parts] == []
    again = scene.client().pull("cmr", dest=out, force=True)
    assert again.already > 0
    assert files_in(out) == scene.versions["cmr@v3"]
    assert os.path.islink(out / "link")
