"""All faults that are tried: which calls of which command, and what becomes of them."""

from __future__ import annotations

import errno
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

from datacat.errors import DatacatError
from tests.faults.system_calls.place import Place, WrongError
from tests.faults.system_calls.scenarios import SCENARIOS, Scenario, Trial
from tests.faults.system_calls.stopped import STOPPED
from tests.faults.system_calls.watched import Fault

ERRORS = ("EIO", "ENOSPC", "EDQUOT", "EINTR", "ESTALE", "EACCES", "EROFS", "EMFILE")
PLACE_TRIALS = 60
"""Trials on one store before the next one is made: its history is a part of what is tried."""

ALIKE = 50
"""Of so many calls in a row that do the same to one folder after the other, one is tried."""

Calls = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Task:
    """A fault on its way to a command."""

    scenario: str
    act: str
    at: int
    error: str = ""
    onward: bool = False
    jobs: int = 1

    def __str__(self) -> str:
        """What `python -m tests.faults.system_calls try` takes."""
        more = [self.error] * bool(self.error) + ["onward"] * self.onward
        return " ".join([f"'{self.scenario}'", self.act, str(self.at), *more])

    @property
    def run(self) -> Scenario:
        """What is done, and what must be true of it."""
        return (STOPPED if self.act == "stop" else SCENARIOS)[self.scenario]

    def fault(self, place: Place) -> Fault:
        failing, inside = self.act == "fail", self.act in {"fail", "stop", "cut"}
        return Fault(
            self.act,
            self.at,
            getattr(errno, self.error) if self.error else 0,
            onward=self.onward,
            under=str(place.path if inside else place.folder),
            reading=failing,
        )


@dataclass
class Report:
    """What was tried and found."""

    scenario: str
    act: str
    trials: int = 0
    faults: int = 0
    """Processes that were killed, or calls that failed."""

    acknowledged: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    """The calls that met them."""

    errors: Counter[str] = field(default_factory=Counter)
    """What they failed with."""

    wrong: list[str] = field(default_factory=list)


def calls_of(scenario: str, act: str, *, jobs: int) -> Calls:
    """Those of a run to which nothing happens, after one that is no first time."""
    with _new_place(jobs) as place:
        task = Task(scenario, act, 0, jobs=jobs)
        for number in range(2):
            trial = Trial(place, task.fault(place), number)
            task.run(trial)
    return trial.calls


def tasks(scenario: str, act: str, calls: Calls, *, jobs: int) -> Iterator[Task]:
    """Every fault of this kind. A few more than there are calls: no two runs are quite alike."""
    for at in _points(calls):
        if act == "stop":
            yield Task(scenario, "stop", at, jobs=jobs)
        elif act == "kill":
            yield Task(scenario, "kill", at, jobs=jobs)
            if at <= len(calls) and calls[at - 1][0] == "write":
                yield Task(scenario, "tear", at, jobs=jobs)
        else:
            for error in ERRORS:
                # Nobody is interrupted for ever, and Python itself repeats such a call until then.
                for onward in (False, True)[: 1 if error == "EINTR" else 2]:
                    yield Task(scenario, "fail", at, error, onward, jobs)


def _points(calls: Calls) -> Iterator[int]:
    """Numbers of calls, without most of long rows of folders that are only looked into."""
    numbered = enumerate([*calls, ("end", ""), ("end", "")], 1)

    def looked_into(one: tuple[int, tuple[str, str]]) -> bool:
        _, (kind, path) = one
        return kind in {"open", "close"} and len(path.rstrip("/").rpartition("/")[2]) == 2

    for alike, row in groupby(numbered, key=looked_into):
        for n, (at, _) in enumerate(row):
            if not alike or n % ALIKE == 0:
                yield at


def attempt(batch: list[Task]) -> Report:
    """Try some tasks of one scenario, one after the other, on one store."""
    report = Report(batch[0].scenario, "kill" if batch[0].act == "tear" else batch[0].act)
    left = list(reversed(batch))
    while left:
        with _new_place(batch[0].jobs) as place:
            _try_on(place, left, report)
            report.acknowledged += place.acknowledged
    return report


def _try_on(place: Place, left: list[Task], report: Report) -> None:
    """Take from `left` until none is left, or what this store holds is not known any more."""
    task = left[-1]
    try:
        while left:
            task = left.pop()
            trial = Trial(place, task.fault(place), len(left))
            report.trials += 1
            task.run(trial)
            if trial.reached:
                hit = trial.calls[task.at - 1 :] if task.onward else trial.calls[task.at - 1 :][:1]
                report.faults += len(hit)
                report.kinds.update(kind for kind, _ in hit)
                if task.error:
                    report.errors[task.error] += len(hit)
        place.check_all()
    except (WrongError, DatacatError) as wrong:
        report.wrong.append(f"{task}: {wrong}")


@contextmanager
def _new_place(jobs: int) -> Iterator[Place]:
    """A place in a folder that is removed afterwards; in memory, where there is such a folder."""
    memory = Path("/dev/shm")
    above = memory if memory.is_dir() else None
    with tempfile.TemporaryDirectory(prefix="datacat-faults-", dir=above) as folder:
        place = Place(Path(folder), jobs=jobs)
        try:
            yield place
        finally:
            place.close()
