"""Read versions in Python without pulling them, beside plain files, in the same run.

    python benchmarks/reads.py --workdir /path/on/a/disk              1 GiB files, 20,000 small ones
    python benchmarks/reads.py --workdir /path/on/a/disk --scale 0.1   a tenth of that

Local rows read the same bytes from a plain file of the same disk, after both were read once; the
rows of S3 read them with s3fs from an object of the same server, SeaweedFS, which is started here.
Rounds alternate; what is compared are medians. Beside the
ratio of elapsed time stands that of processor time, which other work on the machine changes less.
"""

# ruff: noqa: E402 - what it imports lies beside it and in the tests

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "examples")]

from bucket_server import BUCKET, bucket_server
from loader import Scans
from measure import machine, remove

import datacat
from datacat import sql
from datacat.filesystem import DatacatFileSystem
from datacat.model import Layout
from datacat.opened import Client

STEP = 1 << 20
BLOCK = 4_096
READS = 10_000
SMALL_FILES = 20_000
COLUMNS = 50
CACHE = 1 << 33


@dataclass(frozen=True)
class Row:
    """What was measured, what it is to reach, and by how much work of the processor."""

    what: str
    ratio: float
    bar: str
    reached: bool
    processor: float | None = None


def compared(
    rounds: int,
    plain: Callable[..., object],
    ours: Callable[..., object],
    *,
    prepare: Callable[[], Sequence[Any]] = tuple,
) -> tuple[float, float]:
    """How long `ours` takes for `plain`'s 1: elapsed and processor time, medians of the rounds.

    What `prepare` gives for each call, outside of the time that is measured, `ours` is called with.
    """
    taken: dict[str, list[tuple[float, float]]] = {"plain": [], "ours": []}
    for _ in range(rounds):
        given = prepare()
        for name, call in (("plain", plain), ("ours", lambda given=given: ours(*given))):
            began, cpu = time.perf_counter(), sum(os.times()[:4])
            call()
            taken[name].append((time.perf_counter() - began, sum(os.times()[:4]) - cpu))
    wall, cpu = (
        statistics.median(run[n] for run in taken["ours"])
        / max(1e-9, statistics.median(run[n] for run in taken["plain"]))
        for n in (0, 1)
    )
    return wall, cpu


def in_order(file: Any) -> None:
    with file as opened:
        while opened.read(STEP):
            pass


class Reads:
    """The rows of one run."""

    def __init__(self, workdir: Path, scale: float, rounds: int) -> None:
        self.workdir = workdir
        self.size = max(16 << 20, int((1 << 30) * scale))
        self.files = max(200, int(SMALL_FILES * scale))
        self.rounds = rounds
        self.rows: list[Row] = []

    def store(self, url: str) -> datacat.Store:
        client = Client("alice", "hub", self.workdir / "cache", jobs=4)
        return datacat.Store.create(url, client=client)

    def system(self, url: str, **options: Any) -> DatacatFileSystem:
        return DatacatFileSystem(
            url, cache_dir=str(self.workdir / "cache"), skip_instance_cache=True, **options
        )

    def speed(self, what: str, bar: float, wall: float, cpu: float | None = None) -> None:
        by_processor = 1 / cpu if cpu else None
        self.rows.append(Row(what, 1 / wall, f"≥ {bar} × the speed", 1 / wall >= bar, by_processor))

    def noise(self, path: Path) -> Path:
        path.parent.mkdir(parents=True)
        with path.open("wb") as file:
            for _ in range(self.size // STEP):
                file.write(os.urandom(STEP))
        return path

    def local(self) -> None:
        """One large file in a store on this disk, whole and in chunks."""
        plain = self.noise(self.workdir / "large" / "x.bin")
        url = str(self.workdir / "store")
        with self.store(url) as store:
            store.add(plain.parent, name="whole", layout=Layout.WHOLE)
        other = str(self.workdir / "store-chunked")
        with self.store(other) as store:
            store.add(plain.parent, name="chunked", layout=Layout.CHUNKED)
        for name, place, bar in (("whole", url, 0.8), ("chunked", other, 0.5)):
            path = f"{name}@v1/x.bin"

            def fresh(path: str = path, place: str = place) -> list[Any]:
                system = self.system(place)
                system.cat_file(path, 0, 1)  # the store is open, and nothing else is at hand
                return [system]

            found = compared(
                self.rounds,
                lambda: in_order(plain.open("rb")),
                lambda system, path=path: in_order(system.open(path)),
                prepare=fresh,
            )
            self.speed(f"in order, {name}, on a disk", bar, *found)
        warm = self.system(other, chunk_cache_bytes=CACHE)
        with warm.open("chunked@v1/x.bin") as file:
            while file.read(64 * 1024):  # short reads are kept
                pass
        chance = random.Random(1)
        places = [chance.randrange(self.size - BLOCK) for _ in range(READS)]

        def jump(file: Any) -> None:
            with file as opened:
                for place in places:
                    opened.seek(place)
                    opened.read(BLOCK)

        for place in places:
            warm.cat_file("chunked@v1/x.bin", place, place + BLOCK)
        wall, cpu = compared(
            self.rounds,
            lambda: jump(plain.open("rb")),
            lambda: jump(warm.open("chunked@v1/x.bin")),
        )
        what = f"{READS:,} random reads of 4 KiB, chunks at hand"
        self.rows.append(Row(what, wall, "≤ 3 × the time", wall <= 3, cpu))

    def loader(self) -> None:
        """Many small files, by two workers."""
        source = self.workdir / "small" / "scans"
        source.mkdir(parents=True)
        for number in range(self.files):
            (source / f"{number:06}.bin").write_bytes(os.urandom(10_000))
        url = str(self.workdir / "store")
        with self.store(url) as store:
            store.add(source.parent, name="small")
            pulled = self.workdir / "pulled"
            store.pull("small@v1", dest=pulled)
        os.environ["DATACAT_STORE"] = url
        paths = sorted(str(path) for path in (pulled / "scans").iterdir())
        scans = Scans("small@v1", "scans/*.bin")
        orders = [range(at, min(at + 64, self.files)) for at in range(0, self.files, 64)]
        context = multiprocessing.get_context("fork")
        with ProcessPoolExecutor(
            2, mp_context=context, initializer=_take, initargs=(scans, paths)
        ) as pool:
            wall, _ = compared(
                self.rounds,
                lambda: sum(pool.map(_plain_batch, orders)),
                lambda: sum(pool.map(_batch, orders)),
            )
        self.speed(f"{self.files:,} small files by 2 workers", 0.8, wall)

    def s3(self) -> None:
        """The same from a bucket, and two columns of fifty."""
        import s3fs

        plain = self.workdir / "large" / "x.bin"
        url = f"s3://{BUCKET}/bench"
        with self.store(url) as store:
            store.add(plain.parent, name="chunked")
            table = self.workdir / "table" / "t.parquet"
            table.parent.mkdir()
            needed = self.table(table)
            store.add(table.parent, name="table")
        bucket = s3fs.S3FileSystem(use_listings_cache=False)
        bucket.put_file(str(plain), f"{BUCKET}/plain.bin")

        def fresh() -> list[Any]:
            system = self.system(url)
            system.cat_file("chunked@v1/x.bin", 0, 1)
            return [system]

        found = compared(
            self.rounds,
            lambda: in_order(bucket.open(f"{BUCKET}/plain.bin", "rb")),
            lambda system: in_order(system.open("chunked@v1/x.bin")),
            prepare=fresh,
        )
        self.speed("in order, in a bucket (beside s3fs)", 0.8, *found)
        with datacat.open_store(url, cache_dir=self.workdir / "cache") as store:
            backend: Any = store._opened.backend
            read, asked = backend.read_range, [0]

            def counting(key: str, offset: int, length: int) -> bytes:
                asked[0] += length if key.startswith("packs/") else 0
                return bytes(read(key, offset, length))

            backend.read_range = counting
            with store.connect() as con:
                con.execute(
                    "select sum(c7), sum(c31) from 'datacat://table@v1/t.parquet'"
                ).fetchall()
        ratio = asked[0] / needed
        self.rows.append(
            Row("2 of 50 columns in a bucket", ratio, "≤ 1.2 × their bytes", ratio <= 1.2)
        )

    def table(self, path: Path) -> int:
        """Write a Parquet file of about the size; the bytes that the two columns hold."""
        rows = self.size // COLUMNS // 8
        columns = ", ".join(f"random() as c{number}" for number in range(COLUMNS))
        target = sql.literal(str(path))
        with sql.Workspace() as workspace:
            workspace.execute("set preserve_insertion_order = false")
            workspace.execute(
                f"copy (select {columns} from range({rows})) to {target} (format parquet)"
            )
            found = workspace.row(
                f"select sum(total_compressed_size)::bigint from parquet_metadata({target})"
                " where path_in_schema in ('c7', 'c31')"
            )
        return int(found[0])


_scans: Scans
_paths: list[str]


def _take(scans: Scans, paths: list[str]) -> None:
    global _scans, _paths
    _scans, _paths = scans, paths


def _batch(order: Sequence[int]) -> int:
    return sum(len(_scans[index]) for index in order)


def _plain_batch(order: Sequence[int]) -> int:
    total = 0
    for index in order:
        with open(_paths[index], "rb") as file:
            total += len(file.read())
    return total


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workdir", type=Path, required=True, help="an empty folder on a disk")
    parser.add_argument("--scale", type=float, default=1.0, help="share of the full sizes")
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    workdir = given.workdir.resolve() / "reads"
    remove(workdir)
    workdir.mkdir(parents=True)
    os.environ.update(HOME=str(workdir), DATACAT_USER="alice")
    os.environ["DATACAT_CACHE_DIR"] = str(workdir / "cache")
    reads = Reads(workdir, given.scale, given.rounds)
    with bucket_server(workdir / "server") as server:
        os.environ.update(server.environment)
        reads.local()
        reads.loader()
        reads.s3()
    print(f"{machine()}; sizes are {given.scale:g} × the full ones, medians of {given.rounds}\n")
    print("| read | ratio | by processor time | to reach | reached |\n|---|---|---|---|---|")
    for row in reads.rows:
        cpu = "" if row.processor is None else f"{row.processor:.2f}"
        answer = "yes" if row.reached else "**no**"
        print(f"| {row.what} | {row.ratio:.2f} | {cpu} | {row.bar} | {answer} |")
    remove(workdir)


if __name__ == "__main__":
    main()
