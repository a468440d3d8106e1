"""What an interrupted session uploaded is taken over when it is proven, and never believed."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from datacat import layout
from datacat.backend import Backend
from datacat.backend.memory import MemoryBackend
from datacat.backend.open import open_backend
from datacat.digest import checksum, checksums
from datacat.errors import Cancelled, Failed, StorageError
from datacat.model import Layout, Parameters
from datacat.objects.pack import read_footer
from datacat.opened import Client
from datacat.progress import Advanced, Event, StopSignal
from datacat.store import Store
from datacat.transfer.journal import ChunkRow, Journal, adopt
from tests.unit.objects.shelf import Shelf, blake, session

ROOT = Path(__file__).resolve().parents[3]
WHOLE = b"whole content " * 30_000


def journalled(folder: Path, shelf: Shelf) -> list[ChunkRow]:
    """A session that stored a pack and a whole container, and was killed."""
    rows = [*shelf.pack(1, [b"a" * 900, b"b" * 5]), shelf.whole(1, WHOLE)]
    journal = Journal.begin(folder, session(1))
    for key in dict.fromkeys(row[2] for row in rows):
        found = shelf.backend.stat(key)
        assert found is not None
        if layout.is_whole(key):
            journal.whole(key, blake(WHOLE), len(WHOLE), checksums(WHOLE))
        else:
            journal.pack(key, found.size_bytes)
    journal.close()
    return rows


def adopted(folder: Path, backend: Backend) -> list[ChunkRow]:
    found = adopt(folder, backend)
    for journal in found.journals:
        journal.close()
    return found.rows


def test_a_dead_session_is_adopted_until_it_is_committed(tmp_path: Path) -> None:
    shelf = Shelf(MemoryBackend())
    rows = journalled(tmp_path, shelf)
    assert adopted(tmp_path, shelf.backend) == rows
    assert adopted(tmp_path, shelf.backend) == rows, "the session that took it over failed too"
    for journal in adopt(tmp_path, shelf.backend).journals:
        journal.remove()
    assert list(tmp_path.iterdir()) == []
    assert adopted(tmp_path, shelf.backend) == []
    assert adopted(tmp_path / "none", shelf.backend) == []


@pytest.mark.skipif(sys.platform == "win32", reason="needs flock")
def test_a_live_session_is_left_alone(tmp_path: Path) -> None:
    shelf = Shelf(MemoryBackend())
    live = Journal.begin(tmp_path, session(2))
    live.pack(shelf.pack(2, [b"alive"])[0][2], 200)
    rows = journalled(tmp_path, shelf)
    first = adopt(tmp_path, shelf.backend)
    assert first.rows == rows
    second = adopt(tmp_path, shelf.backend)
    assert (second.rows, second.journals) == ([], []), "the first adopter holds the dead one"
    for journal in first.journals:
        journal.remove()
    assert (tmp_path / f"{session(2)}.jsonl").exists()
    live.close()
    found = adopt(tmp_path, shelf.backend)
    assert len(found.journals) == 1
    assert found.rows == [], "a pack of another size than was noted"
    found.journals[0].close()


def test_containers_that_are_not_as_noted(tmp_path: Path) -> None:
    def without(key: str, data: bytes | None) -> list[ChunkRow]:
        kept = shelf.backend.read(key)
        shelf.backend.delete(key)
        if data is not None:
            shelf.backend.write(key, data)
        found = adopted(tmp_path, shelf.backend)
        shelf.backend.delete(key)
        shelf.backend.write(key, kept)
        return found

    shelf = Shelf(MemoryBackend())
    rows = journalled(tmp_path, shelf)
    pack, whole = rows[0][2], rows[-1][2]
    assert without(whole, None) == rows[:2]
    assert without(pack, None) == rows[2:]
    assert without(whole, WHOLE[:-1]) == rows[:2]
    assert without(whole, WHOLE + b"x") == rows[:2]
    data = shelf.backend.read(pack)
    assert without(pack, data[:-1]) == rows[2:]
    assert without(pack, b"x" + data) == rows[2:]
    footer = rows[1][3] + rows[1][4]
    for offset in [*range(16), *range(footer, len(data))]:
        flipped = data[:offset] + bytes([data[offset] ^ 0x10]) + data[offset + 1 :]
        assert without(pack, flipped) == rows[2:], offset
    assert adopted(tmp_path, shelf.backend) == rows


def test_every_cut_of_a_journal(tmp_path: Path) -> None:
    """A crash in the middle of a line: the lines before it count, that one does not."""
    shelf = Shelf(MemoryBackend())
    rows = journalled(tmp_path, shelf)
    path = tmp_path / f"{session(1)}.jsonl"
    data = path.read_bytes()
    first = data.index(b"\n")
    for length in range(0, len(data), 3):
        path.write_bytes(data[:length])
        expected = rows[: 2 if length >= first else 0] if length < len(data) - 1 else rows
        assert adopted(tmp_path, shelf.backend) == expected


def test_every_flipped_byte_of_a_journal(tmp_path: Path) -> None:
    """Also one that leaves a journal of good JSON with another digest or checksum."""
    shelf = Shelf(MemoryBackend())
    rows = journalled(tmp_path, shelf)
    path = tmp_path / f"{session(1)}.jsonl"
    data = path.read_bytes()
    for offset in range(len(data)):
        for flip in (0x01, 0x80):
            path.write_bytes(data[:offset] + bytes([data[offset] ^ flip]) + data[offset + 1 :])
            found = adopted(tmp_path, shelf.backend)
            assert set(found) <= set(rows)
            assert len(found) < len(rows) or offset == len(data) - 1


def line(text: bytes) -> bytes:
    return checksum(text).hex().encode() + b" " + text + b"\n"


@pytest.mark.parametrize(
    "data",
    [
        b"\xff\xfe\n",
        b"\n\n\n",
        line(b"null"),
        line(b"[]"),
        line(b"{}"),
        line(b'"key"'),
        line(b'{"key": 5, "size": 1}'),
        line(b'{"key": "../../etc/passwd", "size": 1}'),
        line(b'{"key": "/etc/passwd", "size": 1}'),
        line(b'{"key": "", "size": 1}'),
        line(b'{"key": "store.json", "size": 1}'),
        line(b'{"key": "packs/ab/x.pack", "size": -1}'),
        line(b'{"key": "packs/ab/x.pack", "size": 1e400}'),
        line(b"{" * 5000),
        line(b"\xff"),
    ],
)
def test_nonsense_in_a_journal_is_passed_over(tmp_path: Path, data: bytes) -> None:
    shelf = Shelf(MemoryBackend())
    shelf.backend.write("store.json", b"{")
    shelf.backend.write("packs/ab/x.pack", b"")
    rows = journalled(tmp_path, shelf)
    path = tmp_path / f"{session(1)}.jsonl"
    path.write_bytes(data + path.read_bytes())
    (tmp_path / "folder.jsonl").mkdir()
    assert adopted(tmp_path, shelf.backend) == rows


def test_a_full_disk_costs_the_journal_and_not_the_add(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf = Shelf(MemoryBackend())
    rows = shelf.pack(1, [b"a" * 900])
    journal = Journal.begin(tmp_path, session(1))

    class Full:
        def write(self, data: bytes) -> int:
            raise OSError(28, "No space left on device")

    file = journal._file
    monkeypatch.setattr(journal, "_file", Full())
    journal.pack(rows[0][2], 1)
    monkeypatch.setattr(journal, "_file", file)
    found = shelf.backend.stat(rows[0][2])
    assert found is not None
    journal.pack(rows[0][2], found.size_bytes)
    journal.close()
    assert adopted(tmp_path, shelf.backend) == rows


def test_a_cache_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OSError, match="file") as caught:
        Journal.begin(tmp_path / "file" / "sessions", session(1))
    assert isinstance(caught.value, (StorageError, NotADirectoryError))


# With the whole of add


def store_at(path: Path, cache: Path) -> Store:
    return Store.create(
        str(path),
        client=Client(user="alice", host="hub", cache_dir=cache, jobs=2),
        name="imaging",
        parameters=Parameters(pack_bytes=64 * 1024, layout=Layout.WHOLE),
        shared=False,
    )


def folder_at(path: Path) -> Path:
    path.mkdir()
    for n in range(40):
        (path / f"small-{n:02}.bin").write_bytes(blake(bytes([n])) * 300)
    for n in range(4):
        (path / f"large-{n}.bin").write_bytes(blake(bytes([n, n])) * 20_000)
    return path


def containers(store: Path) -> dict[str, int]:
    backend = open_backend(str(store))
    return {
        found.key: found.size_bytes
        for top in (layout.WHOLE, layout.PACKS)
        for found in backend.keys(top)
    }


def assert_stored_once(store: Path, folder: Path) -> None:
    """Each content of the folder lies in exactly one container, and nothing else does."""
    backend = open_backend(str(store))
    found: list[bytes] = []
    for key, size in containers(store).items():
        if layout.is_whole(key):
            found.append(bytes.fromhex(key.rpartition("/")[2].partition("-")[0]))
        else:
            found += [entry.digest for entry in read_footer(backend, key, size_bytes=size)]
    files = (path for path in folder.iterdir() if path.is_file())
    assert sorted(found) == sorted(blake(path.read_bytes()) for path in files)


def test_an_interrupted_add_goes_on_from_where_it_was(tmp_path: Path) -> None:
    store = store_at(tmp_path / "store", tmp_path / "cache")
    folder = folder_at(tmp_path / "cmr")
    stop = StopSignal()
    seen = 0

    def listener(event: Event) -> None:
        nonlocal seen
        seen += isinstance(event, Advanced)
        if seen == 3:
            stop.set()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("datacat.transfer.tree.BATCH_FILES", 1)
        with pytest.raises(Cancelled):
            store.add(folder, listener=listener, stop=stop)
        before = containers(tmp_path / "store")
        assert before, "something was published before the stop"
        added = store.add(folder)
    after = containers(tmp_path / "store")
    assert before.items() <= after.items(), "INV hands off"
    assert added.version.ref == "cmr@v1"
    store.pull("cmr", dest=tmp_path / "out")
    for path in folder.iterdir():
        if path.is_file():
            assert (tmp_path / "out" / path.name).read_bytes() == path.read_bytes()
    assert not list((tmp_path / "cache" / store.info.id / "sessions").iterdir())
    assert_stored_once(tmp_path / "store", folder)
    (result,) = store.verify(everything=True)
    assert (result.damaged, result.missing) == ((), ())


def test_a_killed_add_goes_on_from_where_it_was(tmp_path: Path) -> None:
    """With kill -9, in the middle: nothing gets to tidy up."""
    store = store_at(tmp_path / "store", tmp_path / "cache")
    folder = folder_at(tmp_path / "cmr")
    script = textwrap.dedent(
        """
        import os, signal, sys
        from pathlib import Path
        from datacat.opened import Client
        from datacat.store import Store
        from datacat.transfer.journal import Journal

        noted, real = [], Journal._note

        def note(self, line):
            real(self, line)
            noted.append(line)
            if len(noted) == 3:
                os.kill(os.getpid(), signal.SIGKILL)

        Journal._note = note
        store, cache, folder = sys.argv[1:]
        client = Client(user="alice", host="hub", cache_dir=Path(cache), jobs=1)
        Store.open(store, client=client).add(folder)
        """
    )
    command = [sys.executable, "-c", script, *map(str, (tmp_path / "store", tmp_path / "cache"))]
    killed = subprocess.run(
        [*command, str(folder)], cwd=ROOT, check=False, capture_output=True, text=True
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    before = containers(tmp_path / "store")
    assert len(before) >= 3
    assert store.ls().datasets == ()
    assert store.add(folder).version.ref == "cmr@v1"
    after = containers(tmp_path / "store")
    assert before.items() <= after.items()
    assert_stored_once(tmp_path / "store", folder)
    (result,) = store.verify(everything=True)
    assert (result.damaged, result.missing) == ((), ())
    assert not list((tmp_path / "cache" / store.info.id / "sessions").iterdir())


def test_an_add_that_fails_leaves_its_journal(tmp_path: Path) -> None:
    store = store_at(tmp_path / "store", tmp_path / "cache")
    folder = folder_at(tmp_path / "cmr")
    with pytest.MonkeyPatch.context() as patch:

        def fail(*args: object, **named: object) -> None:
            raise Failed("no")

        patch.setattr("datacat.working_copy.save.publish", fail)
        with pytest.raises(Failed):
            store.add(folder)
    before = containers(tmp_path / "store")
    assert store.add(folder).created
    assert containers(tmp_path / "store") == before, "nothing was uploaded again"
