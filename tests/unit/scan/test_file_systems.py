"""Reflinks, mounts inside of what is scanned, and the kernel's own file systems."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from datacat.backend.reflink import clone
from datacat.model import Parameters
from datacat.progress import Event, Started
from datacat.scan import mounts
from datacat.store import Store
from tests.conftest import make_client, make_store
from tests.trees import content

pytestmark = [
    pytest.mark.mounts,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to mount"),
]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    mounts._types.cache_clear()
    with make_store("memory", tmp_path, client=make_client(tmp_path)) as opened:
        yield opened
    mounts._types.cache_clear()


@contextmanager
def mounted(place: Path, *arguments: str) -> Iterator[Path]:
    place.mkdir(parents=True, exist_ok=True)
    command = ["mount", *arguments, str(place)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("cannot mount here")
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)


@contextmanager
def reflinking(tmp_path: Path) -> Iterator[Path]:
    """An XFS whose files can share blocks."""
    if shutil.which("mkfs.xfs") is None:
        pytest.skip("no mkfs.xfs")
    image = tmp_path / "image"
    with image.open("wb") as file:
        file.truncate(320 << 20)
    subprocess.run(["mkfs.xfs", "-q", "-m", "reflink=1", str(image)], check=True)
    with mounted(tmp_path / "xfs", "-o", "loop", str(image)) as drive:
        mounts._types.cache_clear()
        yield drive
    mounts._types.cache_clear()


def test_reflinks_count_once(store: Store, tmp_path: Path) -> None:
    size = 300_000
    with reflinking(tmp_path) as drive:
        (drive / "a").write_bytes(content(size, 1))
        (drive / "copy").write_bytes(content(size, 1))
        os.sync()
        for name in ("b", "c"):
            with (drive / "a").open("rb") as source, (drive / name).open("wb") as target:
                assert clone(source.fileno(), target.fileno())
        result = store.scan([drive])
        assert (result.files, result.bytes, result.duplicate_bytes) == (4, 2 * size, size)
        (group,) = result.groups
        assert (group.copies, group.paths_total) == (2, 4)
        (drive / "copy").unlink()
        assert store.scan([drive]).groups == ()


def test_other_file_systems_are_entered_unless_told_otherwise(store: Store, tmp_path: Path) -> None:
    drive = tmp_path / "drive"
    drive.mkdir()
    (drive / "a").write_bytes(content(500, 1))
    with mounted(drive / "inner", "-t", "tmpfs", "none") as inner:
        (inner / "a").write_bytes(content(500, 1))
        assert store.scan([drive]).duplicate_bytes == 500
        alone = store.scan([drive], one_file_system=True)
        assert (alone.files, alone.duplicate_bytes) == (1, 0)
        assert alone.other_file_systems.first == (str(inner),)


def test_a_folder_that_is_mounted_inside_itself_ends(store: Store, tmp_path: Path) -> None:
    drive = tmp_path / "drive"
    drive.mkdir()
    (drive / "a").write_bytes(content(500, 1))
    with mounted(drive / "inner", "--bind", str(drive)):
        result = store.scan([drive])
    assert (result.files, result.bytes, result.duplicate_bytes) == (2, 500, 0)


def test_the_kernels_own_file_systems_are_not_entered(store: Store, tmp_path: Path) -> None:
    drive = tmp_path / "drive"
    drive.mkdir()
    with mounted(drive / "proc", "-t", "proc", "proc"):
        assert store.scan([drive]).files == 0


def test_copies_are_replaced_by_reflinks_that_are_files_like_before(tmp_path: Path) -> None:
    with (
        reflinking(tmp_path) as drive,
        make_store("memory", tmp_path, client=make_client(tmp_path)) as store,
    ):
        for folder in ("a", "b"):
            for name, seed in (("large", 1), ("small", 2)):
                path = drive / folder / name
                path.parent.mkdir(exist_ok=True)
                path.write_bytes(content(300_000 if seed == 1 else 9000, seed))
        large = drive / "b/large"
        large.chmod(0o750)
        os.chown(large, 1234, 1235)
        os.setxattr(large, "user.note", b"mine")
        os.utime(large, ns=(1, 1_600_000_000_123_456_789))
        os.sync()
        was = large.stat()
        undo = tmp_path / "undo"
        done = store.adopt(str(drive / "b"), [drive], undo_file=undo, name="cmr", execute=True)
        assert (done.reflinked, done.kept_total, done.freed_bytes) == (2, 0, 309_000)
        now = large.stat()
        assert now.st_ino != was.st_ino
        assert (now.st_mode, now.st_uid, now.st_gid) == (was.st_mode, was.st_uid, was.st_gid)
        assert now.st_mtime_ns == was.st_mtime_ns
        assert os.getxattr(large, "user.note") == b"mine"
        assert store.scan([drive]).duplicate_bytes == 0
        with large.open("r+b") as file:
            file.write(b"edited")
        assert (drive / "a/large").read_bytes() == content(300_000, 1)
        assert store.undo_adopt(undo).own == 2
        assert large.read_bytes()[:6] == b"edited"


def test_across_file_systems_files_are_replaced_by_symbolic_links(tmp_path: Path) -> None:
    parameters = Parameters(small_bytes=1000)
    with (
        mounted(tmp_path / "drive", "-t", "tmpfs", "none") as drive,
        make_store("posix", tmp_path, client=make_client(tmp_path), parameters=parameters) as store,
    ):
        mounts._types.cache_clear()
        for folder in ("a", "b", "c"):
            path = drive / folder / "data"
            path.parent.mkdir()
            path.write_bytes(content(9000, 1))
        undo = tmp_path / "undo"
        done = store.adopt(str(drive / "c"), [drive], undo_file=undo, name="cmr", execute=True)
        assert (done.symlinked, done.kept_total) == (2, 0)
        assert (drive / "b/data").is_symlink()
        assert (drive / "b/data").read_bytes() == content(9000, 1)
        assert store.scan([drive]).duplicate_bytes == 0
        assert store.undo_adopt(undo).restored == 2
        assert not (drive / "b/data").is_symlink()
    mounts._types.cache_clear()


def test_nothing_is_lost_that_is_written_meanwhile(tmp_path: Path) -> None:
    with (
        reflinking(tmp_path) as drive,
        make_store("memory", tmp_path, client=make_client(tmp_path)) as store,
    ):
        paths: list[Path] = []
        for number in range(200):
            for folder in ("a", "b"):
                paths.append(drive / folder / str(number))
                paths[-1].parent.mkdir(exist_ok=True)
                paths[-1].write_bytes(content(5000, number))
        os.sync()
        mine = [path for path in paths if path.parent.name == "b"]
        last: dict[Path, bytes] = {}
        done = threading.Event()

        def write() -> None:
            counter = 0
            while not done.is_set():
                for path in mine[:100]:
                    counter += 1
                    with path.open("r+b", buffering=0) as file:
                        last[path] = b"%08d" % counter
                        file.write(last[path])

        writer = threading.Thread(target=write)

        def listen(event: Event) -> None:
            if isinstance(event, Started) and event.phase == "Replacing":
                writer.start()

        adoption = store.adopt(
            str(drive / "b"),
            [drive],
            undo_file=tmp_path / "undo",
            name="cmr",
            execute=True,
            listener=listen,
        )
        done.set()
        writer.join()
        assert adoption.reflinked >= 100
        for path in mine:
            data = path.read_bytes()
            rest = content(5000, int(path.name))
            assert data == last.get(path, rest[:8]) + rest[8:]
        assert not list(drive.rglob(".datacat-*"))
