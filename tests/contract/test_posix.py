"""A folder store: who may write there, and in which order things become durable."""

from __future__ import annotations

import errno
import multiprocessing
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from datacat import layout
from datacat.backend import Created, start_writeback
from datacat.backend import posix as posix_module
from datacat.backend.posix import PosixBackend
from datacat.errors import InvalidInput, NotFound
from tests.contract.conftest import FOLDERS
from tests.contract.faults import Faults

RECORD = layout.log_record(7)


def mode(path: str | Path) -> int:
    return stat.S_IMODE(os.stat(path).st_mode)


# Modes


@pytest.fixture(params=[0o077, 0o022, 0o002, 0o777])
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    old = os.umask(request.param)
    yield request.param
    os.umask(old)


@pytest.mark.parametrize(("shared", "folder_mode"), [(True, 0o2775), (False, 0o700)])
def test_modes_do_not_depend_on_the_umask(
    tmp_path: Path, umask: int, shared: bool, folder_mode: int
) -> None:
    root = tmp_path / "store"
    PosixBackend(root).initialise(layout.directories(), group=None, shared=shared)
    later = PosixBackend(root)  # knows whether it is shared from the root alone
    later.write(layout.whole("ab" * 32, "5" * 32), b"x")
    assert later.create(layout.log_record(123_456), b"x") is Created.CREATED
    later.write("quite/new/folder", b"x")
    later.replace("copies/c.json", b"x")
    folders = [root, *(p for p in root.rglob("*") if p.is_dir())]
    files = [p for p in root.rglob("*") if p.is_file()]
    assert len(folders) == 1 + len(layout.directories()) + 3
    assert len(files) == 4
    assert {mode(p) for p in folders} == {folder_mode}
    assert {mode(p) for p in files} == {0o444}


def test_a_drive_that_refuses_setgid_still_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Faults(monkeypatch).break_call(
        "chmod", errno.EPERM, when=lambda path, bits: bool(bits & stat.S_ISGID)
    )
    posix = PosixBackend(tmp_path / "store")
    posix.initialise(FOLDERS, group=None, shared=True)
    assert mode(posix.root) & 0o777 == 0o775
    assert posix.create(RECORD, b"x") is Created.CREATED
    assert mode(os.path.join(posix.root, "catalog/log/0000000")) & 0o777 == 0o775


def other_group() -> tuple[str, int]:
    import grp

    for entry in grp.getgrall():
        allowed = os.geteuid() == 0 or entry.gr_gid in os.getgroups()
        if allowed and entry.gr_gid != os.getegid():
            return entry.gr_name, entry.gr_gid
    pytest.skip("this user is in one group only")


def test_everything_belongs_to_the_group(tmp_path: Path) -> None:
    name, gid = other_group()
    posix = PosixBackend(tmp_path / "store")
    posix.initialise(FOLDERS, group=name, shared=True)
    posix.create(RECORD, b"x")
    posix.write("fresh/x", b"x")
    made = [Path(posix.root), *Path(posix.root).rglob("*")]
    assert {p.stat().st_gid for p in made} == {gid}


def test_an_unknown_group_is_named(tmp_path: Path) -> None:
    posix = PosixBackend(tmp_path / "store")
    with pytest.raises(InvalidInput, match="no-such-group") as caught:
        posix.initialise(FOLDERS, group="no-such-group", shared=True)
    assert caught.value.kind == "unknown_group"
    assert any("usermod -aG no-such-group" in line for line in caught.value.commands)
    assert not os.path.exists(posix.root)


def test_a_missing_parent_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="typo does not exist"):
        PosixBackend(tmp_path / "typo" / "store").initialise(FOLDERS, group=None, shared=True)
    assert list(tmp_path.iterdir()) == []


# Durability


class Recorder:
    """The order in which files were made durable and named, with folders as relative paths."""

    def __init__(self, root: str, patch: pytest.MonkeyPatch) -> None:
        self.events: list[tuple[str, str]] = []
        self._root = root
        real_fsync, real_link = os.fsync, os.link

        def fsync(fd: int) -> None:
            self.events.append(("fsync", self._named(os.readlink(f"/proc/self/fd/{fd}"))))
            real_fsync(fd)

        def link(source: str, target: str, **options: Any) -> None:
            real_link(source, target, **options)
            self.events.append(("link", self._named(target)))

        patch.setattr(os, "fsync", fsync)
        patch.setattr(os, "link", link)

    def _named(self, path: str) -> str:
        name = os.path.relpath(path, self._root)
        return "temporary" if name.startswith("tmp/") else name


def check_durable(recorder: Recorder, key: str) -> None:
    """fsync of the bytes, then the name, then fsync of its folder."""
    events = recorder.events
    named = events.index(("link", key))
    assert ("fsync", "temporary") in events[:named]
    assert ("fsync", os.path.dirname(key)) in events[named:]


def test_create_is_durable_when_it_says_so(
    posix: PosixBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = Recorder(posix.root, monkeypatch)
    assert posix.create(RECORD, b"x") is Created.CREATED
    check_durable(recorder, RECORD)
    # The bucket folder was made, perhaps by somebody who died: its own name counts as well.
    assert ("fsync", "catalog/log") in recorder.events
    recorder.events.clear()
    assert posix.create(layout.log_record(8), b"x") is Created.CREATED
    assert [what for what, _ in recorder.events] == ["fsync", "link", "fsync"]
    recorder.events.clear()
    another = PosixBackend(posix.root)
    assert another.create(layout.log_record(9), b"x") is Created.CREATED
    assert ("fsync", "catalog/log") in recorder.events


def test_published_names_are_durable_after_sync(
    posix: PosixBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = Recorder(posix.root, monkeypatch)
    keys = ["packs/ab/1", "packs/ab/2", "manifests/ab/3"]
    for key in keys:
        posix.write(key, b"x")
    posix.sync()
    for key in keys:
        check_durable(recorder, key)
    assert recorder.events.count(("fsync", "packs/ab")) == 1
    recorder.events.clear()
    posix.sync()
    assert recorder.events == []
    assert posix.assure("packs/ab/1") is not None
    posix.sync()
    assert recorder.events == [("fsync", "packs/ab")]


def test_a_folder_made_on_the_way_is_durable(
    posix: PosixBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = Recorder(posix.root, monkeypatch)
    posix.write("fresh/deep/x", b"x")
    posix.sync()
    for folder in [".", "fresh", "fresh/deep"]:
        assert ("fsync", folder) in recorder.events


def test_the_check_notices_a_missing_fsync_of_the_folder(
    posix: PosixBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    posix.create(layout.log_record(1), b"x")
    recorder = Recorder(posix.root, monkeypatch)
    monkeypatch.setattr(posix_module, "fsync_folder", lambda path: None)
    posix.create(RECORD, b"x")
    posix.write("packs/ab/x", b"x")
    posix.sync()
    for key in [RECORD, "packs/ab/x"]:
        with pytest.raises(AssertionError):
            check_durable(recorder, key)


def test_a_second_sync_waits_for_the_first(
    posix: PosixBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else it would return while the first is still making its caller's names durable."""
    import threading

    posix.write("packs/ab/x", b"x")
    inside, go_on, returned = threading.Event(), threading.Event(), threading.Event()

    def slow(path: str) -> None:
        inside.set()
        assert go_on.wait(30)
        assert not returned.is_set()

    monkeypatch.setattr(posix_module, "fsync_folder", slow)
    first = threading.Thread(target=posix.sync)
    first.start()
    assert inside.wait(30)

    def second() -> None:
        posix.sync()
        returned.set()

    later = threading.Thread(target=second)
    later.start()
    later.join(0.05)
    assert not returned.is_set()
    go_on.set()
    first.join(30)
    later.join(30)
    assert returned.is_set()


def test_writeback_is_a_hint(posix: PosixBackend) -> None:
    with posix.stage() as staged:
        os.write(staged.fd, b"x" * 100_000)
        start_writeback(staged.fd, 0, 100_000)
        start_writeback(staged.fd, 1 << 40, 5)
        staged.publish("packs/ab/x")
    start_writeback(-1, 0, 1)


# Many processes, one slot


def race(root: str, racer: int, slots: int, start: Any, won: Any) -> None:
    posix = PosixBackend(root)
    wins = []
    for slot in range(1, slots + 1):
        if slot % 5 == 1:
            start.wait()
        data = b"%d of %d " % (racer, slot) * 400
        outcome = posix.create(f"catalog/log/{slot // 50:07d}/{slot}.json", data)
        if outcome is Created.CREATED:
            wins.append(slot)
        else:
            found = posix.read(f"catalog/log/{slot // 50:07d}/{slot}.json")
            whole = found == found[: len(found) // 400] * 400 and found.endswith(b" %d " % slot)
            if outcome is not Created.EXISTS or not whole:
                wins.append(-slot)
    won.put((racer, wins))


def test_one_winner_among_processes(posix: PosixBackend) -> None:
    racers, slots = 8, 200
    context = multiprocessing.get_context("spawn")
    start, won = context.Barrier(racers, timeout=120), context.Queue()
    processes = [
        context.Process(target=race, args=(posix.root, racer, slots, start, won))
        for racer in range(racers)
    ]
    for process in processes:
        process.start()
    wins = dict(won.get(timeout=200) for _ in processes)
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    assert sorted(slot for found in wins.values() for slot in found) == list(range(1, slots + 1))
    for racer, found in wins.items():
        for slot in found:
            content = posix.read(f"catalog/log/{slot // 50:07d}/{slot}.json")
            assert content == b"%d of %d " % (racer, slot) * 400
    assert os.listdir(os.path.join(posix.root, "tmp")) == []
