"""Files that are being read while something happens to them: versions that go, damage, a store that
goes away, closed files, forks, other processes, and names that look like something else."""

from __future__ import annotations

import gc
import io
import multiprocessing
import os
import pickle
import shutil
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

import datacat
from datacat.errors import Corrupt, DatacatError, NotFound
from datacat.filesystem import DatacatFileSystem
from datacat.model import Layout
from datacat.sql import Workspace
from datacat.store import Store
from tests.chunked import added, tiny
from tests.conftest import make_client, make_store
from tests.property.test_chunks_machine import noise

PLAIN = noise(60_000, 1)
NAMES = (
    "a*.csv",
    "a[1].csv",
    "what?.csv",
    "C:x.csv",
    "http:",
    "x::y.csv",
    "#1 %41 ä.csv",
    "~",
    "@v2",
)


@pytest.fixture(params=[Layout.WHOLE, Layout.CHUNKED])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """cmr@v1: one large file, kept whole or in chunks, and small ones with odd names."""
    store = make_store(
        "posix",
        tmp_path,
        client=make_client(tmp_path),
        parameters=tiny(request.param, small_bytes=512),
    )
    added(store, tmp_path / "cmr", {"x.bin": PLAIN} | {n: n.encode() for n in NAMES}, name="cmr")
    return store


@pytest.fixture(params=["through the cache", "passing"])
def system(
    request: pytest.FixtureRequest,
    store: Store,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[DatacatFileSystem]:
    if request.param == "passing":  # what long reads are, here also short ones
        monkeypatch.setattr("datacat.transfer.random_read.PASSING_BYTES_MIN", 100)
        monkeypatch.setattr("datacat.transfer.random_read.DRIVE_STEP_BYTES", 3_000)
        monkeypatch.setattr("datacat.transfer.pace.SETTLED_BYTES", 1_000)
        monkeypatch.setattr("datacat.transfer.pace.TRIAL_BYTES", 4_000)
    # Nothing is kept, so that every read asks the store.
    yield DatacatFileSystem(
        store.url, user="bob", cache_dir=str(tmp_path / "bob"), chunk_cache_bytes=0
    )
    DatacatFileSystem.clear_instance_cache()


def test_names_that_look_like_urls_globs_and_drives_are_names(system: DatacatFileSystem) -> None:
    for name in NAMES:
        path = f"datacat://cmr@v1/{name}"
        assert system.cat_file(path) == name.encode()
        assert system.info(path)["size"] == len(name.encode())
        assert system.open(path).read() == name.encode()
        assert system.isfile(path)
    assert {path.partition("/")[2] for path in system.find("cmr@v1")} == {*NAMES, "x.bin"}
    ds = datacat.open("cmr@v1", store=system._store)
    for name in NAMES:
        assert ds[name].read_bytes() == name.encode()
        assert ds[name].path.read_bytes() == name.encode()


def test_past_the_end_there_is_nothing_and_closed_is_closed(system: DatacatFileSystem) -> None:
    size = len(PLAIN)
    assert system.cat_file("cmr@v1/x.bin", size) == b""
    assert system.cat_file("cmr@v1/x.bin", size + 10, size + 20) == b""
    assert system.cat_file("cmr@v1/x.bin", size - 3, size + 20) == PLAIN[-3:]
    assert system.cat_file("cmr@v1/x.bin", 20, 10) == b""
    assert system.cat_ranges(["cmr@v1/x.bin"] * 2, [0, size], [3, size + 1]) == [PLAIN[:3], b""]
    file = system.open("cmr@v1/x.bin")
    assert file.seek(size + 100) == size + 100
    assert file.read(10) == b""
    assert file.seek(-2, io.SEEK_END) == size - 2
    assert file.read() == PLAIN[-2:]
    with pytest.raises(ValueError, match="negative"):
        file.seek(-1)
    with pytest.raises(ValueError, match="whence"):
        file.raw.seek(0, 7)
    file.close()
    file.close()
    for call in (file.read, file.tell, lambda: file.seek(0), lambda: file.readinto(bytearray(1))):
        with pytest.raises(ValueError, match="closed"):
            call()


def test_what_was_open_is_read_on_when_the_version_is_trashed(
    store: Store, system: DatacatFileSystem
) -> None:
    with system.open("cmr@v1/x.bin") as file:
        begin = file.read(1_000)
        store.rm(["cmr"], force=True)
        assert begin + file.read() == PLAIN
    assert system.cat_file("cmr@v1/x.bin", 0, 10) == PLAIN[:10], "what a number means is remembered"
    system.invalidate_cache()
    with pytest.raises(NotFound) as caught:
        system.open("cmr@v1/x.bin")
    assert isinstance(caught.value, FileNotFoundError)
    assert "cmr" in str(caught.value)


def outcome(read: Callable[[], bytes]) -> tuple[bytes | None, Exception | None]:
    """What was read, or what was raised instead."""
    try:
        return read(), None
    except (DatacatError, OSError) as error:
        return None, error


def test_when_it_is_swept_there_are_right_bytes_or_an_error_that_names_it(
    store: Store, system: DatacatFileSystem
) -> None:
    file = system.open("cmr@v1/x.bin")
    assert file.read(10) == PLAIN[:10]
    store.rm(["cmr"], force=True)
    store.gc(older_than=timedelta(0))
    backend = store._opened.backend
    for key in [
        *(one.key for one in backend.keys("packs/")),
        *(one.key for one in backend.keys("whole/")),
    ]:
        backend.delete(key)  # the grace time is over, too
    for read in (file.read, lambda: system.cat_file("cmr@v1/x.bin", 30_000, 30_100)):
        found, error = outcome(read)
        if error is None:
            assert found in (PLAIN[10:], PLAIN[30_000:30_100]), "an open file may still be there"
        else:
            assert isinstance(error, Corrupt)
            assert error.kind == "content_damaged"
            assert "x.bin of cmr@v1" in str(error)
    file.close()


def test_damage_is_an_error_that_names_file_and_version_also_in_the_middle(
    store: Store, system: DatacatFileSystem
) -> None:
    backend = store._opened.backend
    size = max(one.size_bytes for folder in ("packs/", "whole/") for one in backend.keys(folder))
    with system.open("cmr@v1/x.bin") as file:
        assert file.read(100) == PLAIN[:100]
        for folder in ("packs/", "whole/"):
            for one in list(backend.keys(folder)):
                if one.size_bytes >= 512:
                    path = backend.path_of(one.key)
                    path.chmod(0o644)
                    with path.open("r+b") as raw:
                        raw.seek(one.size_bytes * 2 // 3)
                        raw.write(b"damage!!")
        assert size
        fresh = DatacatFileSystem(
            store.url, user="eve", cache_dir=str(system._cache_dir), skip_instance_cache=True
        )
        with pytest.raises(Corrupt, match=r"x\.bin of cmr@v1"):
            fresh.cat_file("cmr@v1/x.bin")
        with fresh.open("cmr@v1/x.bin") as other, pytest.raises(Corrupt, match=r"x\.bin of cmr@v1"):
            other.read()


def test_a_store_that_goes_away_is_an_error_and_comes_back(
    store: Store, system: DatacatFileSystem, tmp_path: Path
) -> None:
    folder, away = Path(store.url), tmp_path / "away"
    file = system.open("cmr@v1/x.bin")
    assert file.read(10) == PLAIN[:10]
    folder.rename(away)
    rest, error = outcome(file.read)
    assert rest == PLAIN[10:] or "cmr@v1" in str(error) or str(folder) in str(error)
    fresh = DatacatFileSystem(
        store.url, user="eve", cache_dir=str(tmp_path / "eve"), skip_instance_cache=True
    )
    with pytest.raises((DatacatError, OSError), match="store"):
        fresh.cat_file("cmr@v1/x.bin")
    away.rename(folder)
    file.seek(10)
    assert file.read() == PLAIN[10:]
    file.close()
    shutil.rmtree(tmp_path / "bob")
    assert system.cat_file("cmr@v1/x.bin") == PLAIN, "a cache that is gone is made again"


def _digest_in_child(data: bytes, answers: multiprocessing.Queue[bytes]) -> None:
    system, file = pickle.loads(data)
    answers.put(file.read() + system.cat_file("cmr@v1/x.bin", 0, 5))


@pytest.mark.parametrize("start", ["spawn", *(["fork"] if hasattr(os, "fork") else [])])
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_open_files_travel_to_other_processes(
    start: str, store: Store, system: DatacatFileSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(map(str, [Path(__file__).parents[2]])))
    file = system.open("cmr@v1/x.bin")
    file.seek(59_000)
    context = multiprocessing.get_context(start)
    answers = context.Queue()
    child = context.Process(target=_digest_in_child, args=(pickle.dumps((system, file)), answers))
    child.start()
    assert answers.get(timeout=120) == PLAIN[59_000:] + PLAIN[:5]
    child.join()
    assert child.exitcode == 0
    assert file.read() == PLAIN[59_000:]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_process_does_not_collect_what_its_parent_left() -> None:
    """To end a connection of DuckDB where its threads are not, crashes."""
    gc.disable()
    try:
        workspace = Workspace()
        workspace.execute("create table numbers as select * from range(1_000_000)")
        cycle: list[object] = [workspace]
        cycle.append(cycle)
        del workspace, cycle
        child = os.fork()
        if child == 0:
            gc.collect()
            os._exit(0)
    finally:
        gc.enable()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
