"""The folders and the rows of one run of `run.py`."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from kept import Kept
from measure import Series, remove, timed

FOLDERS = ("store", "home", "large", "small", "million", "copy", "out", "server", "other.bin")
DATACAT = str(Path(sys.executable).with_name("datacat"))


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


@dataclass
class Rows(Kept):
    """What a run found: a run of other cases adds to it."""

    cases: dict[str, list[Row]] = field(default_factory=dict)
    measured: dict[str, str] = field(default_factory=dict)


class Bench:
    """The folders of one benchmark run, and the rows of the case that is being measured."""

    def __init__(self, workdir: Path, scale: float, rounds: int) -> None:
        self.workdir = workdir
        self.scale = scale
        self.rounds = rounds
        self.rows: list[Row] = []
        self.store = workdir / "store"
        self.home = workdir / "home"
        # As an installed package is: compiled.
        inherited = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
        self.environment = {
            **inherited,
            "HOME": str(self.home),
            "XDG_CACHE_HOME": str(self.home / "cache"),
            "XDG_CONFIG_HOME": str(self.home / "config"),
            "DATACAT_STORE": str(self.store),
            "DATACAT_USER": "bench",
        }

    def fresh_store(self) -> None:
        """An empty store, and no cache."""
        for path in (self.store, self.home):
            remove(path)
        self.home.mkdir(parents=True)
        self.datacat("init", str(self.store))

    def datacat(self, *arguments: str) -> None:
        """Run a command that is not measured."""
        timed([DATACAT, "-q", *arguments], environment=self.environment)

    def clear(self) -> None:
        """Remove what a case left. Slow with a million files, so not before its rows are kept."""
        for name in ("store", "home", *FOLDERS):
            remove(self.workdir / name)

    def against(self, work: str, ours: Series, baseline: Series, limit: float | None) -> None:
        """A row with a ratio to a baseline of the same run, which must be within a limit."""
        ratio = ours.wall / baseline.wall
        self._row(
            Row(
                work,
                f"{ours.wall:.2f} s",
                f"{baseline.name} {baseline.wall:.2f} s",
                f"{ratio:.2f}",
                f"≤ {limit} ×" if limit is not None else "reported",
                ours.peak_mib,
                limit is None or ratio <= limit,
            )
        )

    def within(self, work: str, ours: Series, seconds: float | None) -> None:
        """A row that must take at most so many seconds, or is only reported."""
        bar = f"≤ {seconds:g} s" if seconds is not None else "reported"
        met = seconds is None or ours.wall <= seconds
        self._row(Row(work, f"{ours.wall:.2f} s", "", "", bar, ours.peak_mib, met))

    def beyond(self, work: str, ours: Series, baseline: Series, seconds: float) -> None:
        """A row that may take at most so many seconds longer than a baseline of the same run."""
        extra = ours.wall - baseline.wall
        self._row(
            Row(
                work,
                f"{ours.wall:.2f} s",
                f"{baseline.name} {baseline.wall:.2f} s",
                f"{extra:+.2f} s",
                f"≤ {seconds:g} s more",
                ours.peak_mib,
                extra <= seconds,
            )
        )

    def counted(self, work: str, found: float, limit: float) -> None:
        """A row with a number that must not be above a limit."""
        self._row(Row(work, f"{found:.3g}", "", "", f"≤ {limit:g}", 0, found <= limit))

    def within_memory(self, work: str, ours: Series, mib: float) -> None:
        """A row whose peak memory must be within a limit."""
        met = ours.peak_mib <= mib
        self._row(Row(work, f"{ours.wall:.2f} s", "", "", f"≤ {mib:g} MiB", ours.peak_mib, met))

    def _row(self, row: Row) -> None:
        self.rows.append(row)
        mark = "ok  " if row.met else "MISS"
        print(
            f"{mark} {row.work}: {row.result} {row.baseline} {row.ratio} ({row.bar}),"
            f" peak {row.peak_mib:.0f} MiB",
            flush=True,
        )


def table(cases: Mapping[str, list[Row]]) -> str:
    """The rows as Markdown."""
    lines = [
        "| work | datacat | baseline | ratio | to reach | peak memory | reached |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {row.work} | {row.result} | {row.baseline} | {row.ratio} | {row.bar} |"
        f" {f'{row.peak_mib:.0f} MiB' if row.peak_mib else ''} |"
        f" {'' if row.bar == 'reported' else 'yes' if row.met else '**no**'} |"
        for rows in cases.values()
        for row in rows
    ]
    return "\n".join(lines)
