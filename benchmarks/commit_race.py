"""Many processes saving to one store at the same time: does every version arrive, and how fast?

    python benchmarks/commit_race.py --workdir /path/on/a/disk

Each process has a cache of its own, as if it ran on a machine of its own. A round in which all
save to one dataset, then one in which each has its own.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

from measure import machine, remove

from datacat.model import Version
from datacat.opened import Client
from datacat.store import Store


def work(store: Path, folder: Path, number: int, adds: int, dataset: str) -> None:
    """One process: `adds` versions of tiny content. Prints the seconds of each as JSON."""
    client = Client(user=f"user{number}", host=f"host{number}", cache_dir=folder / "cache", jobs=1)
    opened = Store.open(str(store), client=client)
    commit = opened._opened.catalog.commit
    seconds: list[tuple[float, float]] = []
    committed = 0.0

    def timed_commit(*arguments: object, **more: object) -> object:
        nonlocal committed
        began = time.perf_counter()
        try:
            return commit(*arguments, **more)
        finally:
            committed = time.perf_counter() - began

    opened._opened.catalog.commit = timed_commit
    for index in range(adds):
        file = folder / f"{index}.txt"
        file.write_text(f"{number} {index}")
        began = time.perf_counter()
        result = opened.add(file, name=dataset)
        seconds.append((time.perf_counter() - began, committed))
        assert result.created
    print(json.dumps(seconds))


def race(workdir: Path, processes: int, adds: int, *, shared: bool) -> str:
    """A row of the table. Fails unless every version is there, without a gap."""
    store, folder = workdir / "store", workdir / "racers"
    for path in (store, folder):
        remove(path)
    folder.mkdir(parents=True)
    names = ["race" if shared else f"race-{number}" for number in range(processes)]
    client = Client(user="judge", host="judge", cache_dir=folder / "judge")
    Store.create(str(store), client=client).close()
    running = []
    for number, name in enumerate(names):
        own = folder / str(number)
        own.mkdir()
        command = [sys.executable, __file__, "--worker", str(store), str(own)]
        command += [str(number), str(adds), name]
        running.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
    began = time.perf_counter()
    seconds: list[tuple[float, float]] = []
    for process in running:
        said, _ = process.communicate()
        assert process.returncode == 0, "a racer failed"
        seconds += [tuple(pair) for pair in json.loads(said)]
    wall = time.perf_counter() - began
    judge = Store.open(str(store), client=client)
    for name in set(names):
        versions: list[Version] = judge.versions(name)
        expected = adds * (processes if shared else 1)
        assert [v.number for v in versions] == list(range(expected, 0, -1)), "a gap"
    adds_sorted = sorted(add for add, _ in seconds)
    commits = sorted(commit for _, commit in seconds)
    datasets = "one dataset" if shared else f"{processes} datasets"
    return (
        f"| {processes} processes × {adds} adds, {datasets} | {len(seconds)} of {len(seconds)},"
        f" gapless | {len(seconds) / wall:.0f}/s | {_at(commits, 0.5)} | {_at(commits, 0.99)} |"
        f" {_at(adds_sorted, 0.5)} | {_at(adds_sorted, 0.99)} |"
    )


def _at(values: list[float], share: float) -> str:
    return f"{values[min(len(values) - 1, int(len(values) * share))]:.2f} s"


def main() -> None:
    if sys.argv[1:2] == ["--worker"]:
        store, folder, number, adds, dataset = sys.argv[2:]
        work(Path(store), Path(folder), int(number), int(adds), dataset)
        return
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workdir", type=Path, required=True)
    parser.add_argument("--processes", type=int, default=16)
    parser.add_argument("--adds", type=int, default=50)
    given = parser.parse_args()
    print(f"{machine()}\n")
    print("| race | versions | rate | commit p50 | commit p99 | add p50 | add p99 |")
    print("|---|---|---|---|---|---|---|")
    for shared in (True, False):
        row = race(given.workdir.resolve(), given.processes, given.adds, shared=shared)
        print(row, flush=True)


if __name__ == "__main__":
    main()
