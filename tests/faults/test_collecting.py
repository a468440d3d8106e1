"""Real processes: a gc that is killed anywhere, and adds and collections that stop each other."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from datacat.model import Parameters
from datacat.store import Store
from tests.collecting import AT_ONCE, assert_are, names, needless
from tests.conftest import make_client
from tests.faults.killable import Killable
from tests.forked import ROOT
from tests.trees import Entry, content, file, write_tree

LARGE = 300_000
GC = ("gc", "--older-than", "0d", "--yes")
KILLS = 3


def tree_of(seed: int) -> dict[str, Entry]:
    """Small files, and larger ones that the next tree has too, some of them edited."""
    tree = {f"s{n}": file(content(3_000, 2 * (seed + n) + 1)) for n in range(6)}
    old = content(LARGE, 2 * seed + 1)
    tree["same"] = file(content(LARGE, 99))
    tree["edited"] = file(old[: seed * 1_000] + b"%d" % seed + old)
    return tree


@pytest.mark.parametrize("number", range(2))
def test_a_gc_that_is_killed(number: int, tmp_path: Path) -> None:
    """Whatever it had done: the live versions are whole, and the next one does the rest."""
    chance = random.Random(number)
    parameters = Parameters(small_bytes=10_000, pack_bytes=20_000)
    place = tmp_path / "store"
    carol = Store.create(str(place), client=make_client(tmp_path, "carol"), parameters=parameters)
    trees: dict[str, dict[str, Entry]] = {}
    folder = tmp_path / "work"

    def save(seed: int) -> str:
        write_tree(folder, tree_of(seed))
        ref = carol.add(folder, name="work").version.ref
        trees[ref] = tree_of(seed)
        return ref

    total = 0
    alice = Killable(tmp_path / "alice", {"DATACAT_STORE": str(place)})
    keep = save(0)
    for kill in range(KILLS):
        going = [save(10 * kill + n + 1) for n in range(2)]
        keep, going[0] = going[0], keep
        carol.rm(going, force=True)
        step = chance.randint(total // 3, total) if total else 10**9
        ended = alice.run(*GC, at_step=step)
        assert ended.killed or ended.code == 0, ended
        total = total or ended.steps
        assert_are(carol, {keep: trees[keep]}, tmp_path)
        if kill % 2:
            # Somebody needs the same content again, before anybody cleans up.
            for name in ("edited", "s0"):
                (folder / name).write_bytes(trees[going[1]][name].content)
            again = carol.add(folder, name="again", new=True)
            alice.run(*GC, code=0)
            assert_are(carol, {again.version.ref: _read(folder)}, tmp_path)
            carol.rm(["again"], force=True)
        alice.run(*GC, code=0)
        assert needless(carol) == set()
        assert_are(carol, {keep: trees[keep]}, tmp_path)
        assert [v.ref for v in carol.versions("work")] == [keep]


def _read(folder: Path) -> dict[str, Entry]:
    return {path.name: file(path.read_bytes()) for path in folder.iterdir() if path.is_file()}


PAUSED = """
import os, signal, sys
from datacat.cli.main import main
module, name = sys.argv[1].split(":")
__import__(module)
module = sys.modules[module]
real = getattr(module, name)
def paused(*arguments, **more):
    setattr(module, name, real)
    os.kill(os.getpid(), signal.SIGSTOP)
    return real(*arguments, **more)
setattr(module, name, paused)
sys.exit(main(sys.argv[2:]))
"""


class Stopped:
    """A `datacat` process that stops itself (SIGSTOP) when it is about to call a function."""

    def __init__(self, where: str, *arguments: str, home: Path, store: Path) -> None:
        home.mkdir(exist_ok=True)
        self._process = subprocess.Popen(
            [sys.executable, "-c", PAUSED, where, *arguments],
            cwd=home,
            env={
                "PATH": os.defpath,
                "PYTHONPATH": str(ROOT),
                "HOME": str(home),
                "DATACAT_USER": home.name,
                "DATACAT_STORE": str(store),
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        _, status = os.waitpid(self._process.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status), self._process.communicate()

    def go_on(self) -> tuple[int, str]:
        """Let it come to its end; its exit code and what it said."""
        os.kill(self._process.pid, signal.SIGCONT)
        _, err = self._process.communicate(timeout=120)
        return self._process.returncode, err.decode()


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="no process can be stopped here")
@pytest.mark.parametrize(
    "where",
    [
        "datacat.working_copy.save:choose_chunks",
        "datacat.working_copy.publish:publish_segment",
        "datacat.working_copy.save:publish",
        "datacat.catalog.writer:encode",
    ],
)
def test_an_add_that_is_stopped_for_a_whole_collection(where: str, tmp_path: Path) -> None:
    """It wakes up when everything that it uploaded or relied on was condemned and deleted."""
    place = tmp_path / "store"
    carol = Store.create(str(place), client=make_client(tmp_path, "carol"))
    tree = tree_of(1)
    write_tree(tmp_path / "old", tree)
    carol.add(tmp_path / "old", name="old")
    carol.rm(["old"])
    new = {**tree, "more": file(content(LARGE, 7)), "small": file(b"small")}
    write_tree(tmp_path / "new", new)
    adding = Stopped(
        where, "add", str(tmp_path / "new"), "--new", home=tmp_path / "alice", store=place
    )
    first = carol.gc(periods=AT_ONCE)
    assert [version.ref for version in first.versions] == ["old@v1"]
    assert names(carol) == set()
    code, said = adding.go_on()
    assert code == 0, said
    assert_are(carol, {"new@v1": new}, tmp_path)
    assert carol.gc(periods=AT_ONCE).kept_versions == 1
    assert needless(carol) == set()
    assert_are(carol, {"new@v1": new}, tmp_path)


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="no process can be stopped here")
@pytest.mark.parametrize(
    "where",
    [
        "datacat.maintenance.gc:check",
        "datacat.maintenance.gc:_condemn",
        "datacat.catalog.writer:encode",
        "datacat.maintenance.gc:_sweep",
        "datacat.maintenance.gc:_note_swept",
    ],
)
def test_a_gc_that_is_stopped_while_others_go_on(where: str, tmp_path: Path) -> None:
    """Others restore, add the same content, edit it, and collect; then it goes on where it was."""
    place = tmp_path / "store"
    carol = Store.create(str(place), client=make_client(tmp_path, "carol"))
    trees = {"one@v1": tree_of(1), "two@v1": tree_of(2)}
    for ref, tree in trees.items():
        write_tree(tmp_path / ref, tree)
        carol.add(tmp_path / ref, name=ref.partition("@")[0])
    carol.rm(["one", "two"])
    collecting = Stopped(where, *GC, home=tmp_path / "alice", store=place)
    live = {}
    try:
        carol.restore(["one"])
        live["one@v1"] = trees["one@v1"]
    except FileNotFoundError:
        pass  # condemned already
    write_tree(tmp_path / "two@v1", {"another": file(b"another")})
    again = carol.add(tmp_path / "two@v1", name="again", new=True).version.ref
    live[again] = {**trees["two@v1"], "another": file(b"another")}
    if where.endswith("_sweep"):
        carol.gc(periods=AT_ONCE)
    code, said = collecting.go_on()
    assert code == 0, said
    for _ in range(2):
        assert_are(carol, live, tmp_path)
        carol.gc(periods=AT_ONCE)
    assert needless(carol) == set()
    assert {version.ref for version in carol._query().every_version()} == set(live)
