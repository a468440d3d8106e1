"""A file that changes while it is read is read again, and never saved as something it never was."""

from __future__ import annotations

import os
import random
import stat
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from datacat.digest import digest_of
from datacat.errors import Failed
from datacat.progress import StopSignal
from datacat.transfer.files import LocalFiles
from datacat.transfer.reading import (
    ATTEMPTS,
    ChangedWhileReadingError,
    SourceFile,
    opened,
    read_stable,
)

LIMIT = 1 << 20
DATA = random.Random(1).randbytes(5000)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "labels.csv"
    path.write_bytes(DATA)
    # Long ago: a change within one tick of the clock would be a change all the same.
    os.utime(path, ns=(1_600_000_000_000_000_000, 1_600_000_000_000_000_000))
    return path


def source(path: Path, *, linked: bool = False) -> SourceFile:
    """The file as a walk has just listed it."""
    if not path.exists():
        return SourceFile(path.name, len(DATA), linked, 0, 0, 0)
    found = path.stat()
    times = found.st_mtime_ns, found.st_ctime_ns
    return SourceFile(path.name, found.st_size, linked, *times, found.st_ino)


def read(path: Path, *, limit: int = LIMIT, linked: bool = False) -> bytes | None:
    return read_stable(str(path.parent), source(path, linked=linked), limit=limit)[0]


class During:
    """Does something during the n-th reads of the file: after its bytes were taken."""

    def __init__(self, patch: pytest.MonkeyPatch, change: Callable[[], object], times: int) -> None:
        self.reads = 0
        real = os.read

        def reading_and(fd: int, count: int) -> bytes:
            data = real(fd, count)
            self.reads += 1
            if self.reads <= times:
                change()
            return data

        patch.setattr(os, "read", reading_and)


def rewritten(path: Path) -> Callable[[], object]:
    return lambda: path.write_bytes(bytes(reversed(path.read_bytes())))


def grow(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"more")


CHANGES: dict[str, Callable[[Path], Callable[[], object]]] = {
    "rewritten": rewritten,
    "grown": lambda path: lambda: grow(path),
    "shrunk": lambda path: lambda: os.truncate(path, path.stat().st_size - 1),
    "emptied": lambda path: lambda: os.truncate(path, 0),
    "touched": lambda path: lambda: os.utime(path, ns=(1, path.stat().st_mtime_ns + 1)),
}


@pytest.mark.parametrize("change", [name for name in CHANGES if name != "grown"])
def test_a_change_is_noticed_and_the_file_read_again(
    file: Path, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    During(monkeypatch, CHANGES[change](file), ATTEMPTS - 1)
    found = read(file)
    monkeypatch.undo()
    assert found == file.read_bytes()


def test_growth_is_noticed_and_the_file_read_again(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    During(monkeypatch, CHANGES["grown"](file), ATTEMPTS - 1)
    found = read(file)
    monkeypatch.undo()
    assert found == file.read_bytes() == DATA + b"more" * (ATTEMPTS - 1)


def test_a_file_that_never_keeps_still_is_named(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    During(monkeypatch, rewritten(file), 10**9)
    with pytest.raises(Failed, match=r"labels\.csv changed while it was being read") as caught:
        read(file)
    assert caught.value.kind == "file_changed"


@pytest.mark.parametrize("moment", ["before the stat", "between stat and read"])
def test_a_change_around_the_stat(file: Path, monkeypatch: pytest.MonkeyPatch, moment: str) -> None:
    real, calls = os.fstat, 0

    def fstat(fd: int) -> os.stat_result:
        nonlocal calls
        calls += 1
        if calls == 1 and moment == "before the stat":
            file.write_bytes(b"new")
        found = real(fd)
        if calls == 1 and moment != "before the stat":
            file.write_bytes(b"newer")
        return found

    listed = source(file)
    file.touch()  # it is not what was listed any more: the first read is in vain
    calls = -1
    monkeypatch.setattr(os, "fstat", fstat)
    found, state = read_stable(str(file.parent), listed, limit=LIMIT)
    assert found == file.read_bytes()
    assert (state.st_size, state.st_mtime_ns) == (len(found), file.stat().st_mtime_ns)
    assert calls == (2 if moment == "before the stat" else 4)


def test_a_file_that_is_as_it_was_listed_is_read_once(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Four system calls: what was listed is what it was before."""
    listed = source(file)
    calls: list[str] = []
    for name in ("open", "read", "fstat", "close"):
        real = getattr(os, name)

        def counted(*given: object, real: Callable[..., object] = real, name: str = name) -> object:
            calls.append(name)
            return real(*given)

        monkeypatch.setattr(os, name, counted)
    found, state = read_stable(str(file.parent), listed, limit=LIMIT)
    monkeypatch.undo()
    assert (found, state) == (DATA, file.stat())
    assert calls == ["open", "read", "fstat", "close"]


@pytest.mark.parametrize("change", [*CHANGES, "replaced", "made executable"])
def test_a_change_since_it_was_listed(file: Path, change: str) -> None:
    """What is read is what is there now, and what it is now is what is said of it."""
    listed = source(file)
    if change == "replaced":
        other = file.with_name("other")
        other.write_bytes(bytes(len(DATA)))
        os.utime(other, ns=(listed.mtime_ns, listed.mtime_ns))
        other.replace(file)
    elif change == "made executable":
        file.chmod(0o700)
    else:
        CHANGES[change](file)()
    found, state = read_stable(str(file.parent), listed, limit=LIMIT)
    assert (found, state) == (file.read_bytes(), file.stat())


def test_a_file_replaced_by_another_is_one_of_the_two(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By rename, as careful programs do: what was opened is still whole."""
    other = file.with_name("other")
    other.write_bytes(b"the new content")
    During(monkeypatch, lambda: other.replace(file), 1)
    assert read(file) in (DATA, b"the new content")


def test_a_file_that_vanishes_while_it_is_read_is_still_whole(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its link count is part of what it is, so it is looked for again, and is gone."""
    During(monkeypatch, file.unlink, 1)
    with pytest.raises(Failed) as caught:
        read(file)
    assert caught.value.kind == "file_vanished"


def test_short_reads_are_continued(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.read
    monkeypatch.setattr(os, "read", lambda fd, count: real(fd, min(count, 611)))
    assert read(file) == DATA


def test_an_end_before_the_size(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system that gives less than it says, and changes no time: never half a file."""
    real = os.read
    monkeypatch.setattr(os, "read", lambda fd, count: real(fd, min(count, 10))[:-1])
    with pytest.raises(Failed, match="changed while"):
        read(file)


def test_real_threads(file: Path) -> None:
    """A writer that rewrites the file in place all the time: the file, or an error that says so.

    Two writes within one tick of the file system's clock cannot be told apart, so a mixture is
    possible; it has the right size, and its digest is that of the bytes that were read.
    """
    states = [bytes([n]) * 40_000 for n in range(1, 5)]
    file.write_bytes(states[0])
    done = threading.Event()

    def write() -> None:
        n = 0
        with file.open("r+b", buffering=0) as opened_file:
            while not done.is_set():
                n += 1
                data = states[n % 4]
                for start in range(0, len(data), 10_000):
                    os.pwrite(opened_file.fileno(), data[start : start + 10_000], start)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(300):
            try:
                found = read(file)
            except Failed as error:
                outcome = error.kind
            else:
                assert found is not None
                assert len(found) == 40_000
                outcome = "read"
            assert outcome in {"read", "file_changed"}
    finally:
        done.set()
        writer.join()
    assert read(file) == file.read_bytes()


def test_limits(file: Path) -> None:
    assert read(file, limit=len(DATA)) == DATA
    assert read(file, limit=len(DATA) - 1) is None
    listed = source(file)
    file.write_bytes(bytes(LIMIT + 1))
    assert read_stable(str(file.parent), listed, limit=LIMIT)[0] is None
    file.write_bytes(b"")
    assert read(file, limit=0) == b""


def test_what_is_no_regular_file(tmp_path: Path) -> None:
    (tmp_path / "target").write_bytes(DATA)
    (tmp_path / "link").symlink_to("target")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    was = source(tmp_path / "target")
    for name in ("link", "folder", "pipe", "nothing"):
        listed = was._replace(path=name)
        with pytest.raises(Failed) as caught:
            read_stable(str(tmp_path), listed, limit=LIMIT)
        assert name in caught.value.message
        with pytest.raises(Failed), opened(str(tmp_path), listed):
            pytest.fail("it was opened")
    assert read(tmp_path / "link", linked=True) == DATA
    assert (
        read_stable(str(tmp_path / "target"), SourceFile("", 5, False, 0, 0, 0), limit=LIMIT)[0]
        == DATA
    )


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(file: Path) -> None:
    file.chmod(0)
    with pytest.raises(Failed, match="permission denied"):
        read(file)


def test_a_disk_that_fails(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(fd: int, count: int) -> bytes:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "read", fail)
    with pytest.raises(Failed, match=r"cannot read labels\.csv: input/output error"):
        read(file)


def test_what_the_file_was(file: Path) -> None:
    for mode in (0o600, 0o700, 0o610):
        file.chmod(mode)
        _, state = read_stable(str(file.parent), source(file), limit=LIMIT)
        found = file.stat()
        assert stat.S_IMODE(state.st_mode) == mode
        assert (state.st_size, state.st_mtime_ns) == (found.st_size, found.st_mtime_ns)
        assert (state.st_ctime_ns, state.st_ino) == (found.st_ctime_ns, found.st_ino)


def test_descriptors_are_closed(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listing = Path("/proc/self/fd")
    if not listing.is_dir():
        pytest.skip("needs /proc")
    before = len(list(listing.iterdir()))
    During(monkeypatch, rewritten(file), 10**9)
    for _ in range(5):
        with pytest.raises(Failed):
            read(file)
    monkeypatch.undo()
    read(file)
    assert len(list(listing.iterdir())) == before


# Large files, hashed in steps


def hashed(path: Path) -> bytes:
    stop = StopSignal()
    with LocalFiles(str(path.parent)).opened(source(path), stop=stop) as opened_file:
        return opened_file.hash("blake3", stop=stop)[0]


def test_a_large_file_that_changes(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert hashed(file) == digest_of("blake3", DATA)
    real = os.preadv
    for change in (
        lambda: os.truncate(file, 10),
        lambda: os.truncate(file, 9000),
        lambda: file.write_bytes(DATA[::-1]),
        lambda: os.utime(file, ns=(5, 5)),
    ):
        file.write_bytes(DATA)
        changes: list[Callable[[], object]] = [change]

        def changing(
            fd: int, views: list[memoryview], at: int, changes: list[Callable[[], object]] = changes
        ) -> int:
            count = real(fd, views, at)
            if changes:
                changes.pop()()
            return count

        monkeypatch.setattr(os, "preadv", changing)
        with pytest.raises(ChangedWhileReadingError):
            hashed(file)
        monkeypatch.undo()


def test_a_large_file_on_a_disk_that_fails(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In words, with the name: whoever hashes or stores it."""
    from datacat.store import Store
    from tests.unit.transfer.test_journal import store_at

    root = file.parent / "data"
    root.mkdir()
    (root / "big.bin").write_bytes(DATA * 1000)
    store: Store = store_at(file.parent / "store", file.parent / "cache")
    assert store.add(root, dry_run=True).version.files == 1
    (root / "twin.bin").write_bytes(DATA * 1000)

    def fail(fd: int, views: list[memoryview], at: int) -> int:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "preadv", fail)
    for dry_run in (True, False):
        with pytest.raises(Failed, match=r"cannot read (big|twin)\.bin: input/output error"):
            store.add(root, dry_run=dry_run)
