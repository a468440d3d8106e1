"""What a malicious writer says, under right digests and a valid log: one lie at a time.

`test_mutated` tries many at random; here is what must come of each.
"""

from __future__ import annotations

import random
import time
import tracemalloc
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
import pytest

from datacat.backend.posix import PosixBackend
from datacat.catalog.record import VersionAdd
from datacat.digest import digest_of
from datacat.errors import Corrupt
from datacat.objects.pack import PackWriter, read_footer
from datacat.store import Store
from tests.faults.bombs import FRAMES, footer_of, whole
from tests.faults.damaged import Tree
from tests.faults.forged import Forger
from tests.faults.mutable import MutableStore, make_mutable, regular_files

V1, EDIT = "scans@v1", "scans@v2"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> MutableStore:
    return make_mutable(tmp_path_factory.mktemp("forged"))


@pytest.fixture
def scene(made: MutableStore) -> Iterator[MutableStore]:
    yield made
    made.restore()


@pytest.fixture
def forger(scene: MutableStore) -> Forger:
    return Forger(scene.store)


def pulled(scene: MutableStore, store: Store, ref: str) -> tuple[Tree, Corrupt | None]:
    """What arrives of a version: nothing but what was saved."""
    out = scene.fresh("out")
    error = None
    try:
        store.pull(ref, dest=out)
    except Corrupt as caught:
        error = caught
    found = regular_files(out) if out.is_dir() else {}
    assert found.items() <= scene.versions[ref].items()
    assert error is not None or found == scene.versions[ref]
    return found, error


def assert_lost(
    scene: MutableStore, ref: str, path: str, *, by: str, remotes: Sequence[bool] = (False, True)
) -> None:
    """Just this file of the version does not arrive, which the error says, and verify too."""
    for remote in remotes:
        store = scene.client(remote=remote)
        found, error = pulled(scene, store, ref)
        assert error is not None
        assert path in error.message
        assert by in error.message
        assert found.keys() == scene.versions[ref].keys() - {path}
        (result,) = store.verify(everything=True)
        assert (ref, path) in {(one.ref, one.path) for one in (*result.damaged, *result.missing)}
        store.close()


# Rows that break a rule of the format: the segment is refused, by its name

IMPOSSIBLE = {
    "chunks": [
        "update t set size = -1",
        "update t set size = 0, stored_size = 0, checksums = ''",
        f"update t set size = {1 << 62}, stored_size = {1 << 62}",
        "update t set stored_size = size + 1 where codec = 'raw'",
        'update t set "offset" = -1',
        f'update t set "offset" = {1 << 62}',
        "update t set codec = 'lz4'",
        "update t set codec = null",
        "update t set checksums = ''",
        "update t set checksums = checksums[1:7]",
        "update t set checksums = repeat(checksums, 2)",
        "update t set reference = digest[1:16]",
        "update t set codec = 'raw', stored_size = size, checksums = checksums[1:8],"
        " reference = repeat('x', 32)::blob where size <= 1048576",
        "update t set digest = digest[1:31]",
        "insert into t from t limit 1",
        'insert into t select * replace ("offset" + 1 as "offset") from t limit 1',
        *(
            f"update t set container = '{name}'"
            for name in (
                "../../etc/passwd",
                "packs/00/../../store.json",
                "store.json",
                "",
                "segments/" + "0" * 32 + ".chunks.parquet",
                "packs/00/" + "0" * 32 + "-0.pack\n",
            )
        ),
    ],
    "recipes": [
        "update t set ordinal = -1 where ordinal = 0",
        "update t set ordinal = null",
        "update t set ordinal = 0",
        f"update t set ordinal = {1 << 62} where ordinal = 1",
        "update t set chunk = chunk[1:16]",
        "update t set object = null",
        "insert into t from t limit 1",
    ],
}


@pytest.mark.parametrize(
    ("relation", "statement"),
    [(relation, one) for relation, many in IMPOSSIBLE.items() for one in many],
)
def test_an_impossible_row(
    scene: MutableStore, forger: Forger, relation: str, statement: str
) -> None:
    seq = scene.seqs[EDIT]
    key = forger.alter(relation, seq, statement)
    store = scene.client()
    for ref in scene.versions:
        found, error = pulled(scene, store, ref)
        if seq in scene.drawn_on[ref]:
            assert error is not None
            assert key in error.message
            assert error.kind == "segment_damaged"
            assert not found
        else:
            assert error is None
    (result,) = store.verify(everything=True)
    assert key in {damage.path for damage in result.damaged}
    with pytest.raises(Corrupt, match=key):
        store.du()


# Recipes that keep the rules and do not make their content


def object_at(scene: MutableStore, ref: str, path: str) -> str:
    return f"from_hex('{digest_of('blake3', scene.versions[ref][path]).hex()}')"


@pytest.mark.parametrize(
    ("statement", "by"),
    [
        ("delete from t where object = {o} and ordinal = 0", "not in the store"),
        ("delete from t where object = {o} and ordinal = 3", "not in the store"),
        ("update t set ordinal = 100 - ordinal where object = {o}", "other content"),
        (
            "update t set chunk = (select chunk from t where object = {o} and ordinal = 1)"
            " where object = {o}",
            "not in the store",
        ),
        ("update t set chunk = object where object = {o} and ordinal = 0", "not in the store"),
        (
            "insert into t select object, i, chunk from (from t where object = {o} limit 1),"
            " range(1000, 1001000) r(i)",
            "not in the store",
        ),
        (
            "insert into t select object, ordinal + 1000, chunk from t where object = {o}",
            "not in the store",
        ),
    ],
)
def test_a_recipe_of_something_else(
    scene: MutableStore, forger: Forger, statement: str, by: str
) -> None:
    """Chunks that are missing, out of order, repeated without end or more than the size."""
    made = object_at(scene, EDIT, "a.raw")
    forger.alter("recipes", scene.seqs[EDIT], statement.format(o=made))
    began = time.process_time()
    assert_lost(scene, EDIT, "a.raw", by=by)
    assert time.process_time() - began < 20
    assert pulled(scene, scene.client(), V1)[1] is None


# Frames that are bombs


@pytest.mark.parametrize("number", range(len(FRAMES)))
def test_a_frame_of_something_else(scene: MutableStore, forger: Forger, number: int) -> None:
    """A terabyte in ten bytes, 4 GiB of zeros, trailing bytes: refused within the size stated."""
    chance = random.Random(number)
    seq = scene.seqs[EDIT]
    made = object_at(scene, EDIT, "t.csv")
    (chunk,) = forger.rows(
        "recipes", seq, f"select chunk from t where object = {made} order by ordinal limit 1"
    )[0]
    (length,) = forger.rows(
        "chunks", seq, f"select size from t where digest = from_hex('{chunk.hex()}')"
    )[0]
    # The last one is a right frame, of other content of the same size.
    data = FRAMES[number](bytes(length), chance)[: 1 << 20]
    key = "packs/ab/" + "ab" * 16 + "-0.pack"
    writer = PackWriter(PosixBackend(scene.store), key, digest_bytes=32)
    entry = writer.append(chunk, data or b"\0", size=length, codec="zstd")
    writer.finish()
    forger.alter(
        "chunks",
        seq,
        f"""
        update t set container = '{key}', "offset" = {entry.offset}, codec = 'zstd',
            stored_size = {entry.stored_size}, checksums = from_hex('{entry.checksum.hex()}'),
            reference = null
        where digest = from_hex('{chunk.hex()}')
        """,
    )
    tracemalloc.start()
    try:
        by = key if number != 6 else "other content"
        assert_lost(scene, EDIT, "t.csv", by=by, remotes=[number % 2 == 0])
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 64 << 20


def test_references_that_lead_nowhere(scene: MutableStore, forger: Forger) -> None:
    """To itself, to a chunk that was made against another one, to nothing, to a giant."""
    seq = scene.seqs["scans@v3"]
    delta, other = (
        row[0]
        for row in forger.rows(
            "chunks", seq, "select digest from t where reference is not null order by 1 limit 2"
        )
    )
    for reference in (delta, other, b"x" * 32):
        forger.alter(
            "chunks",
            seq,
            f"update t set reference = from_hex('{reference.hex()}')"
            f" where digest = from_hex('{delta.hex()}')",
        )
        store = scene.client()
        found, error = pulled(scene, store, "scans@v3")
        assert error is not None
        assert len(found) == len(scene.versions["scans@v3"]) - 1
        (result,) = store.verify(everything=True)
        assert not result.ok
        scene.restore()


def test_a_reference_of_a_terabyte(scene: MutableStore, forger: Forger) -> None:
    """It would have to be held in memory: no frame was made against it."""
    seq = scene.seqs["scans@v3"]
    delta, reference = forger.rows(
        "chunks", seq, "select digest, reference from t where reference is not null limit 1"
    )[0]
    key = scene.keys["whole"][0]
    path = scene.store / key
    with path.open("r+b") as file:
        file.truncate(1 << 40)
    forger.alter(
        "chunks",
        seq,
        f"""
        insert into t select from_hex('{"aa" * 32}'), {1 << 40}, '{key}', 0, {1 << 40}, 'raw', null,
            repeat('x', {8 << 20})::blob
        """,
        f"update t set reference = from_hex('{'aa' * 32}')"
        f" where digest = from_hex('{delta.hex()}')",
    )
    tracemalloc.start()
    try:
        _, error = pulled(scene, scene.client(), "scans@v3")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert error is not None
    assert reference
    assert peak < 64 << 20


# Bytes that were forged together with their checksums


def test_a_forged_whole_container(scene: MutableStore) -> None:
    """Its checksums are right, so only the digest tells."""
    for seed in range(4):
        hurt = next(iter(k for k in whole(scene, random.Random(seed)) if k.startswith("whole/")))
        digest = hurt.split("/")[2].partition("-")[0]
        (path,) = (
            path
            for path, data in scene.versions[V1].items()
            if digest_of("blake3", data).hex() == digest
        )
        assert_lost(scene, V1, path, by="other content")
        scene.restore()


def test_a_footer_that_contradicts_the_index(scene: MutableStore) -> None:
    """Every pull is right; but what the index would be made of again is not."""
    key = scene.keys["pack"][0]
    data = scene.files[key]
    entries = read_footer(PosixBackend(scene.store), key, size_bytes=len(data))
    start = entries[-1].offset + entries[-1].stored_size
    for lie in (
        {"digest": b"x" * 32},
        {"checksum": b"x" * 8},
        {"reference": b"x" * 32},
        {"size": entries[0].size + 1, "codec": "zstd"},
    ):
        forged = [entries[0]._replace(**lie), *entries[1:]]
        path = scene.store / key
        path.write_bytes(data[:start] + footer_of(data[:16], forged, start=start))
        store = scene.client()
        for ref in scene.versions:
            assert pulled(scene, store, ref)[1] is None
        (result,) = store.verify(everything=True)
        assert [(one.ref, one.path) for one in result.damaged] == [(None, key)]
        store.close()


def test_a_manifest_that_its_hash_does_not_name(scene: MutableStore, forger: Forger) -> None:
    """The record names its bytes rightly: it contradicts itself."""
    key = forger.alter(
        "manifest",
        scene.seqs[V1],
        "update t set digest = (select digest from t where path = 's.txt'),"
        " size = (select size from t where path = 's.txt') where path = 'a.raw'",
    )
    store = scene.client()
    found, error = pulled(scene, store, V1)
    assert not found
    assert error is not None
    assert key in error.message
    with pytest.raises(Corrupt, match=key):
        list(store.files(V1))
    assert pulled(scene, store, EDIT)[1] is None
    # du reads lists without that check: a pull after it looks again.
    store = scene.client()
    store.du()
    assert key in str(pulled(scene, store, V1)[1])


def test_a_version_that_its_own_part_of_the_index_does_not_place(
    scene: MutableStore, forger: Forger
) -> None:
    """A later record says where the content is, but whoever pulls this version never reads it."""
    forger.alter("chunks", scene.seqs[V1], "update t set digest = digest[1:16] where size = 9000")
    store = scene.client()
    found, error = pulled(scene, store, V1)
    assert error is not None
    lost = scene.versions[V1].keys() - found.keys()
    assert lost
    assert pulled(scene, store, EDIT)[1] is None
    (result,) = store.verify(everything=True)
    named = {(one.ref, one.path) for one in (*result.damaged, *result.missing)}
    assert named == {(V1, path) for path in lost}
    store.close()


def test_numbers_beyond_what_adds_up(scene: MutableStore, forger: Forger) -> None:
    """Two records may say 2^63-1 bytes each: no sum of a list overflows."""
    most = (1 << 63) - 1
    forger.write_log(
        [
            msgspec.structs.replace(one, bytes=most, stored_bytes=most, new_bytes=most, files=most)
            if isinstance(one, VersionAdd)
            else one
            for one in forger.records()
        ]
    )
    store = scene.client()
    assert store.ls().datasets_total == 2
    assert store.show("scans").dataset.name == "scans"
    assert len(store.log("scans")) == 4
    assert store.du().versions == len(scene.versions)
    assert pulled(scene, store, V1)[1] is None


def test_the_forger_forges_nothing_by_itself(scene: MutableStore, forger: Forger) -> None:
    """Or every test above would pass for another reason."""
    for relation in ("chunks", "recipes", "manifest"):
        for seq in forger.seqs(relation):
            forger.alter(relation, seq)
    store = scene.client()
    for ref in scene.versions:
        assert pulled(scene, store, ref)[1] is None
    assert all(result.ok for result in store.verify(everything=True))
    assert isinstance(scene.root, Path)
