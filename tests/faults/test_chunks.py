"""Edits meet damage, interruption and other people: nothing is lost, and nothing is made up."""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from datacat import layout
from datacat.errors import Cancelled, Failed
from datacat.model import Layout, Parameters
from datacat.objects.pack import read_footer
from datacat.opened import OpenedStore
from datacat.progress import StopSignal
from datacat.store import Store
from datacat.transfer import files, following
from datacat.transfer.files import OpenFile
from datacat.working_copy import save
from tests import chunked
from tests.chunked import IN_MEMORY_BYTES, TINY, added, chunks_of, containers, held, pulled
from tests.conftest import make_client, make_store
from tests.faults.racer import Order, in_order, race
from tests.faults.test_condemned import condemn, condemn_before_commit, sweep


def noise(size: int, seed: int) -> bytes:
    return random.Random(seed).randbytes(size)


def flipped(data: bytes, every: int) -> bytes:
    """The same with a bit flipped every so many bytes: each chunk is a little different."""
    changed = bytearray(data)
    for at in range(every // 2, len(data), every):
        changed[at] ^= 1
    return bytes(changed)


SIZES = [6_000, 40_000]
assert SIZES[0] < IN_MEMORY_BYTES < SIZES[1]


class Scene:
    """A store whose chunks are tiny, alice who saves, and others who look."""

    def __init__(self, folder: Path, parameters: Parameters = TINY, *, jobs: int = 2) -> None:
        self.folder = folder
        self.work = folder / "w"
        self.alice = make_store(
            "posix",
            folder,
            client=make_client(folder, "alice", jobs=jobs),
            parameters=parameters,
        )
        self.opened: OpenedStore = chunked.opened(self.alice, folder)
        self.count = 0

    def add(self, files: dict[str, bytes], **more: Any) -> str:
        return added(self.alice, self.work, files, **more)

    def stranger(self) -> Store:
        """Somebody with an empty cache."""
        self.count += 1
        return Store.open(self.alice.url, client=make_client(self.folder, f"s{self.count}"))

    def assert_holds(self, ref: str, files: dict[str, bytes]) -> None:
        """Exactly these files come back, of this version alone and of the store as a whole."""
        someone = self.stranger()
        assert pulled(someone, ref, self.folder / f"out {self.count}") == files
        assert [result.ok for result in someone.verify([ref])] == [True]

    def frames(self) -> list[Any]:
        return [
            entry
            for key, size in containers(self.opened.backend).items()
            if not layout.is_whole(key)
            for entry in read_footer(self.opened.backend, key, size_bytes=size)
        ]

    def whole(self) -> Path:
        (key,) = [key for key in containers(self.opened.backend) if layout.is_whole(key)]
        return Path(self.alice.url) / key

    def interrupted_add(
        self, files: dict[str, bytes], patch: pytest.MonkeyPatch, **more: Any
    ) -> None:
        """An add that uploads everything and then stops."""

        def stop(_workspace: object) -> None:
            raise Cancelled("stopped")

        with patch.context() as patched:
            patched.setattr(save, "choose_chunks", stop)
            with pytest.raises(Cancelled):
                self.add(files, **more)


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    chunked.shrink(monkeypatch)
    return Scene(tmp_path)


def damage(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.chmod(0o644)
    path.write_bytes(data)


# Damaged old content


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("how", ["middle", "start", "end", "cut", "gone"])
def test_an_edit_of_what_is_damaged_stores_all_that_it_needs(
    scene: Scene, size: int, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("datacat.transfer.pieces.SPLIT_BYTES", 1 << 20)
    old = noise(size, 1)
    scene.add({"a": old})
    path = scene.whole()
    if how == "gone":
        path.unlink()
    elif how == "cut":
        path.chmod(0o644)
        path.write_bytes(old[: size // 2])
    else:
        damage(path, {"middle": size // 2, "start": 0, "end": size - 1}[how])
    new = old[: size // 3] + b"inserted" + old[size // 3 :]
    ref = scene.add({"a": new})
    scene.assert_holds(ref, {"a": new})
    recipes = held(scene.opened).recipes
    made = {obj for _, obj, _, _ in recipes}
    assert chunked.blake(old) not in made, "a recipe of content that could not be read"
    # Content that is stored again heals the version before.
    again = scene.add({"b": old, "c": b"c"}, name="other", new=True)
    if how == "gone":
        assert again


@pytest.mark.parametrize("size", [3_500_000, 9 << 20])
def test_what_is_damaged_behind_its_first_part_serves_up_to_there(
    tmp_path: Path, size: int
) -> None:
    """A part is read at a time: 4 MiB. What lies before the damage is used, and no recipe made."""
    scene = Scene(tmp_path, Parameters(chunk_min_bytes=4096, chunk_mean_bytes=16_384))
    line = noise(1 << 20, 3)
    old = b"".join(line[n:] + line[:n] for n in range(9))
    scene.add({"a": old})
    damage(scene.whole(), len(old) // 2)
    new = b"before" + old[:size]
    ref = scene.add({"a": new})
    scene.assert_holds(ref, {"a": new})
    state = held(scene.opened)
    assert chunked.blake(old) not in {obj for _, obj, _, _ in state.recipes}
    ends = {row[3] + row[1] for _, row in state.chunks if layout.is_whole(row[2])}
    assert max(ends - {len(old)}) <= 4 << 20, "a chunk behind the damage"
    assert len(ends) > 50, "nothing of the first part was used"
    assert sum(entry.size for entry in scene.frames()) < 6 << 20


# What the index says


def test_a_recipe_in_a_segment_of_its_own_is_found(scene: Scene) -> None:
    """All chunks of the content lie in segments before the one that says how they follow."""
    old = noise(6_000, 1)
    edited = old[:3_000] + b"x" + old[3_000:]
    scene.add({"a": old})
    scene.add({"a": edited})
    shorter = b"".join(chunks_of(edited)[:-1])
    before = containers(scene.opened.backend)
    scene.add({"a": shorter})
    assert containers(scene.opened.backend) == before, "all of it was there"
    scene.add({"b": b"something else"})
    ref = scene.add({"a": shorter, "b": b"now both"})
    scene.assert_holds(ref, {"a": shorter, "b": b"now both"})


def test_the_segment_of_a_recipe_that_is_condemned_meanwhile_is_not_relied_on(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = noise(6_000, 1)
    edited = old[:3_000] + b"x" + old[3_000:]
    scene.add({"a": old})
    scene.add({"a": edited})
    shorter = b"".join(chunks_of(edited)[:-1])
    there = {stat.key for stat in scene.opened.backend.keys(layout.SEGMENTS)}
    scene.add({"a": shorter})
    recipe = [
        stat.key for stat in scene.opened.backend.keys(layout.SEGMENTS) if stat.key not in there
    ]
    assert len(recipe) == 1, "a recipe and no chunk"
    scene.add({"b": b"something else"})
    calls = condemn_before_commit(monkeypatch, scene.opened, recipe)
    ref = scene.add({"a": shorter, "b": b"now both"})
    assert len(calls) == 2, "the session did not start over"
    sweep(scene.opened, recipe)
    scene.assert_holds(ref, {"a": shorter, "b": b"now both"})


@pytest.mark.parametrize("size", SIZES)
def test_old_content_is_indexed_once(scene: Scene, size: int) -> None:
    """However many files had it, and however often it is the version before."""
    old = noise(size, 1) + bytes(1_500)
    names = [f"{n}" for n in range(8)]
    scene.add(dict.fromkeys(names, old))
    scene.add({name: old + name.encode() * 20 for name in names})
    first = held(scene.opened)
    scene.add({"0": old, "b": b"b"})
    scene.add({"0": old + b"another end" * 9, "b": b"b"})
    state = held(scene.opened)
    rows = Counter(row[0] for _, row in state.chunks)
    assert max(rows.values()) == 1
    made = Counter((obj, ordinal) for _, obj, ordinal, _ in state.recipes)
    assert max(made.values()) == 1
    of_old = [chunk for _, obj, _, chunk in state.recipes if obj == chunked.blake(old)]
    assert of_old == [chunked.blake(chunk) for chunk in chunks_of(old)]
    assert len(state.chunks) - len(first.chunks) <= 4, "b, and chunks at the end of the edit"


def test_what_lies_in_old_content_is_not_stored_for_another_file(scene: Scene) -> None:
    """The old content of one file is cut; another file of this very add has the same chunks."""
    old = noise(6_000, 1)
    scene.add({"a": old})
    part = b"".join(chunks_of(old)[2:9])
    scene.add({"a": old + b"more", "b": part + noise(900, 5)}, layout=Layout.CHUNKED)
    state = held(scene.opened)
    inside = {chunked.blake(chunk) for chunk in chunks_of(old)}
    assert len(inside & state.packed.keys()) <= 1, "the last chunk of the old content at most"
    scene.assert_holds("w@v2", {"a": old + b"more", "b": part + noise(900, 5)})


def test_what_was_stored_before_it_was_found_is_indexed_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other file comes first, and nobody knew then what lies in the old content."""
    chunked.shrink(monkeypatch)
    scene = Scene(tmp_path, jobs=1)
    old = noise(6_000, 1)
    between = {f"between {n}": noise(7_000, 10 + n) for n in range(6)}
    scene.add({"last": old, **between})
    part = b"".join(chunks_of(old)[2:9])
    new = {"first": part + noise(900, 5), "last": old + b"more"}
    changed = {name: data + b"!" for name, data in between.items()}
    scene.add(new | changed, layout=Layout.CHUNKED)
    state = held(scene.opened)
    assert {chunked.blake(chunk) for chunk in chunks_of(old)[3:8]} <= state.packed.keys()
    assert max(Counter(row[0] for _, row in state.chunks).values()) == 1
    scene.assert_holds("w@v2", new | changed)


def test_a_small_file_that_is_larger_than_a_chunk_is_not_cut_where_it_lies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is one compressed frame: there are no plain bytes in it to point at."""
    chunked.shrink(monkeypatch)
    sizes = {"chunk_min_bytes": 64, "chunk_mean_bytes": 256, "chunk_max_bytes": 1024}
    scene = Scene(tmp_path, Parameters(small_bytes=5_000, **sizes))
    old = b"".join(b"%d,%d\n" % (n, n * n) for n in range(400))
    assert 1024 < len(old) < 5_000
    scene.add({"a": old})
    ref = scene.add({"a": old + noise(3_000, 5)})
    scene.assert_holds(ref, {"a": old + noise(3_000, 5)})


# Condemned


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("what", ["pack", "whole", "segment"])
def test_chunks_of_what_was_condemned_are_stored_anew(scene: Scene, size: int, what: str) -> None:
    """Whether it held the chunk, or what the chunk was made against."""
    old = noise(size, 1)
    edit = flipped(old, 300)
    scene.add({"a": old})
    before = containers(scene.opened.backend).keys()
    segments = {stat.key for stat in scene.opened.backend.keys(layout.SEGMENTS)}
    scene.add({"a": edit})
    assert any(entry.reference is not None for entry in scene.frames())
    names = {
        "pack": list(containers(scene.opened.backend).keys() - before),
        "whole": list(before),
        "segment": [
            stat.key
            for stat in scene.opened.backend.keys(layout.SEGMENTS)
            if stat.key not in segments
        ],
    }[what]
    state = held(scene.opened)
    packed, mine = state.packed, {chunked.blake(chunk) for chunk in chunks_of(edit)}
    plain = {row[0] for seq, row in state.chunks if row[6] is None and row[2] not in names}
    lost = mine - {
        row[0]
        for seq, row in state.chunks
        if row[2] not in names and (row[6] is None or row[6] in plain)
    }
    if what == "segment":
        lost = mine
    assert lost
    condemn(scene.opened, names)
    bob = scene.stranger()
    wanted = {"x": edit, "y": edit[: size // 2]}
    ref = added(bob, scene.folder / "bob", wanted, name="again", layout=Layout.CHUNKED)
    fresh = held(scene.opened).packed - packed
    sweep(scene.opened, names)
    scene.assert_holds(ref, wanted)
    assert lost <= fresh.keys()
    assert not (fresh.keys() & mine) - lost, "what was not lost was stored again"
    assert max(fresh.values()) == 1


def test_a_file_whose_content_was_condemned_is_no_edit_of_itself(scene: Scene) -> None:
    """It is kept as a new file would be: whole."""
    data = {"a": noise(6_000, 1), "b": noise(40_000, 2), "same as b": noise(40_000, 2)}
    scene.add(data)
    first = list(containers(scene.opened.backend))
    condemn(scene.opened, first)
    ref = scene.add({**data, "c": b"c"})
    sweep(scene.opened, first)
    scene.assert_holds(ref, {**data, "c": b"c"})
    assert sum(layout.is_whole(key) for key in containers(scene.opened.backend)) == 2


@pytest.mark.parametrize("size", SIZES)
def test_what_an_edit_was_made_against_is_condemned_before_the_commit(
    scene: Scene, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The session starts over: its own frames, which nobody can read any more, are made again."""
    old = noise(size, 1)
    scene.add({"a": old})
    reused = list(containers(scene.opened.backend))
    calls = condemn_before_commit(monkeypatch, scene.opened, reused)
    ref = scene.add({"a": flipped(old, 300)})
    assert len(calls) == 2
    sweep(scene.opened, reused)
    scene.assert_holds(ref, {"a": flipped(old, 300)})


# Interrupted


@pytest.mark.parametrize("size", SIZES)
def test_an_interrupted_edit_goes_on_without_uploading_again(
    scene: Scene, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = noise(size, 1)
    scene.add({"a": old})
    edit = flipped(old, 300)
    scene.interrupted_add({"a": edit}, monkeypatch)
    left = containers(scene.opened.backend)
    assert any(entry.reference is not None for entry in scene.frames())
    ref = scene.add({"a": edit})
    assert containers(scene.opened.backend) == left
    scene.assert_holds(ref, {"a": edit})


@pytest.mark.parametrize("size", SIZES)
def test_what_is_left_of_an_interrupted_edit_does_not_stand_in_the_way(
    scene: Scene, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file was renamed: nobody knows any more what its chunks were made against."""
    old = noise(size, 1)
    scene.add({"a": old})
    edit = flipped(old, 300)
    scene.interrupted_add({"a": edit}, monkeypatch)
    assert any(entry.reference is not None for entry in scene.frames())
    ref = scene.add({"b": edit}, layout=Layout.CHUNKED)
    scene.assert_holds(ref, {"b": edit})
    assert not list(scene.folder.glob("cache-alice*/*/sessions/*"))


def stopping(stop: StopSignal, *, at: int) -> Callable[[OpenFile, memoryview, int], int]:
    """Read as ever, and ask to stop before the read number `at`."""
    left = iter(range(at - 1, -1, -1))

    def read(of: OpenFile, buffer: memoryview, offset: int) -> int:
        if next(left, None) == 0:
            stop.set()
        return following.read_full(of.fd, buffer, offset)

    return read


def test_stopped_in_the_middle_of_a_large_file(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At every section: what was published is taken over, and the rest comes to its end."""
    old = noise(40_000, 1)
    edit = flipped(old, 300)
    scene.add({"a": old})
    for section in (1, 6, 13):
        stop = StopSignal()
        read = stopping(stop, at=section)
        new = edit[: section * 1000] + bytes([section]) * 100 + edit[section * 1000 :]
        with monkeypatch.context() as patched:
            patched.setattr(files._LocalFile, "read_into", read)
            with pytest.raises(Cancelled):
                added(scene.alice, scene.work, {"a": new}, stop=stop)
        assert len(scene.alice.versions("w")) == 1 + (1, 6, 13).index(section)
        left = Counter(entry.digest for entry in scene.frames())
        ref = scene.add({"a": new})
        scene.assert_holds(ref, {"a": new})
        after = Counter(entry.digest for entry in scene.frames())
        assert not [digest for digest in left if after[digest] > left[digest]]
        assert max(after.values()) == 1


@pytest.mark.parametrize(
    ("how", "times"),
    [("grows", 1), ("shrinks", 2), ("is written anew", 2), ("grows", 99), ("shrinks", 99)],
)
def test_a_file_changes_while_it_is_cut(
    scene: Scene, how: str, times: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is read again, and given up in the end; another file may rely on what was stored of it."""
    old = noise(40_000, 1)
    scene.add({"a": old})
    edit = flipped(old, 300) + b"of no other size"
    other = edit[20_000:] + noise(9_000, 2)
    path = scene.work / "a"
    reads = Counter[str]()

    def read(of: OpenFile, buffer: memoryview, offset: int) -> int:
        got = following.read_full(of.fd, buffer, offset)
        if os.path.samestat(os.fstat(of.fd), path.stat()) and offset > 30_000:
            reads["a"] += 1
            if reads["a"] <= times:
                change(path, how)
        return got

    with monkeypatch.context() as patched:
        patched.setattr(files._LocalFile, "read_into", read)
        if times > 2:
            with pytest.raises(Failed) as caught:
                scene.add({"a": edit, "b": other}, layout=Layout.CHUNKED)
            assert caught.value.kind == "file_changed"
            assert "a changed while it was being read" in caught.value.message
            assert len(scene.alice.versions("w")) == 1
        else:
            scene.add({"a": edit, "b": other}, layout=Layout.CHUNKED)
            final = path.read_bytes()
            assert final != edit
            scene.assert_holds("w@v2", {"a": final, "b": other})
            assert max(held(scene.opened).packed.values()) == 1
    if times > 2:
        final = path.read_bytes()
        scene.add({"a": final, "b": other}, layout=Layout.CHUNKED)
        scene.assert_holds("w@v2", {"a": final, "b": other})


def change(path: Path, how: str) -> None:
    """Change a file in place, as a program does that has it open."""
    with path.open("r+b") as file:
        if how == "grows":
            file.seek(0, os.SEEK_END)
            file.write(b"!")
        elif how == "shrinks":
            file.truncate(path.stat().st_size - 3)
        else:
            file.write(noise(path.stat().st_size, 7))
    os.utime(path, ns=(path.stat().st_mtime_ns + 1,) * 2)


# Many people


def test_everybody_edits_the_same_version_at_once(tmp_path: Path) -> None:
    """Each cuts the same old content, and says where its parts lie. One large file, one that is
    held in memory; a mebibyte in the middle is changed by all of them alike."""
    sizes = {"chunk_min_bytes": 1024, "chunk_mean_bytes": 4096, "chunk_max_bytes": 16_384}
    scene = Scene(tmp_path, Parameters(small_bytes=1024, pack_bytes=200_000, **sizes))
    old = {"large": noise(5 << 20, 1), "medium": noise(900_000, 2)}
    scene.add(old)
    people = ["p0", "p1", "p2", "p3"]
    orders: dict[str, list[Order]] = {}
    mine: dict[str, dict[str, bytes]] = {}
    for number, person in enumerate(people):
        copy = tmp_path / person
        Store.open(scene.alice.url, client=make_client(tmp_path, person)).pull("w", dest=copy)
        at = (number + 1) * 1_000_000
        middle = flipped(old["large"][2 << 20 : 3 << 20], 3000)
        large = old["large"][: 2 << 20] + middle + old["large"][3 << 20 :]
        mine[person] = {
            "large": large[:at] + noise(5000, number) + large[at:],
            "medium": flipped(old["medium"], 10_000 + number),
        }
        for name, data in mine[person].items():
            (copy / name).write_bytes(data)
        orders[person] = [{"do": "add", "path": str(copy), "name": "w", "force": True}]
    answers = race(scene.alice.url, tmp_path, orders)
    refs = {person: in_order(own)[0]["ref"] for person, own in answers.items()}
    assert sorted(refs.values()) == ["w@v2", "w@v3", "w@v4", "w@v5"]
    for person, ref in refs.items():
        scene.assert_holds(ref, mine[person])
    state = held(scene.opened)
    new = sum(size for key, size in state.containers.items() if not layout.is_whole(key))
    assert new < 4 * 400_000, "an edit cost more than its difference"
    plain = {row[0] for _, row in state.chunks if row[6] is None}
    assert {row[6] for _, row in state.chunks if row[6] is not None} <= plain
    # What comes next knows all of it, and stores nothing.
    before = containers(scene.opened.backend)
    ref = scene.add(mine["p0"] | {"copy of p1": mine["p1"]["large"]}, force=True)
    assert containers(scene.opened.backend) == before
    scene.assert_holds(ref, mine["p0"] | {"copy of p1": mine["p1"]["large"]})
