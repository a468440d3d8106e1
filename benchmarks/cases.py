"""What datacat promises about its own speed: each case measures one kind of work."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from apart import apart
from bench import DATACAT, Bench
from buckets import cluster, requests, throughput
from measure import Series, alternate, disk_usage, remove, settle, timed
from workloads import incompressible_file, many_files
from xfs import mounted_xfs


def large(bench: Bench) -> None:
    """One incompressible file."""
    size = int(4 * 2**30 * bench.scale)
    source = bench.workdir / "large"
    source.mkdir()
    incompressible_file(source / "file.bin", size)
    touch = size >> 19  # twice the file
    name = f"{size / 2**30:.1f} GiB file"

    bench.against(f"add of a {name}", *_add(bench, source, touch_mib=touch), 1.3)

    again = Series("add again")
    alternate(bench.rounds, (again, lambda: [DATACAT, "-q", "add", str(source)], bench.environment))
    bench.within("the same again, unchanged", again, 1.0)

    other = bench.workdir / "other.bin"
    shutil.copyfile(source / "file.bin", other)
    hashing, twin = Series("hash of the file"), Series("add under another name")
    code = f"import blake3; blake3.blake3().update_mmap({str(other)!r})"
    rename = iter(range(1_000))

    def add_twin() -> Sequence[str]:
        os.utime(other)  # or the stat cache knows its digest from the last round
        settle(other)
        return [DATACAT, "-q", "add", str(other), "--new", "--name", f"twin-{next(rename)}"]

    def hash_only() -> Sequence[str]:
        settle(other)
        return [sys.executable, "-c", code]

    os.sync()  # a file system may count blocks only once they are written
    before = apart(disk_usage, bench.store)
    alternate(bench.rounds, (hashing, hash_only, None), (twin, add_twin, bench.environment))
    os.sync()
    grown = (apart(disk_usage, bench.store) - before) / bench.rounds
    stored = f"a renamed copy of it, as another dataset (stored {grown / 1e3:.0f} kB)"
    bench.against(stored, twin, hashing, None)
    remove(other)

    bench.against(f"pull of a {name}", *_pull(bench, source, touch_mib=touch), 1.2)
    linked, out = Series("pull --link"), bench.workdir / "out"

    def link() -> Sequence[str]:
        remove(out)
        settle(source)
        return [DATACAT, "-q", "pull", "large", "-d", str(out), "--link", "symlink"]

    alternate(bench.rounds, (linked, link, bench.environment))
    bench.within("pull --link symlink of it", linked, 1.0)
    remove(out)
    with mounted_xfs(bench.workdir, size * 3 + 2**30) as mounted:
        if mounted is not None:
            _reflink(bench, mounted, source)


def _reflink(bench: Bench, mounted: Path, source: Path) -> None:
    """Store, source and destination on a file system that shares blocks."""
    inner = Bench(mounted, bench.scale, bench.rounds)
    data = mounted / "large"
    shutil.copytree(source, data, ignore=shutil.ignore_patterns(".datacat"))
    inner.fresh_store()
    inner.datacat("add", str(data))
    out = mounted / "out"

    def prepare() -> Sequence[str]:
        remove(out)
        settle()
        return [DATACAT, "-q", "pull", "large", "-d", str(out)]

    ours = Series("pull by reflink")
    alternate(bench.rounds, (ours, prepare, inner.environment))
    bench.within("pull of it by reflink (XFS)", ours, 1.0)


def small(bench: Bench) -> None:
    """Many small files."""
    count = max(500, int(100_000 * bench.scale))
    source = bench.workdir / "small"
    many_files(source, count, 10 * 1024)
    touch = count * 10 * 2 >> 10
    name = f"{count:,} files of 10 KiB"
    bench.against(f"add of {name}", *_add(bench, source, touch_mib=touch), 0.3)
    again = Series("add again")
    alternate(bench.rounds, (again, lambda: [DATACAT, "-q", "add", str(source)], bench.environment))
    bench.within("the same again, unchanged", again, 2.5)
    bench.against(f"pull of {name}", *_pull(bench, source, touch_mib=touch), 1.3)


def _add(bench: Bench, source: Path, *, touch_mib: int) -> tuple[Series, Series]:
    """The first add of a folder, and a durable copy of it."""
    copy = bench.workdir / "copy"

    def add() -> Sequence[str]:
        remove(copy)
        remove(source / ".datacat")
        bench.fresh_store()
        settle(source, touch_mib=touch_mib)
        return [DATACAT, "-q", "add", str(source)]

    def cp() -> Sequence[str]:
        remove(copy)
        settle(source, touch_mib=touch_mib)
        return ["sh", "-c", f"cp -r {source} {copy} && sync -f {copy}"]

    ours, theirs = Series("datacat add"), Series("cp -r + sync -f")
    alternate(bench.rounds, (theirs, cp, None), (ours, add, bench.environment))
    remove(copy)
    return ours, theirs


def _pull(bench: Bench, source: Path, *, touch_mib: int) -> tuple[Series, Series]:
    """A pull of the dataset that was saved from a folder, and a copy of the folder."""
    out = bench.workdir / "out"

    def pull() -> Sequence[str]:
        remove(out)
        settle(source, bench.store, touch_mib=touch_mib)
        return [DATACAT, "-q", "pull", source.name, "-d", str(out)]

    def cp() -> Sequence[str]:
        remove(out)
        settle(source, touch_mib=touch_mib)
        return ["cp", "-r", str(source), str(out)]

    ours, theirs = Series("pull"), Series("cp -r")
    alternate(bench.rounds, (theirs, cp, None), (ours, pull, bench.environment))
    return ours, theirs


def catalog(bench: Bench) -> None:
    """Questions to a large catalog."""
    datasets = max(10, int(10_000 * bench.scale))
    versions = datasets * 10
    bench.fresh_store()
    apart(_fill_log, bench.store, datasets=datasets, versions=versions)
    cache = bench.home / "cache"

    def cold() -> Sequence[str]:
        remove(cache)
        settle(bench.store)
        return [DATACAT, "ls"]

    ours = Series("ls, cold")
    alternate(bench.rounds, (ours, cold, bench.environment))
    name = f"{datasets:,} datasets, {versions:,} versions"
    bench.within(f"ls with {name}, no cache", ours, 5.0)
    warm, helped = Series("ls"), Series("--help")
    alternate(
        bench.rounds,
        (warm, lambda: [DATACAT, "ls"], bench.environment),
        (helped, lambda: [DATACAT, "--help"], bench.environment),
    )
    bench.within("the same, warm", warm, 0.4)
    bench.within("--help", helped, 0.15)
    half = f"dataset-{datasets // 2:05d}"
    for work, arguments in {
        f"ls {half}": ["ls", half],
        "log --metrics of one of them": ["log", half, "--metrics"],
        "lineage up, of the last": ["lineage", f"dataset-{datasets - 1:05d}", "--up"],
        "lineage down, to all": ["lineage", "dataset-00000", "--down"],
    }.items():
        asked = Series(work)
        typed = [DATACAT, *arguments]
        alternate(bench.rounds, (asked, lambda typed=typed: typed, bench.environment))
        bench.within(work, asked, 0.5)


def _fill_log(store: Path, *, datasets: int, versions: int, sketch_entries: int = 16) -> None:
    from catalog_log import write_log

    write_log(store, datasets=datasets, versions=versions, sketch_entries=sketch_entries)


def similar(bench: Bench) -> None:
    """What an edited copy of a folder is, among many versions."""
    count = max(500, int(100_000 * bench.scale))
    versions = max(100, int(10_000 * bench.scale))
    bench.fresh_store()
    # They do not say where their content lies: each may be similar, as far as the catalog knows.
    apart(_fill_log, bench.store, datasets=versions // 10, versions=versions, sketch_entries=128)
    source = bench.workdir / "small"
    many_files(source, count, 1024)
    bench.datacat("add", str(source), "--name", "original")
    remove(source / ".datacat")
    for folder in sorted(source.iterdir())[::10]:
        (folder / "f0000.bin").write_bytes(b"edited")
    looked = ["add", "-n", str(source), "--name", "copy"]
    # Reads every file once, so that only what comes after it is measured.
    bench.datacat(*looked)
    (sketches,) = bench.home.glob("cache/datacat/*/sketches")

    def without() -> Sequence[str]:
        settle(source)
        return [DATACAT, "-q", *looked, "--new"]

    def again() -> Sequence[str]:
        settle(source)
        return [DATACAT, "-q", *looked]

    def first() -> Sequence[str]:
        remove(sketches)
        return again()

    plain, ours, cold = Series("--new, which does not look,"), Series("again"), Series("first")
    alternate(
        bench.rounds,
        (plain, without, bench.environment),
        (ours, again, bench.environment),
        (cold, first, bench.environment),
    )
    name = f"add -n of an edited copy of {count:,} files, among {versions:,} versions"
    bench.beyond(name, ours, plain, 0.5)
    bench.beyond("the same, the first time on a machine", cold, plain, 2.0)


def million(bench: Bench) -> None:
    """One dataset of a million files: what it takes, once."""
    count = max(1_000, int(1_000_000 * bench.scale))
    source, out = bench.workdir / "million", bench.workdir / "out"
    many_files(source, count, 1024, per_folder=1_000)
    bench.fresh_store()
    name = f"{count:,} files of 1 KiB"
    edited = source / "d00000" / "f0000.bin"

    def once(work: str, *arguments: str) -> None:
        settle()
        series = Series(work)
        series.runs.append(timed([DATACAT, "-q", *arguments], environment=bench.environment))
        bench.within_memory(work, series, 1024)

    once(f"add of {name}", "add", str(source))
    once("the same again, unchanged", "add", str(source))
    once("pull of it", "pull", "million", "-d", str(out))
    once("status of the pulled copy", "status", str(out))
    edited.write_bytes(b"edited")
    once("diff with one file edited", "diff", "million@v1", str(source))
    once("add with one file edited", "add", str(source))
    once("verify of it", "verify", "million@v1")
    for number in range(8):
        edited.write_bytes(b"edited %d" % number)
        bench.datacat("add", str(source))
    asked = Series("sql")
    query = "select extension, count(*) as files from files group by all"
    alternate(bench.rounds, (asked, lambda: [DATACAT, "sql", query], bench.environment))
    bench.within(
        f"sql that counts the files of all versions, {10 * count:,}, by extension", asked, 3.0
    )


COLLECTED = 100
"""Versions of the store that is collected."""


def collect(bench: Bench) -> None:
    """A collection that frees half of a million small containers, in its two parts."""
    containers = max(4_000, int(1_000_000 * bench.scale))
    bench.fresh_store()
    apart(_fill_containers, bench.store, containers=containers)
    bench.datacat("ls")
    bench.datacat("rm", "-y", *(f"packs-{number}" for number in range(0, COLLECTED, 2)))

    def once(work: str) -> None:
        settle()
        series = Series(work)
        typed = [DATACAT, "-q", "gc", "--older-than", "0d", "-y"]
        series.runs.append(timed(typed, environment=bench.environment))
        bench.within(work, series, 60.0)
        bench.within_memory(work, series, 1024)

    once(f"gc of a store with {containers:,} containers, half of them in the trash")
    once("gc once more, with nothing to free")


def _fill_containers(store: Path, *, containers: int) -> None:
    from containers import write_containers

    write_containers(store, versions=COLLECTED, containers=containers)


CASES = {
    "large": large,
    "small": small,
    "catalog": catalog,
    "similar": similar,
    "million": million,
    "gc": collect,
    "bucket": throughput,
    "requests": requests,
    "cluster": cluster,
}
