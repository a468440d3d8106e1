"""One trial: save each version of a workload with one peer, then get each one back."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from apart import apart
from measure import Failed, disk_usage, remove, settle, timed

from versus.peer import Peer
from versus.results import Round, StepResult
from versus.trees import advance, differs
from versus.workload import Step, Workload

DATACAT = str(Path(sys.executable).with_name("datacat"))
TOUCHED_MIB_MAX = 6 << 10  # more memory than any peer needs is not worth the touching


@dataclass(frozen=True)
class Place:
    """The folders of one trial."""

    root: Path

    @property
    def work(self) -> Path:
        return self.root / "work"

    @property
    def store(self) -> Path:
        return self.root / "store"

    @property
    def home(self) -> Path:
        return self.root / "home"

    @property
    def out(self) -> Path:
        return self.root / "out"

    def clear(self) -> None:
        """Remove what an earlier trial left."""
        subprocess.run(["chmod", "-R", "u+w", str(self.root)], capture_output=True)  # git-annex
        remove(self.root)


def environment(tools: Path | None) -> dict[str, str]:
    """The environment in which peers are looked for: the folder of tools comes first."""
    # As an installed package is: compiled.
    inherited = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    found = {**inherited, "DATACAT": DATACAT, "VERSUS": str(Path(__file__).parent)}
    if tools is not None:
        found["PATH"] = f"{tools.resolve() / 'bin'}{os.pathsep}{found['PATH']}"
    return found


def run_trial(
    peer: Peer,
    workload: Workload,
    versions: Path,
    place: Place,
    *,
    base: Mapping[str, str],
    limit_seconds: float,
) -> Round:
    """Measure every step of one peer. Raises `Failed` when a command does, or a copy differs."""
    place.clear()
    for folder in (place.work, place.store, place.home):
        folder.mkdir(parents=True)
    _shell(peer, peer.init, place, base)
    before: Path | None = None
    added = []
    for index, step in enumerate(workload.steps):
        after = versions / f"v{index + 1}"
        apart(advance, place.work, before=before, after=after)
        touch = _touch(after / step.folder)
        settle(place.work / step.folder, touch_mib=touch)
        took = timed(
            ["sh", "-e", "-c", peer.add],
            environment=_variables(peer, place, base, workload, index),
            cwd=place.work,
            limit_seconds=limit_seconds,
        )
        os.sync()  # a file system may count blocks only once they are written
        added.append((took, apart(disk_usage, place.store)))
        before = after
    results = []
    for index, (step, (took, stored)) in enumerate(zip(workload.steps, added, strict=True)):
        expected = versions / f"v{index + 1}" / step.folder
        remove_out(place)
        settle(place.store, touch_mib=_touch(expected))
        got = timed(
            ["sh", "-e", "-c", peer.pull],
            environment=_variables(peer, place, base, workload, index),
            cwd=place.work,
            limit_seconds=limit_seconds,
        )
        wrong = apart(differs, expected, place.out / step.folder)
        if wrong:
            raise Failed(f"the copy of step {index + 1} is not what was saved: {wrong}")
        results.append(StepResult(add=took, stored_bytes=stored, pull=got))
    place.clear()
    return Round(results)


def remove_out(place: Place) -> None:
    """Remove the copy that the pull before left."""
    if place.out.exists():
        subprocess.run(["chmod", "-R", "u+w", str(place.out)], check=True)
        remove(place.out)


def _touch(folder: Path) -> int:
    return min(TOUCHED_MIB_MAX, apart(disk_usage, folder) * 2 >> 20)


def _shell(peer: Peer, script: str, place: Place, base: Mapping[str, str]) -> None:
    step = Workload("", "", "", lambda *_: None, (Step("", 0),))
    variables = _variables(peer, place, base, step, 0)
    timed(["sh", "-e", "-c", script or ":"], environment=variables, cwd=place.work)


def _variables(
    peer: Peer, place: Place, base: Mapping[str, str], workload: Workload, index: int
) -> dict[str, str]:
    step = workload.steps[index]
    return {
        **base,
        "HOME": str(place.home),
        "XDG_CACHE_HOME": str(place.home / "cache"),
        "XDG_CONFIG_HOME": str(place.home / "config"),
        "XDG_DATA_HOME": str(place.home / "share"),
        "DVC_SITE_CACHE_DIR": str(place.home / "dvc"),
        "RESTIC_REPOSITORY": str(place.store / "restic"),
        "BORG_REPO": str(place.store / "borg"),
        "DATACAT_STORE": str(place.store),
        "STORE": str(place.store),
        "OUT": str(place.out),
        "FOLDER": step.folder,
        "REF": f"{step.folder}@v{step.version}",
        "STEP": f"v{index + 1}",
        "PREVIOUS": f"v{index}" if index else "",
        **peer.environment,
    }
