"""What datacat promises about stores in a bucket: throughput, few requests, and a cluster's help.

The server of S3 runs on this machine and takes a good part of it, whoever asks.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from apart import apart
from bench import DATACAT, Bench
from bucket_server import BUCKET, RunningServer, bucket_server
from measure import Series, alternate, remove, settle, timed
from workloads import compressible_files, incompressible_file, many_files

AWS_SLOWER = 1.43
"""A throughput of 0.7 × is a time of so much."""

DATA_PUTS_MAX = 60
THREE_FILES_SHARE = 0.01
TWO_WORKERS = 0.625
"""1.6 × as fast."""


def throughput(bench: Bench) -> None:
    """A large incompressible file there and back, beside `aws s3 cp`."""
    size = int(4 * 2**30 * bench.scale)
    source, out = bench.workdir / "large", bench.workdir / "out"
    source.mkdir()
    apart(incompressible_file, source / "file.bin", size)
    name = f"{size / 2**30:.1f} GiB file"
    plain = f"s3://{BUCKET}/plain.bin"
    with _in_bucket(bench) as (environment, _):

        def upload() -> Sequence[str]:
            settle(source)
            return _aws("cp", str(source / "file.bin"), plain)

        def add() -> Sequence[str]:
            settle(source)
            return [DATACAT, "-q", "add", str(source)]

        def download() -> Sequence[str]:
            remove(out)
            settle()
            return _aws("cp", plain, str(out / "file.bin"))

        def pull() -> Sequence[str]:
            remove(out)
            settle()
            return [DATACAT, "-q", "pull", "large", "-d", str(out)]

        ours, theirs = Series("add"), Series("aws s3 cp")
        for _ in range(bench.rounds):
            timed(_aws("rm", "--recursive", f"s3://{BUCKET}/"), environment=environment)
            _fresh_store(bench, environment)
            alternate(1, (theirs, upload, environment), (ours, add, environment))
        bench.against(f"add of a {name} to a bucket", ours, theirs, AWS_SLOWER)
        ours, theirs = Series("pull"), Series("aws s3 cp")
        alternate(bench.rounds, (theirs, download, environment), (ours, pull, environment))
        bench.against(f"pull of a {name} from a bucket", ours, theirs, AWS_SLOWER)


def requests(bench: Bench) -> None:
    """How often a bucket is asked for many small files, and how much is read for three of them."""
    files = max(3_000, int(100_000 * bench.scale))
    source = bench.workdir / "small"
    apart(many_files, source, files, 10_240)
    chosen = [f"d{number:05d}/f0007.bin" for number in (0, files // 1_000, files // 500 - 1)]
    with _in_bucket(bench, counted=True) as (environment, server):
        _fresh_store(bench, environment)
        server.counts()
        timed([DATACAT, "-q", "add", str(source)], environment=environment)
        puts = server.counts()["PUT packs"]
        bench.counted(f"PUTs of data for {files:,} files of 10 KiB", puts, DATA_PUTS_MAX)
        timed([DATACAT, "-q", "ls"], environment=environment)
        server.counts()
        timed([DATACAT, "-q", "ls"], environment=environment)
        found = server.counts()
        bench.counted("requests of ls", sum(found.values()) - found["received"], 1)
        remove(bench.home)
        bench.home.mkdir()
        timed([DATACAT, "-q", "ls"], environment=environment)
        server.counts()
        pull = [DATACAT, "-q", "pull", "small", *chosen, "-d", str(bench.workdir / "out")]
        timed(pull, environment=environment)
        read = server.counts()["received"]
        share = 100 * read / (files * 10_240)
        bench.counted("% of the data read for three of them", share, 100 * THREE_FILES_SHARE)


def cluster(bench: Bench) -> None:
    """An add that the processor limits, by one worker of dask.distributed and by two."""
    source = bench.workdir / "large"
    apart(compressible_files, source, max(8, int(64 * bench.scale)), 16 << 20)
    with ExitStack() as stack:
        series = []
        for workers in (1, 2):
            address = stack.enter_context(_dask(bench.workdir / f"dask-{workers}", workers))
            series.append((Series(f"{workers} worker"), address))

        def add(address: str) -> Sequence[str]:
            bench.fresh_store()
            remove(source / ".datacat")
            settle(source)
            return [DATACAT, "-q", "add", str(source), "--chunked", "--executor", address]

        alternate(
            bench.rounds,
            *((one, lambda to=to: add(to), bench.environment) for one, to in series),
        )
    (one, _), (two, _) = series
    bench.against("add by 2 workers of a cluster", two, one, TWO_WORKERS)


def _aws(*arguments: str) -> list[str]:
    return ["aws", "s3", *arguments, "--only-show-errors"]


@contextmanager
def _in_bucket(
    bench: Bench, *, counted: bool = False
) -> Iterator[tuple[dict[str, str], RunningServer]]:
    """A server, and the environment of a client of a store in its bucket."""
    folder = bench.workdir / "server"
    remove(folder)
    with bucket_server(folder, counted=counted) as server:
        store = {"DATACAT_STORE": f"s3://{BUCKET}/bench"}
        yield {**bench.environment, **server.environment, **store}, server
    remove(folder)


def _fresh_store(bench: Bench, environment: dict[str, str]) -> None:
    remove(bench.home)
    bench.home.mkdir(parents=True)
    timed([DATACAT, "-q", "init", environment["DATACAT_STORE"]], environment=environment)


@contextmanager
def _dask(folder: Path, workers: int) -> Iterator[str]:
    """The address of a scheduler with so many workers, each a process with one thread."""
    remove(folder)
    folder.mkdir()
    facts = folder / "scheduler.json"
    python = [sys.executable, "-m"]
    scheduler = [*python, "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0"]
    worker = [*python, "distributed.cli.dask_worker", "--nthreads", "1", "--nworkers", str(workers)]
    with (folder / "log").open("wb") as log:
        running = [
            subprocess.Popen(
                [*command, "--no-dashboard", "--scheduler-file", str(facts)],
                cwd=folder,
                stdout=log,
                stderr=log,
            )
            for command in (scheduler, [*worker, "--local-directory", str(folder)])
        ]
        try:
            while not facts.exists() or not facts.stat().st_size:
                time.sleep(0.1)
            yield "dask://" + str(json.loads(facts.read_text())["address"]).removeprefix("tcp://")
        finally:
            for process in reversed(running):
                process.terminate()
            for process in running:
                process.wait()
