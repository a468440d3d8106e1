"""Fetch puts content together as the index says, and gives no byte that is not what was saved."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datacat import layout
from datacat.backend import Backend
from datacat.backend.memory import MemoryBackend
from datacat.backend.open import open_backend
from datacat.digest import checksums
from datacat.errors import Cancelled, Corrupt
from datacat.manifest.entry import DDL
from datacat.objects.index import Index, Segment, prepare
from datacat.progress import StopSignal
from datacat.sql import Workspace
from datacat.transfer import pieces
from datacat.transfer import sink as sinks
from datacat.transfer.fetch import Fetch
from datacat.transfer.journal import ChunkRow
from datacat.transfer.sink import Damaged, Wanted
from tests.unit.objects.shelf import RecipeRow, Shelf, blake

MIB = 1 << 20


class Sink(sinks.Sink):
    """Keeps what arrives whole; what raised on the way never did."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.placed: list[str] = []
        self._lock = threading.Lock()

    def write(self, wanted: Wanted, parts: Iterator[bytes | memoryview]) -> None:
        data = b"".join(map(bytes, parts))
        with self._lock:
            assert wanted.path not in self.files
            self.files[wanted.path] = data

    def place(self, wanted: Wanted, source: Path, sums: bytes) -> None:
        data = source.read_bytes()
        if checksums(data) != sums:
            raise Corrupt("not what was stored")
        with self._lock:
            self.placed.append(wanted.path)
            self.files[wanted.path] = data


def fetched(
    backend: Backend,
    cache: Path,
    segments: Sequence[Segment],
    wanted: dict[str, bytes | tuple[bytes, int]],
    *,
    barred: Sequence[str] = (),
    stop: StopSignal | None = None,
    jobs: int = 3,
) -> tuple[Sink, list[Damaged]]:
    """Fetch `wanted`: path and content, or digest and size where there is no honest content."""
    sink = Sink()
    with Workspace() as workspace, ThreadPoolExecutor(jobs) as executor:
        Index(backend, cache).attach(workspace, segments, merge=True)
        prepare(workspace, barred=barred, barred_segments=[])
        workspace.execute(
            f"create table wanted ({DDL}, there_size bigint, there_mtime_ns bigint,"
            " there_ctime_ns bigint, there_inode bigint)"
        )
        named = {
            path: (blake(one), len(one)) if isinstance(one, bytes) else one
            for path, one in wanted.items()
        }
        workspace.load(
            "wanted",
            (
                (path, "file", size, False, 0, digest, None, None, None, None, None)
                for path, (digest, size) in named.items()
            ),
        )
        plan = Fetch(
            backend,
            workspace=workspace,
            algorithm="blake3",
            sink=sink,
            stop=stop or StopSignal(),
        )
        damaged = plan.plan()
        counted: list[tuple[int, int]] = []
        damaged += plan.run(executor, jobs=jobs, done=lambda n, size: counted.append((n, size)))
    assert sum(files for files, _ in counted) == len(sink.files)
    assert sum(size for _, size in counted) == sum(map(len, sink.files.values()))
    return sink, damaged


@pytest.fixture(params=["memory", "posix"])
def shelf(request: pytest.FixtureRequest, tmp_path: Path) -> Shelf:
    if request.param == "memory":
        return Shelf(MemoryBackend())
    backend = open_backend(str(tmp_path / "store"))
    backend.initialise(layout.directories(), group=None, shared=False)
    return Shelf(backend)


def noise(seed: int, size: int) -> bytes:
    return random.Random(seed).randbytes(size)


def cut(data: bytes, seed: int, *, mean: int = 60_000) -> list[bytes]:
    """`data` in pieces of any size."""
    made = random.Random(seed)
    pieces = []
    while data:
        size = made.randrange(1, 2 * mean)
        pieces.append(data[:size])
        data = data[size:]
    return pieces


def recipe(pieces: Sequence[bytes]) -> list[RecipeRow]:
    return [(blake(b"".join(pieces)), n, blake(piece)) for n, piece in enumerate(pieces)]


def replaced(shelf: Shelf, key: str, change: Callable[[bytes], bytes]) -> None:
    data = shelf.backend.read(key)
    shelf.backend.delete(key)
    shelf.backend.write(key, change(data))


def test_objects_of_several_chunks(shelf: Shelf, tmp_path: Path) -> None:
    """Chunks in two packs, compressed and not, shared by two objects and repeated in one."""
    big = cut(noise(1, 900_000) + b"text " * 100_000, 1)
    edited = [*big[:5], b"a new piece", *big[5:]]
    again = [big[0], big[1]] * 4
    small = b"small, beside them"
    first = shelf.pack(2, [*big, small])
    second = shelf.pack(3, [b"a new piece"])
    segments = [
        shelf.segment(2, first),
        shelf.segment(3, second),
        shelf.segment(2, recipe(big), "recipes"),
        shelf.segment(3, [*recipe(edited), *recipe(again)], "recipes"),
    ]
    contents = {
        "big": b"".join(big),
        "copy of big": b"".join(big),
        "edited": b"".join(edited),
        "again": b"".join(again),
        "one piece": big[3],
        "small": small,
    }
    sink, damaged = fetched(shelf.backend, tmp_path / "cache", segments, dict(contents))
    assert damaged == []
    assert sink.files == contents


@given(data=st.data())
@settings(deadline=None, max_examples=12)
def test_any_recipes_against_a_model(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Any chunks in any containers, any of which may be gone or condemned: an object arrives just
    when each of its chunks is in a container that is left, and is what its recipe says."""
    shelf = Shelf(MemoryBackend())
    chunks = data.draw(st.lists(st.binary(min_size=64, max_size=99), min_size=1, max_size=10))
    where: dict[str, set[bytes]] = {}
    segments = []
    for seq in range(2, 2 + data.draw(st.integers(1, 4))):
        inside = data.draw(st.lists(st.sampled_from(chunks), min_size=1, unique=True))
        rows = shelf.pack(seq, inside)
        where[rows[0][2]] = set(inside)
        segments.append(shelf.segment(seq, rows))
    made = data.draw(
        st.lists(st.lists(st.sampled_from(chunks), min_size=1, max_size=8), max_size=5)
    )
    rows_by_object = {blake(b"".join(pieces)): (recipe(pieces), pieces) for pieces in made}
    segments.append(
        shelf.segment(9, [row for rows, _ in rows_by_object.values() for row in rows], "recipes")
    )
    barred = data.draw(st.lists(st.sampled_from(sorted(where)), unique=True))
    left = set().union(*(inside for key, inside in where.items() if key not in barred))
    wanted: dict[str, bytes] = {f"chunk {n}": one for n, one in enumerate(chunks)}
    wanted |= {f"object {n}": b"".join(one) for n, one in enumerate(made)}

    def is_left(content: bytes) -> bool:
        if content in left:
            return True
        found = rows_by_object.get(blake(content))
        return found is not None and set(found[1]) <= left

    folder = tmp_path_factory.mktemp("cache")
    sink, damaged = fetched(shelf.backend, folder, segments, dict(wanted), barred=barred)
    assert sink.files == {path: one for path, one in wanted.items() if is_left(one)}
    assert {one.wanted.path for one in damaged} == set(wanted) - set(sink.files)
    assert all(one.missing for one in damaged)


def test_chunks_inside_a_whole_container(shelf: Shelf, tmp_path: Path) -> None:
    """An old object was stored whole; an edit of it refers to pieces of it where they lie."""
    old = noise(5, 3 * MIB + 17)
    row = shelf.whole(2, old)
    pieces = [old[:MIB], old[MIB : 3 * MIB], old[3 * MIB :]]
    edited = [pieces[0], b"inserted", pieces[1], pieces[2]]

    def inside(piece: bytes) -> ChunkRow:
        start = old.index(piece)
        return (blake(piece), len(piece), row[2], start, len(piece), "raw", None, checksums(piece))

    segments = [
        shelf.segment(2, [row]),
        shelf.segment(3, [*map(inside, pieces), *shelf.pack(3, [b"inserted"])]),
        shelf.segment(3, [*recipe(edited), *recipe(pieces)], "recipes"),
    ]
    contents = {
        "old": old,
        "edited": b"".join(edited),
        "head": pieces[0],
        "middle": pieces[1],
        "tail": pieces[2],
    }
    sink, damaged = fetched(shelf.backend, tmp_path / "cache", segments, dict(contents))
    assert damaged == []
    assert sink.files == contents
    local = shelf.backend.path_of(row[2]) is not None
    assert sink.placed == (["old"] if local else []), "whole content can be linked; a part cannot"
    replaced(shelf, row[2], lambda data: data[: MIB + 5] + b"!" + data[MIB + 6 :])
    sink, damaged = fetched(shelf.backend, tmp_path / "cache", segments, dict(contents))
    assert sink.files == {path: contents[path] for path in ("head", "tail")}
    assert {one.wanted.path for one in damaged} == {"old", "edited", "middle"}


def test_recipes_of_two_commits_do_not_mix(shelf: Shelf, tmp_path: Path) -> None:
    data = noise(7, 200_000)
    one, two = cut(data, 1, mean=30_000), cut(data, 2, mean=20_000)
    first, second = shelf.pack(2, one), shelf.pack(3, two)
    segments = [
        shelf.segment(2, first),
        shelf.segment(2, recipe(one), "recipes"),
        shelf.segment(3, second),
        shelf.segment(3, recipe(two), "recipes"),
    ]
    for barred in [[], [first[0][2]], [second[0][2]]]:
        sink, damaged = fetched(
            shelf.backend, tmp_path / "cache", segments, {"data": data}, barred=barred
        )
        assert (sink.files, damaged) == ({"data": data}, [])
    both = [first[0][2], second[0][2]]
    sink, damaged = fetched(
        shelf.backend, tmp_path / "cache", segments, {"data": data}, barred=both
    )
    assert sink.files == {}
    assert [(one.wanted.path, one.missing) for one in damaged] == [("data", True)]


def test_a_recipe_that_lies_gives_nothing(shelf: Shelf, tmp_path: Path) -> None:
    """The checksums are right, the sizes add up, and it is still not what was asked for."""
    a, b = noise(1, 50_000), noise(2, 50_000)
    honest = blake(a + b)
    lies: dict[str, list[RecipeRow]] = {
        "swapped": [(honest, 0, blake(b)), (honest, 1, blake(a))],
        "twice the same": [(honest, 0, blake(a)), (honest, 1, blake(a))],
        "other content": [(blake(b"c" * 50_000), 0, blake(a))],
        "too short": [(honest, 0, blake(a))],
        "too long": [(honest, n, blake(a)) for n in range(3)],
    }
    chunks = shelf.segment(2, shelf.pack(2, [a, b]))
    for seq, (name, rows) in enumerate(lies.items(), start=2):
        segments = [chunks, shelf.segment(seq, rows, "recipes")]
        size = 50_000 if name == "other content" else 100_000
        sink, damaged = fetched(
            shelf.backend,
            tmp_path / f"cache {seq}",
            segments,
            {"lie": (rows[0][0], size), "a": a},
        )
        assert sink.files == {"a": a}, name
        assert [one.wanted.path for one in damaged] == ["lie"], name


def test_an_index_that_lies_gives_nothing(shelf: Shelf, tmp_path: Path) -> None:
    """Rows with right checksums for bytes that are something else."""
    a, b = b"a" * 1000, noise(3, 1000)
    rows = shelf.pack(2, [a, b])
    whole = shelf.whole(2, noise(4, 5 * MIB))
    asked = blake(b"what was asked for")
    lies = [(asked, *row[1:]) for row in (rows[0], rows[1], whole)]
    for seq, lie in enumerate(lies, start=2):
        sink, damaged = fetched(
            shelf.backend,
            tmp_path / f"cache {seq}",
            [shelf.segment(seq, [lie])],
            {"lie": (asked, lie[1])},
        )
        assert sink.files == {}
        assert [one.wanted.path for one in damaged] == ["lie"]


def test_damage_is_named_and_the_rest_arrives(shelf: Shelf, tmp_path: Path) -> None:
    contents = [noise(n, 3000) if n % 2 else bytes([n]) * 3000 for n in range(12)]
    rows = shelf.pack(2, contents)
    wholes = [noise(n, 300_000) for n in range(20, 24)]
    whole_rows = [shelf.whole(2, data) for data in wholes]
    segments = [shelf.segment(2, [*rows, *whole_rows])]
    wanted = {f"{n:02}": data for n, data in enumerate([*contents, *wholes])}

    def flip(data: bytes) -> bytes:
        at = rows[3][3] + rows[3][4] - 1
        return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]

    replaced(shelf, rows[0][2], flip)
    replaced(shelf, whole_rows[1][2], lambda data: data[:-1])
    replaced(shelf, whole_rows[2][2], lambda data: data[:-1] + bytes([data[-1] ^ 1]))
    shelf.backend.delete(whole_rows[3][2])
    sink, damaged = fetched(shelf.backend, tmp_path / "cache", segments, dict(wanted))
    bad = {"03", "13", "14", "15"}
    assert sink.files == {path: data for path, data in wanted.items() if path not in bad}
    reasons = {one.wanted.path: (one.reason, one.missing) for one in damaged}
    assert set(reasons) == bad
    assert rows[0][2] in reasons["03"][0]
    assert {path for path, (_, missing) in reasons.items() if missing} == {"15"}

    # A pack that ends early: what lies before the cut is still there.
    replaced(shelf, rows[0][2], lambda data: data[: rows[6][3]])
    sink, damaged = fetched(shelf.backend, tmp_path / "cache", segments, dict(wanted))
    assert {path for path in sink.files if path < "12"} == {"00", "01", "02", "04", "05"}
    shelf.backend.delete(rows[0][2])
    sink, damaged = fetched(shelf.backend, tmp_path / "cache", segments, dict(wanted))
    assert sorted(sink.files) == ["12"]
    assert sum(one.missing for one in damaged) == 13


def test_what_lies_far_apart_is_read_apart(tmp_path: Path) -> None:
    """One request for neighbours, none for a gap of more than 64 kB."""
    asked: list[tuple[int, int]] = []

    class Watched(MemoryBackend):
        def read_range(self, key: str, offset: int, length: int) -> bytes:
            if key.startswith(layout.PACKS):
                asked.append((offset, length))
            return super().read_range(key, offset, length)

    shelf = Shelf(Watched())
    contents = [noise(n, size) for n, size in enumerate([100, 100, pieces.GAP_BYTES + 1, 100, 9])]
    rows = shelf.pack(2, contents)
    segments = [shelf.segment(2, rows)]
    wanted = {str(n): contents[n] for n in (0, 1, 3, 4)}
    sink, _ = fetched(shelf.backend, tmp_path, segments, dict(wanted))
    assert sink.files == wanted
    assert asked == [(16, 200), (rows[3][3], 109)]


def test_a_stop_ends_it(tmp_path: Path) -> None:
    shelf = Shelf(MemoryBackend())
    data = noise(1, 500_000)
    pieces = cut(data, 1)
    segments = [
        shelf.segment(2, shelf.pack(2, pieces)),
        shelf.segment(2, recipe(pieces), "recipes"),
    ]
    stop = StopSignal()
    stop.set()
    with pytest.raises(Cancelled):
        fetched(shelf.backend, tmp_path, segments, {"data": data}, stop=stop)
