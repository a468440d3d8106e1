"""A version as a file system: what fsspec expects of one, and what is particular to versions."""

from __future__ import annotations

import multiprocessing
import os
import pickle
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC
from hashlib import md5
from pathlib import Path

import pytest
from fsspec.tests.abstract import AbstractFixtures, AbstractGetTests

from datacat.errors import Corrupt, NotFound, ReadOnly
from datacat.filesystem import DatacatFileSystem
from datacat.inside import reach as reaching
from datacat.inside.file_system import ReachFileSystem
from datacat.model import Layout
from datacat.store import Store
from tests.chunked import added, containers, tiny
from tests.conftest import BACKENDS, make_client, make_store
from tests.property.test_chunks_machine import noise

TREE = {
    "README.md": b"# cmr\n",
    "labels.csv": b"id,v\n1,2\n",
    "sub-1/sax.bin": b"1234",
    "sub-1/deep/er/x.bin": b"x",
    "sub-10/sax.bin": b"5",
    "odd/a[b]c.csv": b"brackets",
    "odd/abc.csv": b"not this",
    "odd/what?*.csv": b"marks",
    "odd/datacat:": b"like a URL",
    "odd/C:x": b"drive",
    "odd/ä ö.txt": "ü".encode(),
}


def over(store: Store) -> ReachFileSystem:
    """The file system of a store, with nothing in its memory."""
    reach = store.reach()
    return ReachFileSystem(lambda: reach)


@pytest.fixture
def saved(store: Callable[..., Store], tmp_path: Path) -> Store:
    """A store that holds TREE as cmr@v1, with links and an empty folder."""
    folder = tmp_path / "cmr"
    for path, data in TREE.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    (folder / "empty").mkdir()
    (folder / "newest.csv").symlink_to("labels.csv")
    (folder / "one").symlink_to("sub-1")
    (folder / "odd" / "up.md").symlink_to("../README.md")
    (folder / "away").symlink_to("gone.txt")
    opened = store()
    opened.add(folder, name="cmr")
    return opened


@pytest.fixture
def system(saved: Store) -> ReachFileSystem:
    return over(saved)


class Preparing(ReachFileSystem):
    """One whose version is saved by the tests themselves, before they read it."""

    def __init__(self, store: Store, folder: Path) -> None:
        reach = store.reach()
        super().__init__(lambda: reach)
        self.saving = store
        self.folder = folder

    def mkdir(self, path: str, **_options: object) -> None:
        (self.folder / path.partition("/")[2]).mkdir(parents=True)

    def touch(self, path: str, **_options: object) -> None:
        (self.folder / path.partition("/")[2]).touch()
        self.saving.add(self.folder, name="source")


class TestGettingAsFsspecExpects(AbstractFixtures, AbstractGetTests):
    """fsspec's own tests of `get`. What they write to prepare, is saved as a version instead."""

    @pytest.fixture
    def fs(self, store: Callable[..., Store], tmp_path: Path) -> ReachFileSystem:
        return Preparing(store(), tmp_path / "prepared")

    @pytest.fixture
    def fs_path(self) -> str:
        return "source@v1"

    @pytest.fixture
    def fs_join(self) -> Callable[..., str]:
        return lambda *parts: "/".join(parts)

    def _saved(self, fs: Preparing, folder: Path) -> str:
        fs.saving.add(folder, name="source")
        return "source@v1"

    @pytest.fixture
    def fs_bulk_operations_scenario_0(self, fs: Preparing, tmp_path: Path) -> str:
        folder = tmp_path / "in" / "source"
        nested = folder / "subdir" / "nesteddir"
        nested.mkdir(parents=True)
        for path in ("file1", "file2", "subdir/subfile1", "subdir/subfile2"):
            (folder / path).touch()
        (nested / "nestedfile").touch()
        return self._saved(fs, folder)

    @pytest.fixture
    def fs_glob_edge_cases_files(self, fs: Preparing, tmp_path: Path) -> str:
        folder = tmp_path / "in" / "source"
        for number in range(2):
            nested = folder / f"subdir{number}" / "nesteddir"
            nested.mkdir(parents=True)
            (nested / "nestedfile").touch()
            (nested.parent / "subfile1").touch()
            (nested.parent / "subfile2").touch()
        (folder / "file1").touch()
        (folder / "file2").touch()
        return self._saved(fs, folder)

    @pytest.fixture
    def fs_dir_and_file_with_same_name_prefix(self, fs: Preparing, tmp_path: Path) -> str:
        folder = tmp_path / "in" / "source"
        (folder / "subdir").mkdir(parents=True)
        (folder / "subdir.txt").touch()
        (folder / "subdir" / "subfile.txt").touch()
        return self._saved(fs, folder)

    @pytest.fixture
    def fs_10_files_with_hashed_names(self, fs: Preparing, tmp_path: Path) -> str:
        folder = tmp_path / "in" / "source"
        folder.mkdir(parents=True)
        for number in range(10):
            text = str(number)
            (folder / f"{md5(text.encode()).hexdigest()}.txt").write_text(text)
        return self._saved(fs, folder)


@pytest.mark.parametrize("store_kind", BACKENDS)
def test_everything_is_listed_and_read_as_it_was_saved(system: ReachFileSystem) -> None:
    found = system.find("datacat://cmr@v1", detail=True)
    links = {"newest.csv", "odd/up.md"}
    assert set(found) == {f"cmr@v1/{path}" for path in {*TREE, "newest.csv", "odd/up.md"}}
    assert {name for name, info in found.items() if info.get("islink")} == {
        f"cmr@v1/{link}" for link in links
    }
    for path, data in TREE.items():
        assert system.cat_file(f"cmr@v1/{path}") == data
        assert system.info(f"datacat://cmr@v1/{path}")["size"] == len(data)
    # Names that fsspec itself takes for patterns can be opened, but not be part of a list.
    plain = {path: data for path, data in TREE.items() if not set(path) & set("*?[")}
    expected = {f"cmr@v1/{path}": data for path, data in plain.items()}
    assert system.cat(list(expected)) == expected


def test_folders_are_listed_with_what_lies_directly_in_them(system: ReachFileSystem) -> None:
    assert system.ls("", detail=False) == ["cmr"]
    top = {info["name"]: info["type"] for info in system.ls("cmr@v1")}
    assert top == {
        "cmr@v1/README.md": "file",
        "cmr@v1/away": "link",
        "cmr@v1/empty": "directory",
        "cmr@v1/labels.csv": "file",
        "cmr@v1/newest.csv": "file",
        "cmr@v1/odd": "directory",
        "cmr@v1/one": "link",
        "cmr@v1/sub-1": "directory",
        "cmr@v1/sub-10": "directory",
    }
    assert system.ls("cmr@v1/sub-1/", detail=False) == ["cmr@v1/sub-1/deep", "cmr@v1/sub-1/sax.bin"]
    assert system.ls("cmr@v1/empty") == []
    assert [where for where, _, _ in system.walk("cmr@v1/sub-1")] == [
        "cmr@v1/sub-1",
        "cmr@v1/sub-1/deep",
        "cmr@v1/sub-1/deep/er",
    ]
    assert system.glob("cmr@v1/*/sax.bin") == ["cmr@v1/sub-1/sax.bin", "cmr@v1/sub-10/sax.bin"]
    assert system.glob("cmr@v1/sub-1/**") == [
        "cmr@v1/sub-1",
        "cmr@v1/sub-1/deep",
        "cmr@v1/sub-1/deep/er",
        "cmr@v1/sub-1/deep/er/x.bin",
        "cmr@v1/sub-1/sax.bin",
    ]
    assert system.find("cmr@v1/sub-1", maxdepth=1, withdirs=True) == [
        "cmr@v1/sub-1",
        "cmr@v1/sub-1/deep",
        "cmr@v1/sub-1/sax.bin",
    ]
    assert system.find("cmr@v1/one", maxdepth=1) == ["cmr@v1/one/sax.bin"]
    assert system.find("cmr@v1/none") == [] == system.find("none")


def test_links_are_followed_within_the_version_and_never_out_of_it(
    system: ReachFileSystem,
) -> None:
    assert system.cat_file("cmr@v1/newest.csv") == TREE["labels.csv"]
    assert system.cat_file("cmr@v1/odd/up.md") == TREE["README.md"]
    assert system.cat_file("cmr@v1/one/sax.bin") == b"1234"
    assert system.ls("cmr@v1/one", detail=False) == ["cmr@v1/one/deep", "cmr@v1/one/sax.bin"]
    with pytest.raises(FileNotFoundError):
        system.cat_file("cmr@v1/away")
    with pytest.raises(FileNotFoundError):
        system.cat_file("cmr@v1/../../etc/passwd")


def test_what_is_not_there_is_said_as_the_commands_say_it(system: ReachFileSystem) -> None:
    for path, kind, hint in (
        ("cmr@v1/label.csv", "file_not_in_version", "labels.csv"),
        ("cm@v1/labels.csv", "dataset_not_found", "cmr"),
        ("cmr@v7/labels.csv", "version_not_found", None),
    ):
        with pytest.raises(FileNotFoundError) as caught:
            system.open(path)
        assert isinstance(caught.value, NotFound)
        assert caught.value.kind == kind
        assert hint is None or hint in str(caught.value.hint)
        assert not system.exists(path)
        assert not system.isfile(path)
    assert not system.exists("No Name@v1/x")
    with pytest.raises(IsADirectoryError):
        system.cat_file("cmr@v1/sub-1")


def test_nothing_can_be_written(system: ReachFileSystem, tmp_path: Path) -> None:
    (tmp_path / "new").write_bytes(b"new")
    path = "cmr@v1/labels.csv"
    for write in (
        lambda: system.open(path, "wb"),
        lambda: system.open(path, "r+b"),
        lambda: system.open(path, "ab"),
        lambda: system.open("cmr@v1/new", "x"),
        lambda: system.pipe_file(path, b""),
        lambda: system.pipe({path: b""}),
        lambda: system.put(str(tmp_path / "new"), path),
        lambda: system.rm(path),
        lambda: system.rm_file(path),
        lambda: system.rmdir("cmr@v1/empty"),
        lambda: system.mv(path, "cmr@v1/x"),
        lambda: system.copy(path, "cmr@v1/x"),
        lambda: system.touch(path),
        lambda: system.mkdir("cmr@v1/d"),
        lambda: system.makedirs("cmr@v1/d"),
        lambda: system.write_text(path, "x"),
    ):
        with pytest.raises(PermissionError) as caught:
            write()
        assert isinstance(caught.value, ReadOnly)
    assert system.cat_file(path) == TREE["labels.csv"]


def test_the_same_content_has_the_same_checksum_everywhere(
    system: ReachFileSystem, saved: Store, tmp_path: Path
) -> None:
    (tmp_path / "cmr" / "labels.csv").write_bytes(b"other")
    (tmp_path / "cmr" / "copy.md").write_bytes(TREE["README.md"])
    saved.add(tmp_path / "cmr", name="cmr")
    same = [system.checksum(f"cmr@{at}") for at in ("v1/README.md", "v2/README.md", "v2/copy.md")]
    assert len(set(same)) == 1
    assert system.checksum("cmr@v1/labels.csv") != system.checksum("cmr@v2/labels.csv")
    assert system.ukey("cmr@v1/labels.csv") != system.ukey("cmr@v2/labels.csv")
    assert system.modified("cmr@v1/labels.csv").tzinfo is UTC
    assert system.created("cmr@v1/labels.csv").tzinfo is not None


def test_a_name_without_a_version_follows_the_newest(saved: Store, tmp_path: Path) -> None:
    now = [0.0]
    reach = reaching.Reach(saved._opened, clock=lambda: now[0])
    system = ReachFileSystem(lambda: reach)
    assert system.cat_file("cmr/labels.csv") == TREE["labels.csv"]
    (tmp_path / "cmr" / "labels.csv").write_bytes(b"newer")
    saved.add(tmp_path / "cmr", name="cmr")
    assert system.cat_file("cmr/labels.csv") == TREE["labels.csv"], "not within one opening"
    now[0] += reaching.MOVING_SECONDS
    assert system.cat_file("cmr/labels.csv") == b"newer"
    assert system.cat_file("CMR@1/labels.csv") == TREE["labels.csv"]


@pytest.mark.parametrize("store_kind", BACKENDS)
def test_many_ranges_come_in_the_order_they_were_asked_for(system: ReachFileSystem) -> None:
    paths = ["cmr@v1/labels.csv"] * 9 + ["cmr@v1/none"]
    starts, ends = list(range(10)), [start + 2 for start in range(10)]
    *found, missing = system.cat_ranges(paths, starts, ends)
    assert found == [TREE["labels.csv"][start : start + 2] for start in range(9)]
    assert isinstance(missing, FileNotFoundError)
    with pytest.raises(FileNotFoundError):
        system.cat_ranges(paths, starts, ends, on_error="raise")


def test_many_threads_read_at_once(system: ReachFileSystem) -> None:
    paths = [f"cmr@v1/{path}" for path in TREE] * 20
    with ThreadPoolExecutor(8) as executor:
        assert list(executor.map(system.cat_file, paths)) == list(TREE.values()) * 20


# The file system that fsspec makes


@pytest.fixture
def local(tmp_path: Path) -> Iterator[DatacatFileSystem]:
    """What fsspec makes of a URL, for a store in a folder."""
    store = make_store("posix", tmp_path, client=make_client(tmp_path))
    added(store, tmp_path / "cmr", TREE)
    yield DatacatFileSystem(store.url, user="bob", cache_dir=str(tmp_path / "cache"))
    DatacatFileSystem.clear_instance_cache()


def _read_in_child(system: DatacatFileSystem, path: str, answers: multiprocessing.Queue) -> None:
    answers.put(system.cat_file(path))


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_it_goes_on_after_a_fork(local: DatacatFileSystem) -> None:
    assert local.cat_file("cmr@v1/labels.csv") == TREE["labels.csv"]
    context = multiprocessing.get_context("fork")
    answers = context.Queue()
    children = [
        context.Process(target=_read_in_child, args=(local, f"cmr@v1/{path}", answers))
        for path in ("labels.csv", "README.md")
    ]
    for child in children:
        child.start()
    found = {answers.get(timeout=60) for _ in children}
    for child in children:
        child.join()
    assert found == {TREE["labels.csv"], TREE["README.md"]}


def test_it_and_its_open_files_can_be_pickled(local: DatacatFileSystem) -> None:
    twin = pickle.loads(pickle.dumps(local))
    assert twin.cat_file("cmr/labels.csv") == TREE["labels.csv"]
    with local.open("cmr/labels.csv") as file:
        file.seek(3)
        with pickle.loads(pickle.dumps(file)) as again:
            assert again.read() == TREE["labels.csv"][3:]


def test_pandas_reads_a_url(local: DatacatFileSystem) -> None:
    import fsspec
    import pandas

    fsspec.register_implementation("datacat", DatacatFileSystem, clobber=True)
    options = {"store": local._store, "cache_dir": local._cache_dir, "user": "bob"}
    for url in ("datacat://cmr@v1/labels.csv", "datacat://cmr/newest/../labels.csv"):
        if ".." in url:
            with pytest.raises(FileNotFoundError):
                pandas.read_csv(url, storage_options=options)
        else:
            frame = pandas.read_csv(url, storage_options=options)
            assert frame.to_dict("list") == {"id": [1], "v": [2]}
    with fsspec.open("datacat://cmr@v1/odd/ä ö.txt", "rt", encoding="utf-8", **options) as file:
        assert file.read() == "ü"


# Damage


@pytest.mark.parametrize("kind", ["posix", "memory"])
@pytest.mark.parametrize("layout", [Layout.WHOLE, Layout.CHUNKED])
def test_damaged_bytes_are_never_handed_out(kind: str, layout: Layout, tmp_path: Path) -> None:
    store = make_store(
        kind, tmp_path, client=make_client(tmp_path), parameters=tiny(layout, small_bytes=512)
    )
    plain = noise(20_000, 1)
    ref = added(store, tmp_path / "cmr", {"a.bin": plain, "small": noise(100, 2)})
    backend = store._opened.backend
    hurt, said = 0, set()
    for key in containers(backend):
        good = backend.read(key)
        for at in range(5, len(good), len(good) // 7):
            backend.delete(key)
            backend.write(key, good[:at] + bytes([good[at] ^ 4]) + good[at + 1 :])
            system = over(store)
            for start in range(0, 20_000, 1_500):
                try:
                    found = system.cat_file(f"{ref}/a.bin", start, start + 1_500)
                except Corrupt as error:
                    said.add((error.kind, error.message.partition(": ")[0]))
                    hurt += 1
                else:
                    assert found == plain[start : start + 1_500]
        backend.delete(key)
        backend.write(key, good)
    assert hurt > 5
    assert said == {("content_damaged", f"a.bin of {ref} cannot be read")}


@pytest.mark.parametrize("store_kind", BACKENDS)
def test_what_vanished_while_it_was_open_is_named(
    store: Callable[..., Store], tmp_path: Path
) -> None:
    opened = store()
    ref = added(opened, tmp_path / "cmr", {"a.bin": noise(900_000, 1)}, layout=Layout.CHUNKED)
    system = over(opened)
    with system.open(f"{ref}/a.bin") as file:
        assert len(file.read(10)) == 10
        for key in containers(opened._opened.backend):
            opened._opened.backend.delete(key)
        with pytest.raises(Corrupt, match=r"a\.bin of cmr@v1 cannot be read: .* is missing"):
            file.read()
