"""SIGKILL at any step of `add` and `pull`: nothing is lost, nothing is half, and it goes on.

In shards that run beside each other: `DATACAT_TEST_EFFORT=7` kills more than two hundred times.
Half of the kills of an add fall into its last steps, where segment, manifest and record are
published.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from datacat import layout
from datacat.backend.posix import PosixBackend
from datacat.model import Parameters
from datacat.objects.pack import read_footer
from datacat.store import Store
from tests.conftest import EFFORT, make_client
from tests.faults.killable import Killable
from tests.forked import ROOT
from tests.trees import (
    Entry,
    content,
    differences,
    file,
    link,
    read_tree,
    settled,
    without_times,
    write_entry,
    write_tree,
)

SHARDS = max(1, round(3 * EFFORT))
ADD_KILLS = 6
PULL_KILLS = 5
EDIT_SHARDS = 1
EDIT_KILLS = 4
COMMIT_STEPS = 60
"""The end of an add, from the upload of its segment on."""

LARGE = 300_000
SMALL_PACKS = Parameters(pack_bytes=32_000)


def first_tree(seed: int) -> dict[str, Entry]:
    """Forty files in packs, five containers of their own, links, an empty folder."""
    tree = {f"small/{n}.txt": file(content(3000 + n, 2 * n + seed * 1000)) for n in range(40)}
    for n in range(5):
        tree[f"large/{n}.bin"] = file(content(LARGE + n, 1 + 2 * (n + 10 * seed)))
    tree["run.sh"] = file(b"#!/bin/sh\n", executable=True)
    tree["link"] = link("run.sh")
    tree["empty"] = Entry("dir")
    return tree


def edited(tree: dict[str, Entry], chance: random.Random) -> dict[str, Entry]:
    """The tree after a day of work: files changed, added, removed, renamed."""
    after = dict(tree)
    for path in chance.sample(sorted(after), 6):
        del after[path]
    for _ in range(8):
        after[f"new/{chance.randrange(10**6)}"] = file(
            chance.randbytes(chance.choice([0, 9, 5000]))
        )
    for n in range(3):
        after[f"large/{n}.bin"] = file(chance.randbytes(LARGE + n))
    after["moved.bin"] = tree.get("large/4.bin", file(b"gone"))
    return settled(after)


def become(root: Path, tree: dict[str, Entry]) -> None:
    """Make the folder hold `tree`; what is right already is not touched."""
    for path, change in differences(read_tree(root) if root.exists() else {}, tree).items():
        there = root / path
        if change != "added":
            there.rmdir() if there.is_dir() and not there.is_symlink() else there.unlink()
        if change != "removed":
            write_entry(root, path, tree[path])
    for folder, _, _ in os.walk(root, topdown=False):
        relative = os.path.relpath(folder, root)
        if not os.listdir(folder) and tree.get(relative) is None:
            os.rmdir(folder)


class Shard:
    """One store, one person whose commands are killed, and one who looks at what is there."""

    def __init__(self, folder: Path, number: int, parameters: Parameters = SMALL_PACKS) -> None:
        self.folder = folder
        self.chance = random.Random(number)
        self.store = folder / "store"
        Store.create(
            str(self.store), client=make_client(folder, "init"), parameters=parameters
        ).close()
        self.carol = Store.open(str(self.store), client=make_client(folder, "carol"))
        self.backend = PosixBackend(self.store)
        self.home = folder / "alice"
        self.alice = Killable(self.home, {"DATACAT_STORE": str(self.store)})
        self.work = self.home / "work"
        self.versions: list[dict[str, Entry]] = []

    # What must hold after every kill

    def check_versions(self, pending: dict[str, Entry] | None, *, acknowledged: bool) -> None:
        """Exactly the acknowledged versions are there, and perhaps `pending`: then it is whole."""
        listed = [d for d in self.carol.ls().datasets if d.name == "work"]
        there = [v.number for v in self.carol.versions("work")] if listed else []
        if pending is not None and (acknowledged or len(there) > len(self.versions)):
            self.versions.append(pending)
        assert there == list(range(len(self.versions), 0, -1))
        if self.versions:
            self.check_pull(len(self.versions))
            (result,) = self.carol.verify(everything=True)
            assert (result.damaged, result.missing) == ((), ())

    def check_end(self, tree: dict[str, Entry]) -> None:
        """After one more add no journal is left: killed right behind its record, one may be."""
        tree = {**tree, "late.txt": file(b"late")}
        become(self.work, tree)
        self.alice.run("add", "work", code=0)
        self.check_versions(tree, acknowledged=True)
        assert self.proven() == set()

    def check_pull(self, number: int) -> None:
        fresh = self.folder / "fresh"
        self.carol.pull(f"work@v{number}", dest=fresh)
        assert without_times(read_tree(fresh)) == without_times(self.versions[number - 1])
        shutil.rmtree(fresh)

    # What was uploaded

    def containers(self) -> dict[str, set[bytes]]:
        """The digests in each container of the store."""
        found = {}
        for top in (layout.WHOLE, layout.PACKS):
            for stat in self.backend.keys(top):
                if layout.is_whole(stat.key):
                    digest = stat.key.rpartition("/")[2].partition("-")[0]
                    found[stat.key] = {bytes.fromhex(digest)}
                else:
                    entries = read_footer(self.backend, stat.key, size_bytes=stat.size_bytes)
                    found[stat.key] = {entry.digest for entry in entries}
        return found

    def proven(self) -> set[str]:
        """The containers that the journals of killed adds speak of."""
        keys = set()
        for journal in self.home.glob(".cache/datacat/*/sessions/*.jsonl"):
            for line in journal.read_text().splitlines():
                keys.add(json.loads(line[line.index("{") :])["key"])
        return keys


def steps(total: int, count: int, chance: random.Random) -> list[int]:
    """Where to kill: anywhere, and as often among the last steps."""
    late = max(1, total - COMMIT_STEPS)
    return [
        chance.randint(late, total) if n % 2 else chance.randint(1, total) for n in range(count)
    ]


@pytest.mark.parametrize("number", range(SHARDS))
def test_an_add_that_is_killed(number: int, tmp_path: Path) -> None:
    shard = Shard(tmp_path, number)
    tree = first_tree(number)
    alice = shard.alice
    write_tree(shard.work, tree)
    done = alice.run("add", "work", code=0)
    shard.check_versions(tree, acknowledged=True)
    assert done.steps > 2 * COMMIT_STEPS
    for kill, step in enumerate(steps(done.steps, ADD_KILLS, shard.chance)):
        tree = edited(tree, shard.chance)
        become(shard.work, tree)
        # Two of ten fall at any time: also inside a system call.
        timed = {"after_seconds": shard.chance.random() * 0.4} if kill % 5 == 4 else {}
        ended = alice.run("add", "work", **(timed or {"at_step": step}))  # type: ignore[arg-type]
        assert ended.killed or ended.code == 0, ended
        acknowledged = ended.code == 0 or ended.out.startswith("work@v")
        shard.check_versions(tree, acknowledged=acknowledged)

        saved = len(shard.versions)
        proven = shard.proven() & shard.containers().keys()
        alice.run("add", "work", code=0)
        shard.check_versions(tree if shard.versions[-1] is not tree else None, acknowledged=False)
        assert len(shard.versions) in (saved, saved + 1)
        assert shard.versions[-1] is tree
        after = shard.containers()
        again = {d for key in proven for d in after[key]} & {
            d for key, digests in after.items() if key not in proven for d in digests
        }
        assert not again, "what was uploaded and noted was uploaded again"
    shard.check_end(tree)
    for version in range(1, len(shard.versions) + 1):
        shard.check_pull(version)


def large_edit(data: bytes, chance: random.Random) -> bytes:
    """Some of it inserted, some gone, and everywhere in a part of it a bit that is another."""
    at, end = sorted(chance.sample(range(len(data)), 2))
    part = bytearray(data[at:end])
    for n in range(chance.randrange(1000), len(part), 1000):
        part[n] ^= 1 << chance.randrange(8)
    return data[:at] + chance.randbytes(60_000) + part + data[end + chance.randrange(20_000) :]


@pytest.mark.parametrize("number", range(EDIT_SHARDS))
def test_an_add_of_large_edits_that_is_killed(number: int, tmp_path: Path) -> None:
    """In the middle of a file that is not held in memory, whose old content is cut, or later."""
    sizes = {"chunk_min_bytes": 1024, "chunk_mean_bytes": 4096, "chunk_max_bytes": 16_384}
    shard = Shard(tmp_path, 200 + number, Parameters(small_bytes=1024, pack_bytes=20_000, **sizes))
    chance = shard.chance
    tree = {
        "large.bin": file(content(5_000_000, 2 * number + 1)),
        "medium.bin": file(content(500_000, 2 * number + 3)),
        "small.txt": file(b"a few words\n" * 40),
    }
    alice = shard.alice
    write_tree(shard.work, tree)
    alice.run("add", "work", code=0)
    shard.check_versions(tree, acknowledged=True)
    total = 0
    for _ in range(EDIT_KILLS):
        for path in ("large.bin", "medium.bin"):
            tree = {**tree, path: file(large_edit(tree[path].content, chance))}
        tree = {**tree, "small.txt": file(tree["small.txt"].content[:-1] + b"!")}
        become(shard.work, tree)
        # The first comes to its end: so it is known how many steps there are.
        step = chance.randint(total // 3, total) if total else 10**9
        ended = alice.run("add", "work", at_step=step)
        assert ended.killed or ended.code == 0, ended
        total = total or ended.steps
        shard.check_versions(tree, acknowledged=ended.code == 0)
        proven = shard.proven() & shard.containers().keys()
        alice.run("add", "work", code=0)
        shard.check_versions(tree if shard.versions[-1] is not tree else None, acknowledged=False)
        assert shard.versions[-1] is tree
        after = shard.containers()
        again = {d for key in proven for d in after[key]} & {
            d for key, digests in after.items() if key not in proven for d in digests
        }
        assert not again, "what was uploaded and noted was uploaded again"
    shard.check_end(tree)
    for version in range(1, len(shard.versions) + 1):
        shard.check_pull(version)


@pytest.mark.parametrize("number", range(SHARDS))
def test_a_pull_that_is_killed(number: int, tmp_path: Path) -> None:
    shard = Shard(tmp_path, 100 + number)
    trees = [first_tree(number)]
    write_tree(shard.work, trees[0])
    alice = shard.alice
    alice.run("add", "work", code=0)
    for _ in range(2):
        trees.append(edited(trees[-1], shard.chance))
        become(shard.work, trees[-1])
        alice.run("add", "work", code=0)
    copy = shard.home / "copy"
    total = alice.run("pull", "work@v1", "-d", "copy", code=0).steps
    shutil.rmtree(copy)
    here: dict[str, Entry] = {}
    for kill, step in enumerate(steps(total, PULL_KILLS, shard.chance)):
        version = shard.chance.choice([1, 2, 3])
        wanted = trees[version - 1]
        command = ["pull", f"work@v{version}", "-d", "copy"]
        edit = None
        if here and kill % 3 == 0:
            edit = file(b"my own edit %d" % kill)
            write_entry(copy, "run.sh", edit)
            here = here | {"run.sh": edit}
            command.append("--force")
        timed = {"after_seconds": shard.chance.random() * 0.3} if kill % 5 == 4 else {}
        ended = alice.run(*command, **(timed or {"at_step": step}))  # type: ignore[arg-type]
        assert ended.killed or ended.code == 0, ended
        there = without_times(read_tree(copy)) if copy.exists() else {}
        for path, entry in there.items():
            # Each file is what it was, or what it becomes; only folders may be on their way.
            known = entry in (here.get(path), without_times(wanted).get(path))
            assert known or entry.kind == "dir", path
        if edit is not None:
            kept = [p.read_bytes() for p in copy.glob(".datacat/backup/*/run.sh*")]
            assert there.get("run.sh") == edit or edit.content in kept

        for left in (copy / ".datacat" / "tmp").glob("*"):
            os.utime(left, ns=(0, 0))  # as if killed a while ago
        alice.run(*command, code=0)
        here = without_times(wanted)
        assert without_times(read_tree(copy)) == here
        (entry,) = shard.carol.status([copy], hash_all=True)
        assert (entry.ref, entry.state) == (f"work@v{version}", "unchanged")
        if edit is not None:
            kept = [p.read_bytes() for p in copy.glob(".datacat/backup/*/run.sh*")]
            assert edit.content in kept
        assert list((copy / ".datacat" / "tmp").glob("*")) == []
        if kill % 4 == 3:
            shutil.rmtree(copy)
            here = {}
    shard.versions = trees
    shard.check_versions(None, acknowledged=False)


STRACE = shutil.which("strace")


@pytest.mark.skipif(STRACE is None, reason="strace is not installed")
@pytest.mark.parametrize(
    ("call", "when"),
    [("linkat", 1), ("linkat", 2), ("linkat", 4), ("fsync", 1), ("fsync", 3), ("openat", 600)],
)
def test_an_add_that_is_killed_in_a_system_call(call: str, when: int, tmp_path: Path) -> None:
    """A process of its own, stopped at the n-th link, fsync or rename of one of its threads."""
    shard = Shard(tmp_path, when)
    alice = shard.alice
    tree = first_tree(when)
    write_tree(shard.work, tree)
    names = {"linkat": "link,linkat", "fsync": "fsync", "openat": "openat"}
    traced = subprocess.run(
        [
            *(str(STRACE), "-f", "-qq", "-o", "/dev/null", "-e", f"trace={names[call]}"),
            *("-e", f"inject={names[call]}:signal=KILL:when={when}"),
            *(sys.executable, "-m", "datacat", "add", "work"),
        ],
        cwd=shard.home,
        env={
            "PATH": os.defpath,
            "PYTHONPATH": str(ROOT),
            "HOME": str(shard.home),
            "TMPDIR": str(shard.home),
            "DATACAT_USER": "alice",
            "DATACAT_STORE": str(shard.store),
        },
        capture_output=True,
        check=False,
    )
    if b"ptrace" in traced.stderr.lower() and b"not permitted" in traced.stderr:
        pytest.skip("strace may not trace here")
    assert traced.returncode != 0
    shard.check_versions(tree, acknowledged=traced.stdout.startswith(b"work@v"))
    alice.run("add", "work", code=0)
    shard.check_versions(tree if not shard.versions else None, acknowledged=False)
    assert len(shard.versions) == 1
