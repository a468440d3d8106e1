"""What was measured of each peer on each workload."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from kept import Kept
from measure import Run

from versus.trees import files_of
from versus.workload import Step


@dataclass(frozen=True)
class StepResult:
    """One version: saving it, what the store took on the disk after, and getting it back."""

    add: Run
    stored_bytes: int
    pull: Run


@dataclass(frozen=True)
class Round:
    """One trial of one peer: each of its steps."""

    steps: list[StepResult]


@dataclass
class Measured:
    """One peer on one workload. `failed` says why there are no (more) rounds."""

    rounds: list[Round] = field(default_factory=list)
    failed: str = ""

    def add(self, step: int) -> Run:
        """Saving one version: medians, and the highest peak."""
        return _middle([found.steps[step].add for found in self.rounds])

    def pull(self, step: int) -> Run:
        """Getting one version: medians, and the highest peak."""
        return _middle([found.steps[step].pull for found in self.rounds])

    def stored(self, step: int) -> int:
        """Bytes on the disk after a version was saved."""
        return int(statistics.median(found.steps[step].stored_bytes for found in self.rounds))

    @property
    def steps(self) -> int:
        return len(self.rounds[0].steps)


def _middle(runs: list[Run]) -> Run:
    return Run(
        wall=statistics.median(run.wall for run in runs),
        cpu=statistics.median(run.cpu for run in runs),
        peak_mib=max(run.peak_mib for run in runs),
    )


@dataclass
class Case:
    """One workload: the bytes of each version, the bytes that are new in it, and its peers."""

    version_bytes: list[int]
    new_bytes: list[int]
    measured_on: str
    peers: dict[str, Measured] = field(default_factory=dict)


def new_case(steps: Sequence[Step], versions: Path) -> Case:
    """A workload that was just written: the size of each version, and of its files that no
    version before had, which is the least that storing whole files can take."""
    sizes: list[int] = []
    new: list[int] = []
    seen: set[int] = set()
    for index, step in enumerate(steps):
        folder = versions / f"v{index + 1}" / step.folder
        found = [(folder / path).stat() for path in files_of(folder)]
        sizes.append(sum(stat.st_size for stat in found))
        new.append(sum(stat.st_size for stat in found if stat.st_ino not in seen))
        seen |= {stat.st_ino for stat in found}
    return Case(sizes, new, "")


@dataclass
class Results(Kept):
    """Everything of one folder."""

    versions: dict[str, str] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    cases: dict[str, Case] = field(default_factory=dict)
