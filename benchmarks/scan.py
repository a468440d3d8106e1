"""`datacat scan` beside fclones, rmlint, jdupes and rdfind, on the same files in the same run.

    python benchmarks/scan.py --workdir /path/on/a/disk                  200,000 files, 20 GB
    python benchmarks/scan.py --workdir /path/on/a/disk --scale 0.05     a twentieth of that

Half of the files are copies, most of them in whole folders; a third of the files have one size, as
the images of one camera do. Every tool finds groups of files, and what it finds is compared with
what was written. Tools that are not there are left out; `apt-get install rmlint jdupes rdfind` and
`cargo install fclones` get them. Every round runs each of them once, after all files were read
once. datacat begins with an empty cache; "again" is a second scan.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from apart import apart
from measure import Failed, Series, timed

FILES = 200_000
MEAN_BYTES = 100_000
PER_FOLDER = 200
RATIO_MAX = 1.3

Groups = set[frozenset[str]]


@dataclass(frozen=True)
class Tool:
    """How a tool is run on a folder, and how what it wrote is read."""

    name: str
    command: Callable[[Path, Path], list[str]]
    groups: Callable[[Path], Groups]

    @property
    def is_there(self) -> bool:
        return shutil.which(self.command(Path(), Path())[0]) is not None


def write_files(drive: Path, files: int, expected: Path) -> None:
    """The files to scan, and to `expected` the groups that are in them."""
    chance = random.Random(7)
    groups: dict[str, set[str]] = defaultdict(set)
    originals: list[Path] = []
    for number in range(files // 2):
        path = drive / f"originals/{number // PER_FOLDER:05}/{number:06}.bin"
        path.parent.mkdir(parents=True, exist_ok=True)
        same = number % 3 == 0
        size = MEAN_BYTES if same else int(chance.uniform(0.2, 1.8) * MEAN_BYTES)
        path.write_bytes(chance.randbytes(size))
        originals.append(path)
    loose = chance.sample(originals, len(originals) // 5)
    whole = set(originals) - set(loose)
    for path in originals:
        if path in whole:
            copy = drive / "copies" / path.relative_to(drive / "originals")
        else:
            copy = drive / f"loose/{chance.randrange(files // 1000 + 1)}/{path.name}"
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)
        groups[str(path)] |= {str(path), str(copy)}
    expected.write_text(json.dumps([sorted(group) for group in groups.values()]))


def read_all(drive: Path) -> None:
    """Bring every file into memory, as far as it goes."""
    for folder, _, names in os.walk(drive):
        for name in names:
            with open(os.path.join(folder, name), "rb", buffering=0) as file:
                while file.read(1 << 20):
                    pass


def _blocks(lines: Iterable[str]) -> Groups:
    """Groups as fdupes writes them: a path a line, an empty line after each group."""
    groups: Groups = set()
    group: set[str] = set()
    for line in [*lines, ""]:
        if path := line.rstrip("\n"):
            group.add(path)
        elif group:
            groups.add(frozenset(group))
            group = set()
    return groups


def _rmlint(output: Path) -> Groups:
    groups: dict[str, set[str]] = defaultdict(set)
    for one in json.loads(output.read_text()):
        if one.get("type") == "duplicate_file":
            groups[one["checksum"]].add(one["path"])
    return {frozenset(group) for group in groups.values()}


def _rdfind(output: Path) -> Groups:
    groups: dict[str, set[str]] = defaultdict(set)
    for line in output.read_text().splitlines():
        if line.startswith("DUPTYPE"):
            fields = line.split(" ", 7)
            groups[fields[1].lstrip("-")].add(fields[7])
    return {frozenset(group) for group in groups.values()}


def _datacat(output: Path) -> Groups:
    document = json.loads(output.read_text())
    return {frozenset(p["path"] for p in group["paths"]) for group in document["groups"]}


def _to(output: Path, command: list[str]) -> list[str]:
    """A command whose answer goes to a file."""
    return ["sh", "-c", 'out=$1; shift; exec "$@" > "$out"', "sh", str(output), *command]


DATACAT = [sys.executable, "-m", "datacat", "scan", "--files", "--json", "--limit", "10000000"]

TOOLS = (
    Tool(
        "rmlint",
        lambda drive, out: ["rmlint", "-T", "df", "-o", f"json:{out}", str(drive)],
        _rmlint,
    ),
    Tool(
        "jdupes, comparing bytes",
        lambda drive, _: ["jdupes", "-r", "-q", str(drive)],
        lambda out: _blocks(out.open()),
    ),
    Tool(
        "jdupes -Q",
        lambda drive, _: ["jdupes", "-r", "-q", "-Q", str(drive)],
        lambda out: _blocks(out.open()),
    ),
    Tool(
        "rdfind",
        lambda drive, out: ["rdfind", "-dryrun", "false", "-outputname", str(out), str(drive)],
        _rdfind,
    ),
    Tool(
        "fclones",
        lambda drive, out: ["fclones", "group", "-q", "-f", "json", "-o", str(out), str(drive)],
        lambda out: {frozenset(g["files"]) for g in json.loads(out.read_text())["groups"]},
    ),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workdir", type=Path, required=True)
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    work = (given.workdir / "scan").resolve()
    drive = work / "drive"
    shutil.rmtree(work, ignore_errors=True)
    drive.mkdir(parents=True)
    expected = work / "expected.json"
    apart(write_files, drive, max(1000, int(FILES * given.scale)), expected)
    os.sync()
    try:
        measure(work, drive, expected, given.rounds)
    finally:
        shutil.rmtree(work)


def measure(work: Path, drive: Path, expected: Path, rounds: int) -> None:
    """Run every tool `rounds` times, compare what it finds, and print the table."""
    tools = [tool for tool in TOOLS if tool.is_there]
    series = {name: Series(name) for name in ("datacat", "datacat again")}
    series |= {tool.name: Series(tool.name) for tool in tools}
    ours = {**os.environ, "DATACAT_STORE": str(work / "store"), "XDG_CACHE_HOME": str(work / "c")}
    timed([sys.executable, "-m", "datacat", "init", str(work / "store")], environment=ours)
    output = work / "found"
    for _ in range(rounds):
        apart(read_all, drive)
        shutil.rmtree(work / "c", ignore_errors=True)
        for name in ("datacat", "datacat again"):
            command = _to(output, [*DATACAT, str(drive)])
            series[name].runs.append(timed(command, environment=ours))
            apart(compare, name, output, expected)
        for tool in tools:
            command = tool.command(drive, output)
            if "jdupes" in tool.name:
                command = _to(output, command)
            series[tool.name].runs.append(timed(command, cwd=work))
            apart(compare, tool.name, output, expected)
    show(series)


def compare(name: str, output: Path, expected: Path) -> None:
    """Raise `Failed` unless a tool found the groups that were written."""
    groups = next((tool.groups for tool in TOOLS if tool.name == name), _datacat)
    found = groups(output)
    written = {frozenset(group) for group in json.loads(expected.read_text())}
    if found != written:
        raise Failed(
            f"{name}: {len(found - written)} groups too many, {len(written - found)} too few"
        )


def show(series: dict[str, Series]) -> None:
    peers = [one.wall for name, one in series.items() if not name.startswith("datacat")]
    print("| tool | seconds | CPU seconds | peak memory | × the fastest other |")
    print("|---|---|---|---|---|")
    for one in sorted(series.values(), key=lambda one: one.wall):
        ratio = f"{one.wall / min(peers):.2f}" if peers else ""
        print(f"| {one.name} | {one.wall:.2f} | {one.cpu:.2f} | {one.peak_mib:.0f} MiB | {ratio} |")
    if peers:
        reached = series["datacat"].wall <= RATIO_MAX * min(peers)
        print(f"to reach: ≤ {RATIO_MAX} × the fastest other, {'yes' if reached else 'no'}")


if __name__ == "__main__":
    main()
