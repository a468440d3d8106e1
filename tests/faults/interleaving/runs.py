"""Whole runs: the search of a scenario, and many random schedules."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import process_time
from typing import Any

from datacat import layout
from tests.faults.interleaving import meetings, moves, parties, repairs, scenarios
from tests.faults.interleaving.deterministic import deterministic, fast_folder
from tests.faults.interleaving.dice import Meeting, throw
from tests.faults.interleaving.explorer import Explorer, Limits
from tests.faults.interleaving.match import Match, replay
from tests.faults.interleaving.moves import Move
from tests.faults.interleaving.oracle import Oracle, Reader, outline_reader
from tests.faults.interleaving.people import pulled_by_somebody_new
from tests.faults.interleaving.scenario import Scenario
from tests.faults.interleaving.scenarios import GOOD, Parts

COMMAND = "python -m tests.faults.interleaving"

SMALL_BUNDLES = (16, 4)
"""So that a log of some records has bundles."""

Start = Callable[[Path], Scenario]


def in_outline(scenario: Callable[[Parts], Scenario], parts: Parts = GOOD) -> Start:
    """A start that needs no folder."""
    return lambda _folder: scenario(parts)


SEARCHED: dict[str, tuple[Start, Reader]] = {
    one.__name__: (in_outline(one), outline_reader) for one in scenarios.EVERY
} | {one.__name__: (one, pulled_by_somebody_new) for one in (*meetings.EVERY, *repairs.EVERY)}
"""The scenarios of which every schedule is gone through, and how their versions are read."""

THROWN: dict[str, tuple[Meeting, Reader]] = {
    "crowd": (parties.crowd, outline_reader),
    "crowd_that_repairs": (repairs.crowd_that_repairs, pulled_by_somebody_new),
    "crowd_of_people": (meetings.crowd_of_people, pulled_by_somebody_new),
}
"""The meetings of random schedules."""


@dataclass
class Report:
    """What a run did. `steps`: moves of a schedule that were gone through; `calls`: those of them
    in which the real code ran, and was not known from another schedule."""

    name: str
    steps: int = 0
    calls: int = 0
    states: int = 0
    schedules: int = 0
    faults: int = 0
    acknowledged: int = 0
    """Versions that people of random schedules were told of; those of a search are not counted."""

    seconds: float = 0.0
    complete: bool = True
    wrong: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        states = f"{self.states:>11,}" if self.states else " " * 11
        whole = "" if self.complete else "  (cut short)"
        wrong = f"  {len(self.wrong)} WRONG" if self.wrong else ""
        return (
            f"{self.name:<62}{states}{self.schedules:>9,}{self.steps:>12,}{self.calls:>11,}"
            f"{self.seconds:>9.1f}{whole}{wrong}"
        )


@contextmanager
def room(**more: Any) -> Iterator[Path]:
    """A folder for local files, in memory if possible, in which the clients are deterministic."""
    with tempfile.TemporaryDirectory(prefix="datacat-simulation-", dir=fast_folder()) as name:
        folder = Path(name)
        with deterministic(folder / "tmp", **more):
            yield folder


def searched(
    name: str, limits: Limits, *, start: Start | None = None, bundles: bool = False
) -> Report:
    """Go through every schedule of a scenario within limits, up to the first that is wrong.

    `start` stands in for the scenario of that name, with parts that are known to be bad.
    """
    began = process_time()
    begin, reader = SEARCHED[name]
    with room(bundle_sizes=_sizes(bundles)) as folder:
        scenario = (start or begin)(folder / "before")
        explorer = Explorer(scenario, Oracle(reader), limits=limits, folder=folder / "clients")
        found = explorer.run()
        report = Report(
            f"{name}, {limits}{', bundles' if bundles else ''}",
            steps=found.steps,
            calls=found.calls,
            states=found.states,
            schedules=found.ends,
            complete=found.complete,
            seconds=process_time() - began,
        )
        for wrong, path in found.wrong:
            lines = _played(scenario, path, folder)
            flag = " --bundles" if bundles else ""
            command = f"{COMMAND} schedule{flag} {name} '{moves.written(path)}'"
            report.wrong.append("\n".join([*lines, *wrong, f"Again: {command}"]))
    return report


def thrown(name: str, seeds: range) -> Report:
    """Play random schedules."""
    report = Report(f"{name}, seeds {seeds.start:,} to {seeds.stop - 1:,}")
    began = process_time()
    meeting, reader = THROWN[name]
    with room(bundle_sizes=SMALL_BUNDLES) as folder:
        for seed in seeds:
            one = throw(seed, meeting, Oracle(reader), folder=folder / "clients")
            report.schedules += 1
            report.steps += one.steps
            report.calls += one.steps
            report.faults += one.faults
            report.acknowledged += one.saved
            if one.wrong:
                command = f"{COMMAND} seed {name} {seed}"
                report.wrong.append("\n".join([*one.lines, *one.wrong, f"Again: {command}"]))
    report.seconds = process_time() - began
    return report


def play_seed(name: str, seed: int) -> list[str]:
    """One random schedule again: its lines, and what is wrong."""
    meeting, reader = THROWN[name]
    with room(bundle_sizes=SMALL_BUNDLES) as folder:
        one = throw(seed, meeting, Oracle(reader), folder=folder / "clients")
    return [*one.lines, *(f"WRONG: {wrong}" for wrong in one.wrong)]


def play_schedule(
    name: str, text: str, *, start: Start | None = None, bundles: bool = False
) -> list[str]:
    """One schedule of a search again: its lines, and what is wrong."""
    begin, reader = SEARCHED[name]
    with room(bundle_sizes=_sizes(bundles)) as folder:
        scenario = (start or begin)(folder / "before")
        match = Match(scenario, folder=folder / "match", ticking=False)
        try:
            replay(match, moves.read(text))
            wrong = Oracle(reader).judge(match.world, match.told())
        finally:
            match.close()
    return [*match.lines, *(f"WRONG: {one}" for one in wrong)]


def _sizes(bundles: bool) -> tuple[int, ...]:
    return (4, 2) if bundles else layout.BUNDLE_SIZES


def _played(scenario: Scenario, path: list[Move], folder: Path) -> list[str]:
    match = Match(scenario, folder=folder / "match", ticking=False)
    try:
        return replay(match, path).lines
    finally:
        match.close()
        shutil.rmtree(folder / "match", ignore_errors=True)
