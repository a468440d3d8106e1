"""Two clients of a share that has the habits of NFS, and that loses what it is told to."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from ctypes.util import find_library
from pathlib import Path

import pytest

from datacat.errors import DatacatError, StorageError
from datacat.store import Store
from tests.collecting import AT_ONCE
from tests.conftest import EFFORT, make_client
from tests.servers.shared import need
from tests.trees import Tree, content, file, read_tree, write_tree

ROOT = Path(__file__).parents[3]
WITHOUT = "libfuse or mfusepy is not installed (pip install --group servers)"
STEPS = 15
LARGE = 300_000


@contextmanager
def mounted(share: Path, mount: Path, **habits: float) -> Iterator[None]:
    """Mount `share` with habits. Skips where nobody may mount."""
    need(find_library("fuse3") or find_library("fuse"), "mfusepy", without=WITHOUT)
    if not os.access("/dev/fuse", os.R_OK | os.W_OK):
        pytest.skip("no /dev/fuse for this user")
    mount.mkdir()
    command = [sys.executable, "-m", "tests.faults.nfs.habits", str(share), str(mount)]
    with (mount.parent / f"{mount.name}.log").open("wb") as log:
        server = subprocess.Popen(
            [*command, json.dumps(habits)],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=log,
            stderr=log,
        )
        try:
            deadline = time.monotonic() + 30
            while not os.path.ismount(mount):
                if server.poll() is not None:
                    pytest.skip(f"cannot mount: {(mount.parent / f'{mount.name}.log').read_text()}")
                assert time.monotonic() < deadline
                time.sleep(0.02)
            yield
        finally:
            subprocess.run(["umount", "-l", str(mount)], check=False)
            try:
                server.wait(30)
            finally:
                server.kill()  # it ends by itself, unless somebody still has a file open


def did(mount: Path) -> dict[str, int]:
    """What happened there, once it is unmounted."""
    found: dict[str, int] = json.loads(Path(f"{mount}.did").read_text())
    return found


def tree_of(chance: random.Random) -> Tree:
    """Small files, and a large one that often is an edited one."""
    tree = {f"s{n}": file(content(2_000, chance.randrange(40))) for n in range(5)}
    large = content(LARGE, chance.randrange(3))
    at = chance.randrange(LARGE)
    tree["large"] = file(large[:at] + b"edit" + large[at:])
    return tree


@pytest.mark.parametrize(("failing", "inodes"), [(0, True), (0, False), (0.05, True)])
def test_two_clients(tmp_path: Path, failing: float, inodes: bool) -> None:
    """Whatever was acknowledged is there for everybody; nothing fails but by what was not saved."""
    share = tmp_path / "share"
    share.mkdir()
    chance = random.Random(f"{failing}")
    saved: dict[str, Tree] = {}
    failed = 0
    mounts = [tmp_path / name for name in ("alice", "bob")]
    habits = {"lost": 0.15, "absent_seconds": 600, "failing": failing, "inodes": inodes}
    Store.create(str(share / "store"), client=make_client(tmp_path, "admin")).close()
    with (
        mounted(share, mounts[0], **habits, seed=1),
        mounted(share, mounts[1], **habits, seed=2),
    ):
        people = [
            Store.open(str(mount / "store"), client=make_client(tmp_path, mount.name))
            for mount in mounts
        ]
        for number in range(round(STEPS * EFFORT)):
            person = people[chance.randrange(2)]
            try:
                step(person, chance, saved, tmp_path / f"at-{number}")
            except StorageError:
                if not failing:
                    raise
                failed += 1
            # What one of them was told, the other sees.
            for other in people:
                assert {v.ref for v in versions(other)} >= saved.keys()
        for person in people:
            person.close()
    happened = did(mounts[0]), did(mounts[1])
    assert sum(one.get("lost link", 0) for one in happened) > 1
    assert sum(one.get("stale", 0) for one in happened) > 0
    assert len(saved) > (STEPS * EFFORT) / (4 if failing else 2) - 2
    assert (failed > 0) == bool(failing)
    with Store.open(str(share / "store"), client=make_client(tmp_path, "carol")) as carol:
        for ref, tree in saved.items():
            carol.pull(ref, dest=tmp_path / ref)
            assert contents(tmp_path / ref) == contents_of(tree)
        assert all(found.ok for found in carol.verify(everything=True))


def contents_of(tree: Tree) -> dict[str, bytes]:
    return {path: entry.content for path, entry in tree.items()}


def contents(folder: Path) -> dict[str, bytes]:
    return contents_of(read_tree(folder))


def versions(store: Store) -> list[object]:
    try:
        return list(store.versions("cmr"))
    except DatacatError:
        return []


def step(person: Store, chance: random.Random, saved: dict[str, Tree], folder: Path) -> None:
    """Add, pull or clean up."""
    what = chance.random()
    if what < 0.6 or not saved:
        tree = tree_of(chance)
        write_tree(folder, tree)
        saved[person.add(folder, name="cmr", force=True).version.ref] = tree
    elif what < 0.85:
        ref = chance.choice(list(saved))
        person.pull(ref, dest=folder)
        assert contents(folder) == contents_of(saved[ref])
    else:
        # If it is not known whether this was recorded, it is not expected either.
        ref = chance.choice(list(saved))
        del saved[ref]
        person.rm([ref], force=True)
        person.gc(periods=AT_ONCE)
