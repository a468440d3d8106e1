"""Files that change, shrink, grow, vanish or become something else while they are added."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from datacat.errors import Failed
from datacat.store import Store
from datacat.transfer import ingest, reading, whole
from tests.faults.situation import content, make_store, visible, write

LARGE = 6 << 20
"""Larger than what is read as a whole."""


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return make_store(tmp_path)


def while_reading(
    monkeypatch: pytest.MonkeyPatch,
    path: Path,
    act: Callable[[], None],
    *,
    times: int = 1_000_000_000,
) -> None:
    """Call `act` up to `times` times in the middle of a read of `path`, small or large."""
    left = [times]
    read = os.read
    copy_and_look = whole.copy_and_look

    def once() -> None:
        if left[0]:
            left[0] -= 1
            act()

    def is_it(fd: int) -> bool:
        return os.path.realpath(f"/proc/self/fd/{fd}") == str(path)

    def reading_small(fd: int, size: int) -> bytes:
        data = read(fd, size)
        if is_it(fd):
            once()
        return data

    def copying_large(source_fd: int, target_fd: int, **more: Any) -> int:
        copied = more.pop("copied")

        def then(offset: int, length: int) -> None:
            if is_it(source_fd):  # others are read beside it
                once()
            copied(offset, length)

        return copy_and_look(source_fd, target_fd, copied=then, **more)

    monkeypatch.setattr(reading.os, "read", reading_small)
    monkeypatch.setattr(whole, "copy_and_look", copying_large)


def before_reading(monkeypatch: pytest.MonkeyPatch, act: Callable[[], None]) -> None:
    """Call `act` once, after the folder was listed and before its files are read."""
    run = ingest.Ingest.run

    def running(self: ingest.Ingest, *arguments: Any, **more: Any) -> None:
        act()
        run(self, *arguments, **more)

    monkeypatch.setattr(ingest.Ingest, "run", running)


def touched(path: Path, change: Callable[[Path], None]) -> Callable[[], None]:
    """`change` the file so that its time is another one, whatever the clock's tick is."""
    ticks = iter(range(1, 1_000))

    def act() -> None:
        change(path)
        if path.exists():
            os.utime(path, ns=(0, 10**18 + next(ticks)))

    return act


def rewrite(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(os.urandom(16))


def append(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"more")


def shrink(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


CHANGES = [rewrite, append, shrink]
SIZES = {"small": 5_000, "large": LARGE}


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
@pytest.mark.parametrize("change", CHANGES)
def test_a_file_that_keeps_changing(
    store: Store,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[Path], None],
    size: int,
) -> None:
    source = write(tmp_path / "d", {"calm": "1", "in/busy.log": os.urandom(size)})
    busy = source / "in" / "busy.log"
    before = visible(Path(store.url))
    with monkeypatch.context() as patched:
        while_reading(patched, busy, touched(busy, change))
        with pytest.raises(Failed, match=r"in/busy\.log changed while it was being read") as caught:
            store.add(source)
    assert caught.value.kind == "file_changed"
    assert caught.value.exit_code == 1
    assert visible(Path(store.url)) == before
    assert store.ls().datasets == ()
    # Once its writer is done, the same command works.
    store.add(source)
    store.pull("d", dest=tmp_path / "copy")
    assert content(tmp_path / "copy") == content(source)


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
@pytest.mark.parametrize("change", CHANGES)
def test_a_file_that_changed_once_is_read_again(
    store: Store,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[Path], None],
    size: int,
) -> None:
    source = write(tmp_path / "d", {"busy": os.urandom(size)})
    with monkeypatch.context() as patched:
        while_reading(patched, source / "busy", touched(source / "busy", change), times=1)
        store.add(source)
    store.pull("d", dest=tmp_path / "copy")
    assert content(tmp_path / "copy") == content(source)


def test_a_known_large_file_that_changes_after_it_was_hashed(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Two files of one size are hashed first, and copied then.
    source = write(tmp_path / "d", {"a": os.urandom(LARGE), "b": os.urandom(LARGE)})
    with monkeypatch.context() as patched:
        while_reading(patched, source / "b", touched(source / "b", rewrite), times=1)
        with pytest.raises(Failed, match="changed while it was being read"):
            store.add(source)
    assert store.ls().datasets == ()
    store.add(source)
    store.pull("d", dest=tmp_path / "copy")
    assert content(tmp_path / "copy") == content(source)


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
def test_a_file_that_vanishes(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    source = write(tmp_path / "d", {"calm": "1", "gone": os.urandom(size)})
    before = visible(Path(store.url))
    with monkeypatch.context() as patched:
        before_reading(patched, (source / "gone").unlink)
        with pytest.raises(Failed, match="gone vanished while the folder was being read") as caught:
            store.add(source)
    assert caught.value.kind == "file_vanished"
    assert visible(Path(store.url)) == before
    assert store.add(source).version.files == 1


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
def test_a_file_that_becomes_something_else(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    source = write(tmp_path / "d", {"calm": "1", "other": os.urandom(size)})
    secret = write(tmp_path, {"secret": "s" * 100}) / "secret"
    other = source / "other"
    makers = {
        "fifo": lambda: os.mkfifo(other),
        "link": lambda: other.symlink_to(secret),
        "folder": other.mkdir,
    }
    for make in makers.values():
        with monkeypatch.context() as patched:

            def replace(make: Callable[[], object] = make) -> None:
                other.unlink()
                make()

            before_reading(patched, replace)
            with pytest.raises(Failed, match="other"):
                store.add(source)
        assert store.ls().datasets == ()
        if other.is_dir():
            other.rmdir()
        else:
            other.unlink()
        other.write_bytes(os.urandom(size))


def test_a_file_that_grew_after_it_was_listed(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write(tmp_path / "d", {"grows": "1"})

    def grow() -> None:
        (source / "grows").write_bytes(os.urandom(LARGE))

    with monkeypatch.context() as patched:
        before_reading(patched, grow)
        assert store.add(source).version.bytes == LARGE
    store.pull("d", dest=tmp_path / "copy")
    assert content(tmp_path / "copy") == content(source)


def test_a_log_that_somebody_writes_all_the_time(store: Store, tmp_path: Path) -> None:
    """Really at the same time: what is saved is what the file was at some moment, or an error."""
    source = write(tmp_path / "d", {"run.log": b"", "big.log": b"\0" * LARGE})
    lines = [b"%08d\n" % n for n in range(1_000)]
    done = threading.Event()

    def writing() -> None:
        with (
            (source / "run.log").open("ab", buffering=0) as run,
            (source / "big.log").open("ab", buffering=0) as big,
        ):
            while not done.is_set():
                for line in lines:
                    run.write(line)
                    big.write(line)

    writer = threading.Thread(target=writing)
    writer.start()
    saved = 0
    try:
        for _ in range(3):
            try:
                saved = store.add(source).version.number
            except Failed as error:
                assert error.kind == "file_changed"  # noqa: PT017
    finally:
        done.set()
        writer.join()
    cycle = b"".join(lines)
    for number in range(1, saved + 1):
        store.pull(f"d@v{number}", dest=tmp_path / f"v{number}")
        kept = (tmp_path / f"v{number}" / "run.log").read_bytes()
        assert (cycle * (len(kept) // len(cycle) + 1)).startswith(kept)
        kept = (tmp_path / f"v{number}" / "big.log").read_bytes()[LARGE:]
        assert (cycle * (len(kept) // len(cycle) + 1)).startswith(kept)
    store.add(source)
    store.pull("d", dest=tmp_path / "last")
    assert content(tmp_path / "last") == content(source)
