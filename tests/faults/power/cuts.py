"""Commands on a store whose drive loses its power, at any call or just when they are done."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from datacat.errors import DatacatError
from tests.faults.power.drive import Drive, drive
from tests.faults.system_calls.place import Place, WrongError
from tests.faults.system_calls.scenarios import SCENARIOS, Trial
from tests.faults.system_calls.watched import Fault, Watched

LOT = 30
"""Cuts on one store, in a long run."""

COMMANDS = ("first add", "add of an edit", "rm", "restore", "gc", "alias")
"""What changes a store."""

AT_THE_END = 10_000
"""A call that no command comes to: the power goes when it has answered."""

NO_FOLDER_SYNC = (
    "datacat.backend.posix.fsync_folder",
    "datacat.backend.posix_folders.fsync_folder",
)
NO_FILE_SYNC = ("datacat.backend.posix_staged.fsync_file",)
"""Known-bad programs: they do not make names, or bytes, durable."""


class PoweredPlace(Place):
    """A store on a drive whose power goes during or after each command that is watched."""

    def __init__(self, folder: Path, drive: Drive) -> None:
        super().__init__(folder, store=drive.folder / "store")
        self._drive = drive

    def watch(self, *arguments: str, fault: Fault) -> Watched:
        ended = super().watch(*arguments, fault=fault)
        if ended.ended.killed:
            self._drive.restart()
        else:
            self._drive.cut()
        return ended


@dataclass
class Cuts:
    """What was tried on one kind of file system, and found."""

    kind: str
    cuts: int = 0
    inside: int = 0
    """Those that fell into a command, and not behind it."""

    acknowledged: int = 0
    wrong: list[str] = field(default_factory=list)


def cut_at(kind: str, points: Iterable[tuple[str, int]], *, without: Sequence[str] = ()) -> Cuts:
    """Cut the power at these calls of these commands, one after the other, on one store."""
    found = Cuts(kind)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="datacat-power-")))
        made = stack.enter_context(drive(kind, folder))
        place = PoweredPlace(folder, made)
        stack.callback(place.close)
        try:
            for number, (command, at) in enumerate(points):
                fault = Fault("cut", at, under=str(made.folder), without=tuple(without))
                trial = Trial(place, fault, number)
                found.cuts += 1
                SCENARIOS[command](trial)
                found.inside += trial.reached
            place.check_all()
        except (WrongError, DatacatError) as wrong:
            found.wrong.append(f"{command}, call {at}, run {number}: {wrong}")
        found.acknowledged = place.acknowledged
    return found


def cut_until(kind: str, points: Sequence[tuple[str, int]], until: float) -> list[Cuts]:
    """All of them in lots, until that time; says after each what it found."""
    found = []
    for first in range(0, len(points), LOT):
        if time.time() > until:
            break
        found.append(cut_at(kind, points[first : first + LOT]))
        one = found[-1]
        print(f"{kind}: {one.cuts} cuts, {one.acknowledged} versions", *one.wrong, flush=True)
    return found
