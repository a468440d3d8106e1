"""The index is the union of the segments, whatever the cache holds, and nothing else."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datacat import layout, runs
from datacat.backend.memory import MemoryBackend
from datacat.backend.open import open_backend
from datacat.errors import Corrupt
from datacat.objects import index
from datacat.objects.index import RUNS_MAX, Index, Segment, prepare
from datacat.runs import KEPT_SECONDS, Run
from datacat.sql import Row, Workspace
from datacat.transfer.journal import ChunkRow
from tests.unit.objects.shelf import (
    CountingBackend,
    RecipeRow,
    Shelf,
    blake,
    rows_of,
    some_rows,
)


def with_seq(rows: Sequence[tuple[object, ...]], seq: int) -> list[Row]:
    return [(*row, seq) for row in rows]


def runs_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# Many segments


def test_many_commits_one_after_the_other(tmp_path: Path) -> None:
    """As a client that looks after each of 40 commits: it opens few files, fetches each once."""
    backend = CountingBackend()
    shelf = Shelf(backend)
    segments: list[Segment] = []
    expected: list[Row] = []
    for seq in range(2, 42):
        rows = some_rows(seq, 40 if seq % 10 else 400)
        segments.append(shelf.segment(seq, rows))
        expected += with_seq(rows, seq)
        with Workspace() as workspace:
            Index(backend, tmp_path).attach(workspace, segments, merge=True)
            assert sorted(workspace.all("select * from chunks")) == sorted(expected)
            sql = str(workspace.row("select sql from duckdb_views() where view_name = 'chunks'"))
            assert sql.count(".parquet") <= RUNS_MAX
    assert set(backend.reads.values()) == {1}
    assert len(backend.reads) == len(segments)


@pytest.mark.parametrize("relation", ["chunks", "recipes"])
def test_a_cold_start_over_many_segments(tmp_path: Path, relation: str) -> None:
    backend = CountingBackend()
    shelf = Shelf(backend)
    rows = {
        seq: some_rows(seq, 10)
        if relation == "chunks"
        else [(blake(bytes([seq])), n, blake(bytes([seq, n]))) for n in range(5)]
        for seq in range(2, 60)
    }
    segments = [shelf.segment(seq, found, relation) for seq, found in rows.items()]
    expected = sorted(row for seq, found in rows.items() for row in with_seq(found, seq))
    for _ in range(2):
        assert rows_of(backend, tmp_path, segments, merge=True, relation=relation) == expected
    assert set(backend.reads.values()) == {1}


@given(data=st.data())
@settings(deadline=None, max_examples=10)
def test_any_sequence_of_looks_gives_what_was_asked_for(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Partial looks, full looks that merge, several clients, lost cache files: the rows of the
    segments that were asked for are all there, every row is true, and says whose it is."""
    folder = tmp_path_factory.mktemp("cache")
    shelf = Shelf(MemoryBackend())
    seqs = sorted(data.draw(st.sets(st.integers(2, 99), min_size=1, max_size=12)))
    written: dict[int, list[ChunkRow]] = {}
    segments: dict[int, Segment] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(index, "RUNS_MAX", data.draw(st.integers(2, 6)))
        patch.setattr(runs, "KEPT_SECONDS", data.draw(st.sampled_from([-1, 3600])))
        for seq in seqs:
            written[seq] = some_rows(seq, 1 + seq % 6)
            segments[seq] = shelf.segment(seq, written[seq])
            for _ in range(data.draw(st.integers(0, 1))):
                merge = data.draw(st.booleans())
                wanted = (
                    list(segments)
                    if merge
                    else data.draw(st.lists(st.sampled_from(list(segments)), unique=True))
                )
                found = rows_of(
                    shelf.backend, folder, [segments[one] for one in wanted], merge=merge
                )
                assert set(found) >= {row for one in wanted for row in with_seq(written[one], one)}
                assert set(found) <= {row for one in written for row in with_seq(written[one], one)}
            if data.draw(st.integers(0, 3)) == 0 and runs_in(folder):
                (folder / data.draw(st.sampled_from(runs_in(folder)))).unlink()


def test_nothing_at_all(tmp_path: Path) -> None:
    assert rows_of(MemoryBackend(), tmp_path / "none", [], merge=True) == []
    assert not (tmp_path / "none").exists()


def test_merged_runs_go_when_nobody_reads_them_any_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf = Shelf(MemoryBackend())
    segments = [shelf.segment(seq, some_rows(seq, 3)) for seq in range(2, 2 * RUNS_MAX)]
    rows_of(shelf.backend, tmp_path, segments[:-3], merge=True)
    kept = runs_in(tmp_path)
    assert len(kept) == len(segments[:-3]) + 1, "what was merged may still be about to be opened"
    later = time.time() + KEPT_SECONDS + 1
    monkeypatch.setattr(time, "time", lambda: later)
    more = [shelf.segment(seq, some_rows(seq, 3)) for seq in range(100, 100 + RUNS_MAX)]
    rows_of(shelf.backend, tmp_path, segments + more, merge=True)
    left = runs_in(tmp_path)
    assert len(left) <= RUNS_MAX
    assert rows_of(shelf.backend, tmp_path, segments + more, merge=True) == sorted(
        row for s in segments + more for row in with_seq(some_rows(s.seq, 3), s.seq)
    )


# Several clients in one cache folder


def look_again_and_again(store: str, folder: str, segments: list[Segment], seed: int) -> int:
    """One client: looks at more and more of the segments; says how many rows were wrong."""
    backend = open_backend(store)
    wrong = 0
    true = {row for s in segments for row in with_seq(some_rows(s.seq, 5), s.seq)}
    made = random.Random(seed)
    known = made.randrange(1, 8)
    while known <= len(segments):
        expected = {row for s in segments[:known] for row in with_seq(some_rows(s.seq, 5), s.seq)}
        found = set(rows_of(backend, Path(folder), segments[:known], merge=True))
        # What another client merged may tell of more segments, never of less.
        wrong += len(expected - found) + len(found - true)
        known += made.randrange(1, 8)
    return wrong


@pytest.mark.parametrize("kind", ["threads", "processes"])
def test_clients_that_share_a_cache(tmp_path: Path, kind: str) -> None:
    store = tmp_path / "store"
    backend = open_backend(str(store))
    backend.initialise(layout.directories(), group=None, shared=False)
    shelf = Shelf(backend)
    segments = [shelf.segment(seq, some_rows(seq, 5)) for seq in range(2, 50)]
    pool = (
        ThreadPoolExecutor(6)
        if kind == "threads"
        else ProcessPoolExecutor(3, mp_context=get_context("spawn"))
    )
    with pool:
        clients = [
            pool.submit(look_again_and_again, str(store), str(tmp_path / "cache"), segments, seed)
            for seed in range(6)
        ]
        assert [client.result() for client in clients] == [0] * 6
    assert not [name for name in runs_in(tmp_path / "cache") if name.startswith(".")]


def test_two_clients_that_fetch_the_same_segment_at_the_same_moment(tmp_path: Path) -> None:
    """The second arrives when the first has its bytes, but has not named them yet."""
    shelf = Shelf(MemoryBackend())
    segment = shelf.segment(2, some_rows(2, 5))
    nested: list[list[Row]] = []

    class Slow(Index):
        def _named(self, path: Path, first: int, last: int, relation: str) -> Run:
            nested.append(rows_of(shelf.backend, tmp_path, [segment]))
            return super()._named(path, first, last, relation)

    with Workspace() as workspace:
        Slow(shelf.backend, tmp_path).attach(workspace, [segment], merge=False)
        assert [sorted(workspace.all("select * from chunks"))] == nested
    assert nested == [sorted(with_seq(some_rows(2, 5), 2))]


# Damage


def test_a_damaged_run_is_fetched_again(tmp_path: Path) -> None:
    backend = CountingBackend()
    shelf = Shelf(backend)
    segments = [shelf.segment(seq, some_rows(seq, 20)) for seq in range(2, 4)]
    expected = rows_of(backend, tmp_path, segments)
    for number, name in enumerate(runs_in(tmp_path)):
        data = (tmp_path / name).read_bytes()
        damages = [data[:-1], data + b"\0", data[: len(data) // 2], b"", b"not Parquet"]
        for offset in range(0, len(data), 97):
            damages.append(data[:offset] + bytes([data[offset] ^ 0x20]) + data[offset + 1 :])
        for done, damage in enumerate(damages, start=1):
            (tmp_path / name).write_bytes(damage)
            assert rows_of(backend, tmp_path, segments) == expected
            assert (tmp_path / name).read_bytes() == data, "healed, under its own name"
            assert backend.reads[segments[number].file.key] == 1 + done


def test_a_damaged_merged_run_is_made_again(tmp_path: Path) -> None:
    backend = CountingBackend()
    shelf = Shelf(backend)
    segments = [shelf.segment(seq, some_rows(seq, 20)) for seq in range(2, 3 + RUNS_MAX)]
    expected = rows_of(backend, tmp_path, segments, merge=True)
    (merged,) = [
        name for name in runs_in(tmp_path) if not name.startswith(f"{name.split('-')[1]}-")
    ]
    data = bytearray((tmp_path / merged).read_bytes())
    data[len(data) // 3] ^= 1
    (tmp_path / merged).write_bytes(data)
    assert rows_of(backend, tmp_path, segments, merge=True) == expected
    for name in runs_in(tmp_path):
        (tmp_path / name).write_bytes(b"")
    assert rows_of(backend, tmp_path, segments, merge=False) == expected
    assert set(backend.reads.values()) == {2}


def test_files_with_other_names_are_left_alone(tmp_path: Path) -> None:
    shelf = Shelf(MemoryBackend())
    segment = shelf.segment(2, some_rows(2, 3))
    for name in ["2-2.chunks.parquet", "x-2-2-00.chunks.parquet", "notes.txt"]:
        (tmp_path / name).write_bytes(b"mine")
    assert rows_of(shelf.backend, tmp_path, [segment]) == sorted(with_seq(some_rows(2, 3), 2))
    assert (tmp_path / "notes.txt").read_bytes() == b"mine"


def assert_corrupt(shelf: Shelf, folder: Path, segment: Segment) -> None:
    with pytest.raises(Corrupt) as caught:
        rows_of(shelf.backend, folder, [segment])
    assert segment.file.key in caught.value.message
    assert str(folder) not in caught.value.message, "the cache is not what is damaged"
    assert not folder.exists() or runs_in(folder) == []


@pytest.mark.parametrize("damage", ["missing", "cut", "flipped", "longer", "other"])
def test_damage_in_the_store_names_the_segment(tmp_path: Path, damage: str) -> None:
    shelf = Shelf(MemoryBackend())
    good = shelf.segment(2, some_rows(2, 3))
    data = shelf.backend.read(good.file.key)
    damaged = {
        "cut": data[:-1],
        "flipped": data[:50] + bytes([data[50] ^ 1]) + data[51:],
        "longer": data + b"\0",
        "other": shelf.backend.read(shelf.segment(3, some_rows(3, 3)).file.key),
    }
    shelf.backend.delete(good.file.key)
    if damage != "missing":
        shelf.backend.write(good.file.key, damaged[damage])
    assert_corrupt(shelf, tmp_path / "cache", good)


GOOD = """
    select unhex(repeat('ab', 32)) as digest, 5::bigint as size,
           'packs/00/' || repeat('0', 32) || '-0.pack' as container, 16::bigint as "offset",
           5::bigint as stored_size, 'raw' as codec, null::blob as reference,
           unhex(repeat('00', 8)) as checksums
"""
GOOD_RECIPE = """
    select unhex(repeat('ab', 32)) as object, 0::bigint as ordinal,
           unhex(repeat('cd', 32)) as chunk
"""
WHOLE = "'whole/ab/' || repeat('ab', 32) || '-' || repeat('0', 32)"


def test_the_good_rows_are_good(tmp_path: Path) -> None:
    shelf = Shelf(MemoryBackend())
    assert len(rows_of(shelf.backend, tmp_path, [shelf.written(2, GOOD)])) == 1
    assert len(rows_of(shelf.backend, tmp_path, [shelf.written(3, f"{GOOD} limit 0")])) == 0
    whole = f"select * replace ({WHOLE} as container) from ({GOOD})"
    assert len(rows_of(shelf.backend, tmp_path, [shelf.written(4, whole)])) == 1


WRONG_COLUMNS = [
    f"select * exclude (checksums) from ({GOOD})",
    f"select *, 1 as more from ({GOOD})",
    f"select size, digest, * exclude (size, digest) from ({GOOD})",
    f"select * rename (digest as name) from ({GOOD})",
    f"select * replace (size::integer as size) from ({GOOD})",
    f"select * replace (size::varchar as size) from ({GOOD})",
    f"select * replace (size::double as size) from ({GOOD})",
    f"select * replace (hex(digest) as digest) from ({GOOD})",
    f"select * replace ([digest] as digest) from ({GOOD})",
    "select 1 as one",
]


@pytest.mark.parametrize("query", WRONG_COLUMNS)
def test_a_segment_with_other_columns(tmp_path: Path, query: str) -> None:
    shelf = Shelf(MemoryBackend())
    assert_corrupt(shelf, tmp_path / "cache", shelf.written(2, query))


IMPOSSIBLE = [
    "null as digest",
    "''::blob as digest",
    "unhex(repeat('ab', 31)) as digest",
    "unhex(repeat('ab', 5000000)) as digest",
    "null as size",
    "-1 as size",
    "6 as size",
    "9223372036854775807 as size, 9223372036854775807 as stored_size",
    "null as container",
    "'' as container",
    "'../../../etc/passwd' as container",
    "'packs/00/../../store.json' as container",
    "'/etc/passwd' as container",
    "'store.json' as container",
    "'packs/00/' || repeat('0', 32) || '-0.pack' || chr(10) as container",
    "'whole/ab/' || repeat('ab', 32) as container",
    "repeat('packs/00/', 1000000) as container",
    'null as "offset"',
    '-1 as "offset"',
    '9223372036854775807 as "offset"',
    "null as stored_size",
    "-5 as stored_size",
    "4 as stored_size",
    "null as codec",
    "'lz4' as codec",
    "repeat('raw', 3000000) as codec",
    "''::blob as reference",
    "null as checksums",
    "''::blob as checksums",
    "unhex(repeat('00', 16)) as checksums",
    "unhex(repeat('00', 9)) as checksums",
    "2000000 as size, 2000000 as stored_size, unhex(repeat('00', 16)) as checksums",
    "'zstd' as codec, 2000000 as size",
    f"{WHOLE} as container, 'zstd' as codec, 7 as size",
]


@pytest.mark.parametrize("change", IMPOSSIBLE)
def test_a_segment_with_an_impossible_row(tmp_path: Path, change: str) -> None:
    """One such row among many good ones is enough: nothing of the file is believed."""
    shelf = Shelf(MemoryBackend())
    bad = f"select * replace ({change}) from ({GOOD})"
    segment = shelf.written(2, f"select g.* from ({GOOD}) g, range(3000) union all {bad}")
    assert_corrupt(shelf, tmp_path / "cache", segment)


@pytest.mark.parametrize(
    "change",
    [
        "null as object",
        "''::blob as object",
        "null as chunk",
        "unhex(repeat('ab', 16)) as chunk",
        "null as ordinal",
        "-1 as ordinal",
        "9223372036854775807 as ordinal",
    ],
)
def test_a_recipe_that_cannot_be(tmp_path: Path, change: str) -> None:
    shelf = Shelf(MemoryBackend())
    bad = shelf.written(2, f"select * replace ({change}) from ({GOOD_RECIPE})", "recipes")
    with pytest.raises(Corrupt, match=bad.file.key):
        rows_of(shelf.backend, tmp_path, [bad])


def test_a_segment_that_is_not_parquet(tmp_path: Path) -> None:
    """The record names exactly these bytes: only looking into them tells."""
    shelf = Shelf(MemoryBackend())
    good = shelf.backend.read(shelf.segment(100, some_rows(2, 300)).file.key)
    for number, data in enumerate([b"", b"PAR1", b"hello", good[:-20], b"PAR1" + bytes(99)]):
        assert_corrupt(shelf, tmp_path / "cache", shelf.stored(2 + number, data))


def test_a_column_name_that_is_not_utf_8(tmp_path: Path) -> None:
    """DuckDB's own message about it cannot be decoded."""
    shelf = Shelf(MemoryBackend())
    data = shelf.backend.read(shelf.segment(1, some_rows(2, 5)).file.key)
    bad = shelf.stored(2, data.replace(b"stored_size", b"stored_siz\xff"))
    assert_corrupt(shelf, tmp_path / "cache", bad)


def test_parquet_with_a_damaged_page(tmp_path: Path) -> None:
    """Whatever DuckDB makes of it: rows that are possible, or `Corrupt` with the name."""
    shelf = Shelf(MemoryBackend())
    data = shelf.backend.read(shelf.segment(1, some_rows(2, 50)).file.key)
    looked = passed = refused = 0
    for seq, offset in enumerate(range(4, len(data) - 8, 53), start=2):
        flipped = data[:offset] + bytes([data[offset] ^ 0x41]) + data[offset + 1 :]
        segment = shelf.stored(seq, flipped)
        try:
            found = rows_of(shelf.backend, tmp_path, [segment])
        except Corrupt as error:
            refused += segment.file.key in error.message
            continue
        finally:
            looked += 1
        passed += 1
        assert all(len(row[0]) in (16, 32) and row[1] >= 0 for row in found)
    assert refused > 0
    assert passed + refused == looked


# What can be read back


def seen(
    shelf: Shelf,
    folder: Path,
    segments: list[Segment],
    barred: list[str],
    barred_seqs: Sequence[int] = (),
) -> set[Row]:
    with Workspace() as workspace:
        Index(shelf.backend, folder).attach(workspace, segments, merge=True)
        prepare(
            workspace,
            barred=barred,
            barred_segments=[(seq, kind) for seq in barred_seqs for kind in ("chunks", "recipes")],
        )
        usable = {row[0] for row in workspace.all("select container from usable")}
        assert not usable & set(barred)
        return set(workspace.all("select * from objects"))


def test_objects_are_chunks_and_complete_recipes(tmp_path: Path) -> None:
    shelf = Shelf(MemoryBackend())
    a, b, c, d = (bytes([n]) * (n + 1) for n in range(4))
    ab, abab, ac, gap = blake(a + b), blake((a + b) * 2), blake(a + c), blake(b"gap")
    first = shelf.pack(2, [a, b])
    again = shelf.pack(3, [a, d])
    recipes: list[RecipeRow] = [
        (ab, 0, blake(a)),
        (ab, 1, blake(b)),
        *((abab, n, blake((a, b)[n % 2])) for n in range(4)),
        (ac, 0, blake(a)),
        (ac, 1, blake(c)),
        (gap, 0, blake(a)),
        (gap, 2, blake(b)),
    ]
    segments = [
        shelf.segment(2, first),
        shelf.segment(3, again),
        shelf.segment(2, recipes, "recipes"),
        shelf.segment(3, recipes[:2], "recipes"),
    ]
    plain = {(blake(one), len(one)) for one in (a, b, d)}
    made = {(ab, 3), (abab, 6)}
    assert seen(shelf, tmp_path, segments, []) == plain | made
    second_only = {(blake(a), 1), (blake(d), 4)}
    assert seen(shelf, tmp_path, segments, [first[0][2]]) == second_only
    assert seen(shelf, tmp_path, segments, [again[0][2]]) == (plain | made) - {(blake(d), 4)}
    assert seen(shelf, tmp_path, segments, [first[0][2], again[0][2]]) == set()


def test_a_recipe_of_one_commit_does_not_complete_that_of_another(tmp_path: Path) -> None:
    shelf = Shelf(MemoryBackend())
    a, b = b"a", b"bb"
    made = blake(b"abb, cut in two ways")
    segments = [
        shelf.segment(2, shelf.pack(2, [a, b])),
        shelf.segment(2, [(made, 0, blake(a)), (made, 1, blake(b"lost"))], "recipes"),
        shelf.segment(3, [(made, 0, blake(b"lost")), (made, 1, blake(b))], "recipes"),
    ]
    assert seen(shelf, tmp_path, segments, []) == {(blake(a), 1), (blake(b), 2)}


def test_giant_sizes_do_not_overflow() -> None:
    giant = 1 << 53
    row = f"{WHOLE} as container, {giant} as size, {giant} as stored_size"
    sums = "unhex(repeat('00', 8)) as checksums"
    with Workspace() as workspace:
        # As a view of its own: nobody stores 64 GiB of checksums to try this.
        workspace.execute(
            f"create view chunks as select *, 2 as seq from (select * replace"
            f" ({row}, {sums}) from ({GOOD}))"
        )
        workspace.execute("create table recipes (object blob, ordinal bigint, chunk blob, seq int)")
        chunk = bytes.fromhex("ab" * 32)
        workspace.load("recipes", ((b"o" * 32, n, chunk, 2) for n in range(5000)))
        prepare(workspace, barred=[], barred_segments=[])
        found: dict[bytes, int] = dict(workspace.all("select digest, size from objects"))
    assert found[b"o" * 32] == 5000 * giant


def test_what_a_condemned_segment_says_need_not_be_found(tmp_path: Path) -> None:
    shelf = Shelf(MemoryBackend())
    made = blake(b"abb")
    segments = [
        shelf.segment(2, shelf.pack(2, [b"a", b"bb"])),
        shelf.segment(3, shelf.pack(3, [b"a"])),
        shelf.segment(3, [(made, 0, blake(b"a")), (made, 1, blake(b"bb"))], "recipes"),
    ]
    a, b = (blake(b"a"), 1), (blake(b"bb"), 2)
    assert seen(shelf, tmp_path, segments, []) == {a, b, (made, 3)}
    assert seen(shelf, tmp_path, segments, [], [3]) == {a, b}
    assert seen(shelf, tmp_path, segments, [], [2]) == {a}
    assert seen(shelf, tmp_path, segments, [], [2, 3]) == set()


def test_rows_that_two_runs_share_count_once() -> None:
    """As when two clients merged ranges that overlap."""
    chunk = bytes.fromhex("ab" * 32)
    with Workspace() as workspace:
        workspace.execute(
            f"create view chunks as select *, 2 as seq from ({GOOD} union all {GOOD})"
        )
        workspace.execute("create table recipes (object blob, ordinal bigint, chunk blob, seq int)")
        workspace.load("recipes", 2 * [(b"o" * 32, n, chunk, 2) for n in range(3)])
        prepare(workspace, barred=[], barred_segments=[])
        found = workspace.all("select digest, size from objects")
    assert sorted(found) == [(b"o" * 32, 15), (chunk, 5)]
