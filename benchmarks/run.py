"""Measure datacat against `cp` on this machine and write the table into `benchmarks/README.md`.

    python benchmarks/run.py --workdir /path/on/a/disk          everything, about half an hour
    python benchmarks/run.py --workdir /tmp/b --scale 0.01 large small

Writes are durable, so the baseline is too: `cp -r` followed by `sync -f` of the copy.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from catalog_log import write_log
from measure import Series, alternate, machine, remove, settle, timed
from workloads import incompressible_file, many_files

DATACAT = str(Path(sys.executable).with_name("datacat"))
README = Path(__file__).with_name("README.md")


@dataclass(frozen=True)
class Row:
    """One line of the table. `bar` is what it has to reach, as it is promised."""

    work: str
    result: str
    baseline: str
    ratio: str
    bar: str
    peak_mib: float
    met: bool


class Bench:
    """The folders of one benchmark run, and its rows."""

    def __init__(self, workdir: Path, scale: float, rounds: int) -> None:
        self.workdir = workdir
        self.scale = scale
        self.rounds = rounds
        self.rows: list[Row] = []
        self.store = workdir / "store"
        self.home = workdir / "home"
        self.environment = {
            **os.environ,
            "HOME": str(self.home),
            "XDG_CACHE_HOME": str(self.home / "cache"),
            "XDG_CONFIG_HOME": str(self.home / "config"),
            "DATACAT_STORE": str(self.store),
            "DATACAT_USER": "bench",
        }

    def fresh_store(self) -> None:
        for path in (self.store, self.home):
            remove(path)
        self.home.mkdir(parents=True)
        self.datacat("init", str(self.store))

    def datacat(self, *arguments: str) -> None:
        timed([DATACAT, "-q", *arguments], environment=self.environment)

    def against(self, work: str, ours: Series, baseline: Series, limit: float) -> None:
        ratio = ours.wall / baseline.wall
        self._row(
            Row(
                work,
                f"{ours.wall:.2f} s",
                f"{baseline.name} {baseline.wall:.2f} s",
                f"{ratio:.2f}",
                f"≤ {limit} ×",
                ours.peak_mib,
                ratio <= limit,
            )
        )

    def within(self, work: str, ours: Series, seconds: float | None) -> None:
        bar = f"≤ {seconds:g} s" if seconds is not None else "reported"
        met = seconds is None or ours.wall <= seconds
        self._row(Row(work, f"{ours.wall:.2f} s", "", "", bar, ours.peak_mib, met))

    def _row(self, row: Row) -> None:
        self.rows.append(row)
        mark = "ok  " if row.met else "MISS"
        print(f"{mark} {row.work}: {row.result} {row.baseline} {row.ratio} ({row.bar})", flush=True)


def large(bench: Bench) -> None:
    """One incompressible file."""
    size = int(4 * 2**30 * bench.scale)
    source = bench.workdir / "large"
    marker = source / ".datacat"
    source.mkdir(exist_ok=True)
    incompressible_file(source / "file.bin", size)
    touch = size >> 19  # twice the file
    copy, out = bench.workdir / "copy", bench.workdir / "out"
    name = f"{size / 2**30:.1f} GiB file"

    def add() -> Sequence[str]:
        remove(copy)
        remove(marker)
        bench.fresh_store()
        settle(source, touch_mib=touch)
        return [DATACAT, "-q", "add", str(source)]

    def cp() -> Sequence[str]:
        remove(copy)
        settle(source, touch_mib=touch)
        return ["sh", "-c", f"cp -r {source} {copy} && sync -f {copy}"]

    ours, theirs = Series("datacat add"), Series("cp -r + sync -f")
    alternate(bench.rounds, (theirs, cp, None), (ours, add, bench.environment))
    remove(copy)
    bench.against(f"add of a {name}", ours, theirs, 1.3)

    again = Series("add again")
    alternate(bench.rounds, (again, lambda: [DATACAT, "-q", "add", str(source)], bench.environment))
    bench.within("the same again, unchanged", again, 1.0)

    other = bench.workdir / "other.bin"
    shutil.copyfile(source / "file.bin", other)
    hashing, twin = Series("b3 hash of the file"), Series("add under another name")
    code = f"import blake3; blake3.blake3().update_mmap({str(other)!r})"
    rename = iter(range(1_000))

    def add_twin() -> Sequence[str]:
        os.utime(other)  # or the stat cache knows its digest from the last round
        settle(other)
        return [DATACAT, "-q", "add", str(other), "--new", "--name", f"twin-{next(rename)}"]

    def hash_only() -> Sequence[str]:
        settle(other)
        return [sys.executable, "-c", code]

    before = _size(bench.store)
    alternate(bench.rounds, (hashing, hash_only, None), (twin, add_twin, bench.environment))
    grown = _size(bench.store) - before
    bench.within(f"a copy of it under another name (stored {grown / 1e3:.0f} kB)", twin, None)
    remove(other)

    def pull(*options: str) -> Callable[[], Sequence[str]]:
        def prepare() -> Sequence[str]:
            remove(out)
            settle(source, touch_mib=touch)
            return [DATACAT, "-q", "pull", "large", "-d", str(out), *options]

        return prepare

    def plain() -> Sequence[str]:
        remove(out)
        settle(source, touch_mib=touch)
        return ["cp", "-r", str(source), str(out)]

    ours, theirs = Series("pull"), Series("cp -r")
    alternate(bench.rounds, (theirs, plain, None), (ours, pull(), bench.environment))
    bench.against(f"pull of a {name}", ours, theirs, 1.2)
    linked = Series("pull --link")
    alternate(bench.rounds, (linked, pull("--link", "symlink"), bench.environment))
    bench.within("pull --link symlink of it", linked, 1.0)
    remove(out)
    with _xfs(bench.workdir, size * 3 + 2**30) as mounted:
        if mounted is not None:
            _reflink(bench, mounted, source)
    remove(source)


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


@contextmanager
def _xfs(workdir: Path, size: int):
    image, place = workdir / "xfs.img", workdir / "xfs"
    made = shutil.which("mkfs.xfs") is not None and os.geteuid() == 0
    if made:
        with image.open("wb") as file:
            file.truncate(max(size, 400 * 2**20))
        place.mkdir(exist_ok=True)
        made = (
            subprocess.run(["mkfs.xfs", "-q", "-m", "reflink=1", str(image)]).returncode == 0
            and subprocess.run(["mount", "-o", "loop", str(image), str(place)]).returncode == 0
        )
    try:
        yield place if made else None
    finally:
        if made:
            subprocess.run(["umount", str(place)], check=True)
        image.unlink(missing_ok=True)


def small(bench: Bench) -> None:
    """Many small files."""
    count = max(500, int(100_000 * bench.scale))
    source = bench.workdir / "small"
    many_files(source, count, 10 * 1024)
    copy, out = bench.workdir / "copy", bench.workdir / "out"
    touch = count * 10 * 2 >> 10
    name = f"{count:,} files of 10 KiB"

    def add() -> Sequence[str]:
        remove(copy)
        remove(source / ".datacat")
        bench.fresh_store()
        settle(source, touch_mib=touch)
        return [DATACAT, "-q", "add", str(source)]

    def cp() -> Sequence[str]:
        remove(copy)
        settle(source, touch_mib=touch)
        return ["sh", "-c", f"cp -r {source} {copy} && sync -f {copy}"]

    ours, theirs = Series("datacat add"), Series("cp -r + sync -f")
    alternate(bench.rounds, (theirs, cp, None), (ours, add, bench.environment))
    remove(copy)
    bench.against(f"add of {name}", ours, theirs, 0.3)
    again = Series("add again")
    alternate(bench.rounds, (again, lambda: [DATACAT, "-q", "add", str(source)], bench.environment))
    bench.within("the same again, unchanged", again, 2.5)

    def pull() -> Sequence[str]:
        remove(out)
        settle(source, bench.store, touch_mib=touch)
        return [DATACAT, "-q", "pull", "small", "-d", str(out)]

    def plain() -> Sequence[str]:
        remove(out)
        settle(source, touch_mib=touch)
        return ["cp", "-r", str(source), str(out)]

    ours, theirs = Series("pull"), Series("cp -r")
    alternate(bench.rounds, (theirs, plain, None), (ours, pull, bench.environment))
    bench.against(f"pull of {name}", ours, theirs, 1.3)
    remove(out)
    remove(source)


def catalog(bench: Bench) -> None:
    """Questions to a large catalog."""
    datasets = max(10, int(10_000 * bench.scale))
    versions = datasets * 10
    bench.fresh_store()
    write_log(bench.store, datasets=datasets, versions=versions)
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
        bench.within(work, series, None)
        if series.peak_mib > 1024:
            print(f"MISS peak memory of {work}: {series.peak_mib:.0f} MiB")

    once(f"add of {name}", "add", str(source))
    once("the same again, unchanged", "add", str(source))
    once("pull of it", "pull", "million", "-d", str(out))
    once("status of the pulled copy", "status", str(out))
    edited.write_bytes(b"edited")
    once("diff with one file edited", "diff", "million@v1", str(source))
    once("add with one file edited", "add", str(source))
    once("verify of it", "verify", "million@v1")
    remove(out)
    remove(source)


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


CASES = {"large": large, "small": small, "catalog": catalog, "million": million}


def table(bench: Bench) -> str:
    """The rows as Markdown."""
    lines = [
        "| work | datacat | baseline | ratio | to reach | peak memory | |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {row.work} | {row.result} | {row.baseline} | {row.ratio} | {row.bar} |"
        f" {row.peak_mib:.0f} MiB | {'yes' if row.met else '**no**'} |"
        for row in bench.rows
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cases", nargs="*", default=list(CASES), help=", ".join(CASES))
    parser.add_argument("--workdir", type=Path, required=True, help="an empty folder on a disk")
    parser.add_argument("--scale", type=float, default=1.0, help="share of the full sizes")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--write", action="store_true", help="put the table into the README")
    given = parser.parse_args()
    given.workdir.mkdir(parents=True, exist_ok=True)
    bench = Bench(given.workdir.resolve(), given.scale, given.rounds)
    for case in given.cases:
        CASES[case](bench)
    text = table(bench)
    print(text)
    if given.write:
        head, _, rest = README.read_text().partition("<!-- table -->")
        _, _, tail = rest.partition("<!-- end -->")
        when = datetime.now(UTC).strftime("%Y-%m-%d")
        about = f"Measured on {when}, medians of {given.rounds}: {machine()}."
        README.write_text(f"{head}<!-- table -->\n{about}\n\n{text}\n<!-- end -->{tail}")


if __name__ == "__main__":
    main()
