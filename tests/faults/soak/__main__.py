"""Many writers in one store for a while, some of whom are killed, with rm and gc beside them.

    python -m tests.faults.soak [--minutes 10] [--writers 16] [--kill-every 2]

In the end somebody new reads every version that is left: each is what its writer was told, and what
people were told of is there, or was removed. Prints what happened.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path

from datacat.errors import Conflict, DatacatError, NotFound
from datacat.model import Periods
from datacat.store import Store
from tests.conftest import make_client, make_store
from tests.faults.campaigns.ran import record

ROOT = Path(__file__).resolve().parents[3]
NOTHING = timedelta(0)


class Soak:
    """A store, its writers, and one who removes and collects."""

    def __init__(self, folder: Path, writers: int) -> None:
        self.folder = folder
        self.chance = random.Random(1)
        self.store = make_store("posix", folder, client=make_client(folder, "judge"))
        self.seeds = 0
        self.writers = {f"w{n}": self._start(f"w{n}") for n in range(writers)}
        self.removed: set[str] = set()
        self.kills = self.collections = 0

    def _start(self, name: str) -> subprocess.Popen[bytes]:
        self.seeds += 1
        command = ["tests.faults.soak.writer", self.store.url, str(self.folder), name]
        return subprocess.Popen(
            [sys.executable, "-W", "error", "-m", *command, str(self.seeds)],
            cwd=ROOT,
            env={"PATH": os.defpath, "PYTHONPATH": str(ROOT), "HOME": str(self.folder)},
        )

    def run(self, seconds: float, kill_every: float) -> None:
        """Remove and collect without any waiting period, and kill, until the time is over."""
        until = time.monotonic() + seconds
        next_kill = time.monotonic() + kill_every
        while time.monotonic() < until:
            self._remove()
            with contextlib.suppress(Conflict):  # others were too busy
                self.store.gc(periods=Periods(trash=NOTHING, uploads=NOTHING))
                self.collections += 1
            if time.monotonic() > next_kill:
                next_kill = time.monotonic() + kill_every
                name = self.chance.choice(sorted(self.writers))
                self.writers[name].kill()
                self.writers[name].wait()
                self.writers[name] = self._start(name)
                self.kills += 1
        (self.folder / "stop").touch()
        for writer in self.writers.values():
            writer.wait(timeout=300)

    def _remove(self) -> None:
        """About a third of what is there, never the newest."""
        for dataset in self.store.ls().datasets:
            old = [version.ref for version in self.store.versions(dataset.name)[1:]]
            chosen = [ref for ref in old if self.chance.random() < 0.3]
            if chosen:
                # Also those that it is not told of: what is asked for may happen.
                self.removed.update(chosen)
                with contextlib.suppress(NotFound):
                    self.store.rm(chosen, force=True)

    def told(self) -> tuple[dict[str, dict[str, str]], list[str]]:
        """What the writers were told of, and which answers were wrong."""
        versions: dict[str, dict[str, str]] = {}
        wrong = []
        for file in self.folder.glob("*.told"):
            for text in file.read_bytes().splitlines():
                line = json.loads(text)
                if "wrong" in line:
                    wrong.append(line["wrong"])
                elif line["ref"] in versions:
                    wrong.append(f"two were told {line['ref']}")
                else:
                    versions[line["ref"]] = line["files"]
        return versions, wrong

    def judge(self) -> tuple[int, int, list[str]]:
        """How many versions people were told of, how many are left, and what is wrong."""
        versions, wrong = self.told()
        with Store.open(self.store.url, client=make_client(self.folder, "late")) as late:
            there = [one.ref for found in late.ls().datasets for one in late.versions(found.name)]
            lost = versions.keys() - set(there) - self.removed
            wrong += [f"{ref} is lost" for ref in sorted(lost)]
            for ref in there:
                listed = {one.path: one.hash for one in late.files(ref)}
                if versions.get(ref, listed) != listed:  # a writer may die before it notes it
                    wrong.append(f"{ref} lists other files")
            for result in late.verify(everything=True):
                wrong += [f"{one.ref} {one.path}: {one.reason}" for one in result.damaged]
                wrong += [f"{one.ref} {one.path} is missing" for one in result.missing]
        return len(versions), len(there), wrong


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--writers", type=int, default=16)
    parser.add_argument("--kill-every", type=float, default=2, help="seconds between two kills")
    parser.add_argument("--keep", default="", help="record what was done, as the run of that name")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="datacat-soak-") as folder:
        soak = Soak(Path(folder), given.writers)
        try:
            soak.run(60 * given.minutes, given.kill_every)
            told, left, wrong = soak.judge()
        finally:
            for writer in soak.writers.values():
                writer.kill()
    print("| Minutes | Writers | Killed | Collections | Acknowledged | Left to read | Wrong |")
    print("|---|---|---|---|---|---|---|")
    counts = f"{soak.kills} | {soak.collections} | {told:,} | {left:,} | {len(wrong)}"
    print(f"| {given.minutes:g} | {given.writers} | {counts} |")
    if given.keep:
        counts = {
            "seconds": round(60 * given.minutes),
            "writers": given.writers,
            "kills": soak.kills,
            "collections": soak.collections,
            "acknowledged": told,
            "left": left,
        }
        record("soak", part=given.keep, counts=counts, wrong=len(wrong))
    for line in wrong[:20]:
        print(f"WRONG {line}")
    return int(bool(wrong))


if __name__ == "__main__":
    try:
        sys.exit(main())
    except DatacatError as error:
        sys.exit(f"{error.kind}: {error}")
