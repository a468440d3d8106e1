"""What every backend promises. See datacat/backend/base.py."""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datacat import layout
from datacat.backend import Backend, Created
from datacat.errors import InvalidInput, StorageError, StorageMissing
from tests.contract.conftest import LISTS_BY_FOLDER, MAKERS, WAITS_FOR_LOSERS

SLOT = "catalog/log/0000000/00000000000000000001.json"


def commit(backend: Backend, key: str, data: bytes) -> bool:
    """Claim a slot as a committer does: same bytes again until it is certain whose it is."""
    for _ in range(50):
        outcome = backend.create(key, data)
        if outcome is not Created.UNKNOWN:
            return outcome is Created.CREATED or backend.read(key) == data
    raise AssertionError("never became certain")


def refill(fd: int, data: bytes) -> None:
    while data:
        data = data[os.write(fd, data) :]


# Absence and errors


def test_absent_is_an_answer(backend: Backend) -> None:
    for key in ["manifests/ab/x", SLOT, "nowhere/at/all"]:
        assert backend.stat(key) is None
        assert backend.assure(key) is None
        with pytest.raises(StorageMissing) as caught:
            backend.read(key)
        assert key.rsplit("/", maxsplit=1)[-1] in str(caught.value)
        with pytest.raises(StorageMissing):
            backend.read_range(key, 0, 1)
        backend.delete(key)
    assert list(backend.keys("nowhere/")) == []


@pytest.mark.parametrize(
    "key",
    [
        "",
        "/etc/passwd",
        "../up",
        "packs/../../up",
        "packs//x",
        "packs/./x",
        "packs/",
        "packs\\x",
        "C:/x",
        "a\0b",
        "a\ud800",
    ],
)
def test_no_key_leads_out_of_the_store(backend: Backend, key: str, tmp_path: Path) -> None:
    before = sorted(tmp_path.rglob("*"))
    (source := tmp_path / "source").write_bytes(b"x")
    calls: list[Callable[[], object]] = [
        lambda: backend.read(key),
        lambda: backend.read_range(key, 0, 1),
        lambda: backend.stat(key),
        lambda: backend.write(key, b"x"),
        lambda: backend.write_file(key, source),
        lambda: backend.replace(key, b"x"),
        lambda: backend.create(key, b"x"),
        lambda: backend.delete(key),
        lambda: backend.path_of(key),
    ]
    for call in calls:
        with pytest.raises(InvalidInput):
            call()
    with backend.stage() as staged, pytest.raises(InvalidInput):
        staged.publish(key)
    source.unlink()
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("prefix", ["packs", "/", "../", "packs/../"])
def test_prefix_is_a_folder(backend: Backend, prefix: str) -> None:
    with pytest.raises(InvalidInput):
        list(backend.keys(prefix))


# Reading


def test_ranges(backend: Backend) -> None:
    data = os.urandom(10_000)
    backend.write("packs/ab/x", data)
    for offset, length in [(0, 0), (0, 1), (5, 4_000), (9_999, 1), (9_000, 5_000), (10_000, 3)]:
        assert backend.read_range("packs/ab/x", offset, length) == data[offset : offset + length]
    assert backend.read_range("packs/ab/x", 1 << 40, 3) == b""
    for offset, length in [(-1, 4), (0, -1)]:
        with pytest.raises(InvalidInput):
            backend.read_range("packs/ab/x", offset, length)
    assert backend.read("packs/ab/x") == data
    for limit in [0, 7, 10_000, 20_000]:
        assert backend.read("packs/ab/x", limit_bytes=limit) == data[:limit]
    found = backend.stat("packs/ab/x")
    assert found is not None
    assert (found.key, found.size_bytes) == ("packs/ab/x", 10_000)
    assert backend.assure("packs/ab/x") == found


def test_empty_content_is_content(backend: Backend) -> None:
    backend.write("packs/ab/empty", b"")
    assert backend.read("packs/ab/empty") == b""
    found = backend.stat("packs/ab/empty")
    assert found is not None
    assert found.size_bytes == 0


# Writing


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_write_takes_any_buffer(backend: Backend, kind: Callable[[bytes], bytes]) -> None:
    backend.write("packs/ab/x", kind(b"abc"))
    backend.sync()
    assert backend.read("packs/ab/x") == b"abc"


def test_write_makes_a_missing_folder(backend: Backend) -> None:
    backend.write("new/folder/x", b"abc")
    assert backend.read("new/folder/x") == b"abc"
    assert commit(backend, "catalog/log/0000007/x.json", b"r")
    backend.replace("elsewhere/copy.json", b"{}")
    assert backend.read("elsewhere/copy.json") == b"{}"


@pytest.mark.parametrize("how", ["write", "write_file", "stage"])
def test_a_unique_name_is_never_overwritten(backend: Backend, how: str, tmp_path: Path) -> None:
    backend.write("packs/ab/x", b"first")
    (source := tmp_path / "source").write_bytes(b"other")

    def publish() -> None:
        with backend.stage() as staged:
            refill(staged.fd, b"other")
            staged.publish("packs/ab/x")

    calls: dict[str, Callable[[], None]] = {
        "write": lambda: backend.write("packs/ab/x", b"other"),
        "write_file": lambda: backend.write_file("packs/ab/x", source),
        "stage": publish,
    }
    with pytest.raises(StorageError) as caught:
        calls[how]()
    assert caught.value.kind == "key_exists"
    assert backend.read("packs/ab/x") == b"first"


def test_write_file(backend: Backend, tmp_path: Path) -> None:
    data = os.urandom(5_000_000)
    (source := tmp_path / "source").write_bytes(data)
    backend.write_file("packs/ab/x", source)
    assert backend.read("packs/ab/x") == data
    assert source.read_bytes() == data


def test_replace_overwrites(backend: Backend) -> None:
    for text in [b"one", b"two, longer", b"3"]:
        backend.replace("copies/c.json", text)
        assert backend.read("copies/c.json") == text


def test_delete(backend: Backend) -> None:
    backend.write("packs/ab/x", b"x")
    backend.delete("packs/ab/x")
    assert backend.stat("packs/ab/x") is None
    backend.delete("packs/ab/x")
    backend.sync()


# Staging


def test_staged_bytes_appear_on_publish_only(backend: Backend) -> None:
    data = os.urandom(300_000)
    with backend.stage() as staged:
        refill(staged.fd, data)
        staged.start_writeback(0, len(data))
        os.lseek(staged.fd, 0, os.SEEK_SET)
        assert os.read(staged.fd, len(data)) == data
        assert list(backend.keys("")) == []
        staged.publish("packs/ab/x")
        staged.publish("packs/ab/x")  # a repeated publish of the same key says yes again
    backend.sync()
    assert backend.read("packs/ab/x") == data
    assert [found.key for found in backend.keys("")] == ["packs/ab/x"]


def test_what_is_not_published_is_discarded(backend: Backend) -> None:
    with backend.stage() as staged:
        refill(staged.fd, b"x")
    with pytest.raises(ZeroDivisionError), backend.stage() as staged:
        raise ZeroDivisionError
    staged.discard()
    assert list(backend.keys("")) == []
    assert list(backend.keys("tmp/")) == []


# Atomicity


def test_a_reader_never_sees_part_of_a_key(backend: Backend) -> None:
    size = 1 << 20
    keys = [f"packs/ab/{n}" for n in range(12)]
    done = threading.Event()

    def read() -> int:
        seen = 0
        while True:
            last = done.is_set()
            for number, key in enumerate(keys):
                found = backend.stat(key)
                if found is not None:
                    assert found.size_bytes == size
                    assert backend.read(key) == bytes([number]) * size
                    seen += 1
            if last:
                return seen

    with ThreadPoolExecutor() as pool:
        reader = pool.submit(read)
        try:
            for number, key in enumerate(keys):
                backend.write(key, bytes([number]) * size)
        finally:
            done.set()
        assert reader.result() >= len(keys)


def test_replace_shows_the_old_or_the_new(backend: Backend) -> None:
    size = 1 << 18
    backend.replace("copies/c", b"\0" * size)
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            data = backend.read("copies/c")
            assert data == data[:1] * size

    with ThreadPoolExecutor() as pool:
        reader = pool.submit(read)
        try:
            for number in range(40):
                backend.replace("copies/c", bytes([number]) * size)
        finally:
            done.set()
        reader.result()


# Create


def test_create_never_overwrites(backend: Backend) -> None:
    assert commit(backend, SLOT, b"mine")
    assert not commit(backend, SLOT, b"yours")
    assert backend.read(SLOT) == b"mine"


def slot_key(slot: int) -> str:
    return f"catalog/log/{slot // 5:07d}/{slot:020d}.json"


def test_create_has_one_winner_among_threads(backend: Backend, maker: str) -> None:
    slots, racers = 6 if maker in WAITS_FOR_LOSERS else 40, 8
    start = threading.Barrier(racers, timeout=30)

    def race(racer: int) -> list[int]:
        won = []
        try:
            for slot in range(slots):
                start.wait()
                # Every fifth slot is the first of a folder that all of them find missing.
                if commit(backend, slot_key(slot), b"%d %d" % (racer, slot)):
                    won.append(slot)
        except BaseException:
            start.abort()
            raise
        return won

    with ThreadPoolExecutor(racers) as pool:
        wins = list(pool.map(race, range(racers)))
    assert sorted(slot for won in wins for slot in won) == list(range(slots))
    for racer, won in enumerate(wins):
        for slot in won:
            assert backend.read(slot_key(slot)) == b"%d %d" % (racer, slot)
    assert backend.capabilities.atomic_create


# Listing


def test_keys_come_in_order_and_can_be_resumed(backend: Backend, maker: str) -> None:
    beside = ["packs/abc"] if maker in LISTS_BY_FOLDER else ["packs/ab-c", "packs/ab.d"]
    written = ["packs/ab/2", "packs/ab/10", *beside, "packs/a", "manifests/ab/x"]
    for number, key in enumerate(written):
        backend.write(key, b"x" * number)
    expected = sorted(written)
    assert [found.key for found in backend.keys("")] == expected
    assert {found.key: found.size_bytes for found in backend.keys("")} == {
        key: number for number, key in enumerate(written)
    }
    # SeaweedFS takes the name of a folder for all that is in it.
    folders = [] if maker in LISTS_BY_FOLDER else ["packs/", "packs/ab", "packs/ab/"]
    for after in [*expected, *folders, "packs/ab/1", "packs/ab/3", "zzz"]:
        assert [found.key for found in backend.keys("", after=after)] == [
            key for key in expected if key > after
        ]
    assert [found.key for found in backend.keys("packs/ab/")] == ["packs/ab/10", "packs/ab/2"]


part = st.text(alphabet="ab-.0é名", min_size=1, max_size=3).filter(lambda p: p not in {".", ".."})
key_lists = st.lists(st.lists(part, min_size=1, max_size=4).map("/".join), max_size=12, unique=True)


@pytest.mark.parametrize("kind", ["posix", "memory", "losing-memory"])
@settings(max_examples=60, deadline=None, database=None)
@given(wanted=key_lists, after=st.one_of(st.just(""), part, key_lists.map("/".join)))
def test_keys_like_a_sorted_set(kind: str, wanted: list[str], after: str) -> None:
    # A file cannot also be a folder.
    model = [k for k in wanted if not any(other.startswith(k + "/") for other in wanted)]
    with tempfile.TemporaryDirectory() as folder:
        backend = MAKERS[kind](Path(folder))
        backend.initialise(["tmp/"], group=None, shared=True)
        for key in model:
            backend.write(key, b"")
        assert [found.key for found in backend.keys("")] == sorted(model)
        expected = [key for key in sorted(model) if key > after]
        assert [found.key for found in backend.keys("", after=after)] == expected
        for prefix in {key.split("/", maxsplit=1)[0] + "/" for key in model}:
            expected = [key for key in sorted(model) if key.startswith(prefix) and key > after]
            assert [found.key for found in backend.keys(prefix, after=after)] == expected


def test_layout_order() -> None:
    """A server that lists folder by folder, and one that compares keys, list a store alike."""
    session, digest = "0" * 32, "ab" * 32
    names = [
        layout.STORE,
        *layout.directories(),
        "README-RECOVERY.md",
        "recover.py",
        layout.log_record(1),
        layout.bundle(1, 256),
        layout.manifest(digest, session),
        layout.chunks_segment(session),
        layout.recipes_segment(session),
        layout.whole(digest, session),
        layout.pack(session, 0),
        f"{layout.COPIES}{session}.json",
    ]
    assert sorted(names) == sorted(names, key=lambda name: name.split("/"))


# The place


def test_where_and_how_much(backend: Backend) -> None:
    backend.write("packs/ab/x", b"abc")
    path = backend.path_of("packs/ab/x")
    if backend.capabilities.local:
        assert path is not None
        assert path.read_bytes() == b"abc"
        free = backend.free_bytes()
        assert free is not None
        assert free > 0
    else:
        assert path is None


def test_initialise_may_be_repeated(backend: Backend) -> None:
    backend.write("packs/ab/x", b"abc")
    backend.initialise(["packs/", "tmp/", "fresh/"], group=None, shared=True)
    assert backend.read("packs/ab/x") == b"abc"
