"""SIGKILL at any moment of an adoption: every path still leads to all of its bytes."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from datacat.model import LinkMode, Parameters
from datacat.store import Store
from tests.conftest import make_client, make_store
from tests.trees import content

ROOT = Path(__file__).resolve().parents[2]
KILLS = 6
FILES = 60
SIZE = 3000

ADOPT = """
import sys
from pathlib import Path
from datacat.model import LinkMode
from datacat.store import Store
from tests.conftest import make_client
folder, undo, link = Path(sys.argv[1]), sys.argv[2], LinkMode(sys.argv[3])
store = Store.open(str(folder / "store"), client=make_client(folder))
print("ready", flush=True)
store.adopt(str(folder / "drive/b"), [folder / "drive"], undo_file=undo, link=link, execute=True)
"""


def state(drive: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(drive)): path.read_bytes()
        for path in drive.rglob("*")
        if path.is_file() and not path.name.startswith(".datacat-") and ".datacat" not in path.parts
    }


@pytest.mark.parametrize("link", [LinkMode.HARDLINK, LinkMode.SYMLINK])
def test_nothing_is_lost(tmp_path: Path, link: LinkMode) -> None:
    parameters = Parameters(small_bytes=100)
    store = make_store("posix", tmp_path, client=make_client(tmp_path), parameters=parameters)
    drive = tmp_path / "drive"
    for folder in ("a", "b", "c"):
        for number in range(FILES):
            path = drive / folder / f"{number % 7}" / f"{number}.bin"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content(SIZE, number))
    before = state(drive)
    store.add(drive / "a", name="known")
    chance = random.Random(link.value)
    interrupted = 0
    for attempt in range(KILLS):
        undo = tmp_path / f"undo-{attempt}.jsonl"
        process = subprocess.Popen(
            [sys.executable, "-c", ADOPT, str(tmp_path), str(undo), link.value],
            cwd=ROOT,
            env={"PYTHONPATH": str(ROOT), "PATH": os.defpath},
            stdout=subprocess.PIPE,
        )
        assert process.stdout is not None
        process.stdout.readline()
        began = time.monotonic()
        # Until it has begun to replace files, and a little longer.
        while process.poll() is None and not undo.exists() and time.monotonic() < began + 60:
            os.sched_yield()
        wanted = began = time.monotonic()
        wanted += chance.random() * 0.06
        while process.poll() is None and time.monotonic() < wanted:
            os.sched_yield()
        process.kill()
        process.wait()
        process.stdout.close()
        assert state(drive) == before
        links = sum(p.is_symlink() or p.stat().st_nlink > 1 for p in drive.rglob("*.bin"))
        interrupted += 0 < links < 2 * FILES
        if undo.exists() and undo.stat().st_size:
            store.undo_adopt(undo)
            assert state(drive) == before
            assert not list(drive.rglob(".datacat-*"))
            assert not any(p.is_symlink() or p.stat().st_nlink > 1 for p in drive.rglob("*.bin"))
    assert interrupted, "no kill fell into the middle"
    assert Store.open(store.url, client=make_client(tmp_path)).verify(everything=True)[0].ok
