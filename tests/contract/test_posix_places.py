"""A folder store on real drives that are full, read-only or gone, and with real teammates."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import datacat
from datacat.backend.posix import PosixBackend
from datacat.errors import NoStore, StorageDenied, StorageFull
from tests.contract.conftest import FOLDERS

needs_root = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs root"
)
ALICE, BOB, EVE = 61_001, 61_002, 61_003
TEAM, EVES_GROUP = 62_000, 62_001
RECORD = "catalog/log/0000003/r.json"


# Drives


@pytest.fixture
def drive(tmp_path: Path) -> Iterator[Path]:
    """A mounted file system of one megabyte."""
    mount_point = tmp_path / "drive"
    mount_point.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", mount_point],
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        pytest.skip(f"cannot mount here: {done.stderr.strip()}")
    yield mount_point
    if os.path.ismount(mount_point):
        subprocess.run(["umount", mount_point], check=True)


@pytest.mark.mounts
@needs_root
def test_a_full_drive(drive: Path) -> None:
    posix = PosixBackend(drive / "store")
    posix.initialise(FOLDERS, group=None, shared=True)
    posix.write("packs/ab/0", b"x" * 900_000)
    (source := drive.parent / "source").write_bytes(b"y" * 400_000)
    fill: list[Callable[[], object]] = [
        lambda: posix.write("packs/ab/1", b"y" * 400_000),
        lambda: posix.write_file("packs/ab/1", source),
        lambda: posix.create(RECORD, b"y" * 400_000),
        lambda: posix.replace("copies/c.json", b"y" * 400_000),
    ]
    for call in fill:
        with pytest.raises(StorageFull, match=r"no space left on .*drive/store") as caught:
            call()
        assert "B free" in str(caught.value)
        assert [found.key for found in posix.keys("")] == ["packs/ab/0"]
        assert os.listdir(drive / "store" / "tmp") == []
    posix.delete("packs/ab/0")
    for call in fill[1:]:
        call()
        for found in list(posix.keys("")):
            posix.delete(found.key)


@pytest.mark.mounts
@needs_root
def test_a_read_only_drive(drive: Path) -> None:
    posix = PosixBackend(drive / "store")
    posix.initialise(FOLDERS, group=None, shared=True)
    posix.write("packs/ab/0", b"x")
    subprocess.run(["mount", "-o", "remount,ro", drive], check=True)
    assert posix.read("packs/ab/0") == b"x"
    assert posix.stat(RECORD) is None
    for call in [
        lambda: posix.write("packs/ab/1", b"x"),
        lambda: posix.create(RECORD, b"x"),
        lambda: posix.delete("packs/ab/0"),
    ]:
        with pytest.raises(StorageDenied, match="mounted read-only"):
            call()  # type: ignore[no-untyped-call]


@pytest.mark.mounts
@needs_root
def test_an_unmounted_drive(drive: Path) -> None:
    at_the_mount_point, below = PosixBackend(drive), PosixBackend(drive / "store")
    at_the_mount_point.initialise(FOLDERS, group=None, shared=True)
    below.initialise(FOLDERS, group=None, shared=True)
    for posix in [at_the_mount_point, below]:
        assert posix.stat(RECORD) is None
    subprocess.run(["umount", drive], check=True)
    for posix in [at_the_mount_point, below]:
        with pytest.raises(NoStore):
            posix.stat(RECORD)
        with pytest.raises(NoStore):
            posix.create(RECORD, b"x")
    assert os.listdir(drive) == []


# Teammates


@pytest.fixture
def shared_folder() -> Iterator[Path]:
    """A folder that other users can reach, unlike pytest's own."""
    folder = Path(tempfile.mkdtemp(prefix="datacat-users-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


# Imports first, then becomes the other user: they need not be able to read this installation.
PRELUDE = """
import ctypes, grp, os, pwd, shutil, sys
from datacat.backend.posix import PosixBackend
from datacat.backend import system_calls
from datacat.errors import StorageError
system_calls._c_function("renameat2")
user, group, groups = sys.argv.pop(1), sys.argv.pop(1), sys.argv.pop(1)
os.setgroups([int(g) for g in groups.split()])
os.setgid(int(group)); os.setuid(int(user)); os.umask(0o077); os.chdir("/")
posix = PosixBackend(sys.argv[1])
"""


def run_as(
    user: int, group: int, code: str, *arguments: object, groups: tuple[int, ...] = ()
) -> str:
    """What `code` prints, run as another user with the tightest umask."""
    supplementary = " ".join(map(str, groups))
    done = subprocess.run(
        [sys.executable, "-c", PRELUDE + code, str(user), str(group), supplementary]
        + [str(argument) for argument in arguments],
        env={"PYTHONPATH": str(Path(datacat.__file__).parents[1]), "PYTHONDONTWRITEBYTECODE": "1"},
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.users
@needs_root
def test_two_teammates_share_a_store(shared_folder: Path) -> None:
    root = shared_folder / "store"
    root.mkdir()
    os.chown(root, ALICE, TEAM)
    run_as(
        ALICE,
        ALICE,
        "posix.initialise(sys.argv[2:], group=None, shared=True)\n"
        "posix.create('catalog/log/0000003/a.json', b'alice')\n"
        "posix.write('fresh/a', b'alice'); posix.replace('copies/c', b'alice')",
        root,
        *FOLDERS,
        groups=(TEAM,),
    )
    out = run_as(
        BOB,
        BOB,
        "assert posix.create('catalog/log/0000003/b.json', b'bob').value == 'created'\n"
        "assert posix.create('catalog/log/0000003/a.json', b'bob').value == 'exists'\n"
        "posix.write('fresh/b', b'bob'); posix.replace('copies/c', b'bob')\n"
        "posix.initialise(sys.argv[2:], group=None, shared=True)\n"
        "print(posix.read('fresh/a'), [f.key for f in posix.keys('')])\n"
        "try: open(posix.path_of('fresh/a'), 'r+')\n"
        "except PermissionError: print('alice is safe')",
        root,
        *FOLDERS,
        groups=(TEAM,),
    )
    assert "b'alice'" in out
    assert "alice is safe" in out
    assert "catalog/log/0000003/b.json" in out
    assert {p.stat().st_gid for p in [root, *root.rglob("*")]} == {TEAM}


@pytest.mark.users
@needs_root
def test_somebody_outside_the_group_is_told_how_to_get_in(shared_folder: Path) -> None:
    posix = PosixBackend(shared_folder / "store")
    posix.initialise(FOLDERS, group=None, shared=True)
    for path in [Path(posix.root), *Path(posix.root).rglob("*")]:
        os.chown(path, ALICE, TEAM)
        path.chmod(0o2775)
    out = run_as(
        EVE,
        EVES_GROUP,
        "print(posix.stat('catalog/log/0000001/r.json'))\n"
        "for call in [lambda: posix.write('packs/ab/x', b'x'),\n"
        "             lambda: posix.create('catalog/log/0000001/r.json', b'x')]:\n"
        "    try: call()\n"
        "    except StorageError as e: print(type(e).__name__, e, e.hint, e.commands, sep='|')",
        posix.root,
    ).splitlines()
    assert out[0] == "None"
    assert len(out) == 3
    for line in out[1:]:
        name, message, _hint, commands = line.split("|")
        assert name == "StorageDenied"
        assert message == (
            f"cannot write to {posix.root}/tmp: it belongs to group '{TEAM}', "
            f"you are in '{EVES_GROUP}'"
        )
        assert commands == f"('usermod -aG {TEAM} {EVE}',)"
    assert list(posix.keys("")) == []


@pytest.mark.users
@needs_root
def test_a_private_store_is_private(shared_folder: Path) -> None:
    posix = PosixBackend(shared_folder / "store")
    posix.initialise(FOLDERS, group=None, shared=False)
    posix.write("packs/ab/x", b"secret")
    out = run_as(
        EVE,
        EVES_GROUP,
        "for call in [lambda: posix.read('packs/ab/x'), lambda: posix.stat('packs/ab/x')]:\n"
        "    try: call()\n"
        "    except StorageError as e: print(type(e).__name__)",
        posix.root,
    )
    assert out.split() == ["StorageDenied", "StorageDenied"]


@pytest.mark.users
@needs_root
def test_a_group_that_one_is_not_in(shared_folder: Path) -> None:
    os.chown(shared_folder, EVE, EVES_GROUP)
    out = run_as(
        EVE,
        EVES_GROUP,
        "try: posix.initialise(['tmp/'], group='daemon', shared=True)\n"
        "except StorageError as e: print(type(e).__name__, e, e.commands, sep='|')",
        shared_folder / "store",
    )
    name, message, commands = out.strip().split("|")
    assert name == "StorageDenied"
    assert "to group 'daemon'" in message
    assert commands == f"('usermod -aG daemon {EVE}',)"
