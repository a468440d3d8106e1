"""Measure datacat against `cp` on this machine and write the table into `benchmarks/README.md`.

    python benchmarks/run.py --workdir /path/on/a/disk          everything, about half an hour
    python benchmarks/run.py --workdir /tmp/b --scale 0.01 large small

Writes are durable, so the baseline is too: `cp -r` followed by `sync -f` of the copy. The rows of
each case are kept in `run.json` in the folder as soon as they are measured, and a table holds all
that are there.
"""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from pathlib import Path

from bench import Bench, Rows, table
from cases import CASES
from kept import load
from measure import between_markers, machine

README = Path(__file__).with_name("README.md")


def main() -> None:
    """Measure the cases that are asked for, and keep and write each as soon as it is done."""
    given = _arguments()
    given.workdir.mkdir(parents=True, exist_ok=True)
    bench = Bench(given.workdir.resolve(), given.scale, given.rounds)
    kept = bench.workdir / "run.json"
    rows = load(Rows, kept, scale=given.scale, machine=machine())
    for case in given.cases:
        bench.clear()
        bench.rows = []
        CASES[case](bench)
        rows.cases[case] = bench.rows
        rows.measured[case] = f"{datetime.now(UTC):%Y-%m-%d}, medians of {given.rounds}"
        rows.save(kept)
        if given.write:
            between_markers(README, "table", _section(rows))
        bench.clear()
    print(_section(rows))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cases", nargs="*", help=", ".join(CASES))
    parser.add_argument("--workdir", type=Path, required=True, help="an empty folder on a disk")
    parser.add_argument("--scale", type=float, default=1.0, help="share of the full sizes")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--write", action="store_true", help="put the table into the README")
    given = parser.parse_args()
    given.cases = given.cases or list(CASES)
    if unknown := [case for case in given.cases if case not in CASES]:
        parser.error(f"no such case: {', '.join(unknown)}; there are {', '.join(CASES)}")
    return given


def _section(rows: Rows) -> str:
    in_order = {case: rows.cases[case] for case in CASES if case in rows.cases}
    when = "; ".join(sorted(set(rows.measured.values())))
    once = " (the million files: once)" if "million" in in_order else ""
    scale = "" if rows.scale == 1 else f" Sizes are {rows.scale:g} × the full ones."
    return f"Measured on {when}{once}: {rows.machine}.{scale}\n\n{table(in_order)}"


if __name__ == "__main__":
    main()
