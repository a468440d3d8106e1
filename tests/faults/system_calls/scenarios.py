"""Commands that are run with a fault: what has to be there before, and what may be there after."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass

from tests.faults.system_calls.place import Known, Place, WrongError
from tests.faults.system_calls.watched import Fault, Watched
from tests.trees import Tree, file, read_tree, without_times, write_tree

WORK, KEPT = 10**6, (10**6 + 1, 10**6 + 2)
"""Seeds of content that no trial has as its number: what is known already is not saved again."""


@dataclass
class Trial:
    """One command with one fault, on a place that had any number of them before."""

    place: Place
    fault: Fault
    number: int
    """Of this trial on this place: what is saved is new each time."""

    calls: tuple[tuple[str, str], ...] = ()
    reached: bool = False
    """Whether there was such a call: else the command came to its end without a fault."""

    def run(self, *arguments: str) -> Watched:
        """The command, with the fault."""
        ended = self.place.watch(*arguments, fault=self.fault)
        self.calls = ended.calls
        self.reached = 0 < self.fault.at <= len(ended.calls)
        self.place.check_answer(ended)
        return ended

    def again(self, *arguments: str, accepted: str = "") -> None:
        """The command once more, without a fault: it succeeds, or says `accepted`, which means
        that it was done the first time."""
        ended = self.place.alice.watch(*arguments)
        said = ended.ended.err
        if ended.code and not (accepted and accepted in said):
            raise WrongError(f"once more, {arguments} said {ended.code}: {said[-2000:]}")


def noise(number: int, size: int) -> bytes:
    return random.Random(number).randbytes(size)


def tree_of(number: int, *, changed: int | None = None) -> Tree:
    """Files of each kind: in a pack, kept whole (two, which are written together), in chunks. Some
    differ with `changed`."""
    new = number if changed is None else changed
    rows = b"".join(b"%d,%d\n" % (n, n * n % 977) for n in range(4000))
    return {
        "a.txt": file(b"number %d" % new),
        "sub/whole.bin": file(noise(number, 6_000)),
        "sub/whole-2.bin": file(noise(10**6 + number, 5_000)),
        "sub/rows.csv": file(rows[:20_000] + b"%d\n" % new + rows[20_000:]),
    }


def _save(trial: Trial, name: str, tree: Tree) -> None:
    place = trial.place
    write_tree(place.home / name, tree)
    known = place.known.setdefault(name, Known())
    before = len(known.trees)
    ended = trial.run("add", name)
    came = place.check(name, tree)
    if ended.ended.out.startswith(f"{name}@v") and not came:
        raise WrongError("an acknowledged version is not there")
    if came and ended.code not in {0, 7, -9}:
        raise WrongError(f"exit code {ended.code}, and a version: {ended.ended.err}")
    if ended.code:
        trial.again("add", name)
        came = place.check(name, None if came else tree) or came
    if not came or len(known.trees) != before + 1:
        raise WrongError("not exactly one version")


def first_add(trial: Trial) -> None:
    """The first version of a dataset."""
    _save(trial, f"first{trial.number}", tree_of(trial.number))


def edit(trial: Trial) -> None:
    """The next version of a dataset, mostly of content that is there."""
    place = trial.place
    if "work" not in place.known:
        write_tree(place.home / "work", tree_of(WORK))
        trial.again("add", "work")
        place.saved("work", tree_of(WORK))
    _save(trial, "work", tree_of(WORK, changed=trial.number + 1))


def _some_version(place: Place) -> Known:
    if "kept" not in place.known:
        for number in KEPT:
            tree = tree_of(number)
            place.carol.add(write_tree(place.folder / "kept", tree), name="kept")
            place.saved("kept", tree)
    return place.known["kept"]


def remove(trial: Trial) -> None:
    """Into the trash with one version; somebody else restores it."""
    place, known = trial.place, _some_version(trial.place)
    ended = trial.run("rm", "kept@v1", "--force")
    there = [version.number for version in place.carol.versions("kept")]
    if ended.code == 0 and 1 in there:
        raise WrongError("removed, and still there")
    if 1 not in there:
        if ended.code not in {0, 7, -9}:
            raise WrongError(f"exit code {ended.code}, and removed: {ended.ended.err}")
        known.trashed.add(1)
    place.check("kept")
    trial.again("rm", "kept@v1", "--force", accepted="is in the trash")
    known.trashed.add(1)
    place.check("kept")
    place.carol.restore(["kept@v1"])
    known.trashed.clear()
    place.check("kept")


def restore(trial: Trial) -> None:
    """Back from the trash with one version."""
    place, known = trial.place, _some_version(trial.place)
    place.carol.rm(["kept@v1"], force=True)
    ended = trial.run("restore", "kept@v1")
    there = 1 in [version.number for version in place.carol.versions("kept")]
    if ended.code == 0 and not there:
        raise WrongError("restored, and not there")
    if there and ended.code not in {0, 7, -9}:
        raise WrongError(f"exit code {ended.code}, and restored: {ended.ended.err}")
    if not there:
        known.trashed.add(1)
        place.check("kept")
    trial.again("restore", "kept@v1")
    known.trashed.clear()
    place.check("kept")


def collect(trial: Trial) -> None:
    """Away with a version that shares content with one that stays."""
    place, known = trial.place, _some_version(trial.place)
    name = f"old{trial.number}"
    tree = {**tree_of(trial.number), "shared.bin": tree_of(KEPT[0])["sub/whole.bin"]}
    place.carol.add(write_tree(place.folder / name, tree), name=name)
    place.saved(name, tree)
    place.carol.rm([name], force=True)
    place.known[name].gone.add(1)
    shutil.rmtree(place.folder / name)
    trial.run("gc", "--older-than", "0d", "--yes")
    place.check("kept")
    trial.again("gc", "--older-than", "0d", "--yes")
    copy = place.folder / "copy"
    place.carol.pull("kept@v1", dest=copy)
    if without_times(read_tree(copy)) != without_times(known.trees[0]):
        raise WrongError("what is kept reads otherwise")
    shutil.rmtree(copy)


def alias(trial: Trial) -> None:
    """A name for a version, which everybody may move."""
    place = trial.place
    _some_version(place)
    # A fault before this one may have left it anywhere.
    start, goal = (1, 2) if trial.number % 2 else (2, 1)
    place.carol.alias(f"kept@v{start}", "gold")
    ended = trial.run("alias", f"kept@v{goal}", "gold")
    now = place.carol.show("kept@gold").version.number
    if now not in {start, goal} or (ended.code == 0 and now != goal):
        raise WrongError(f"exit code {ended.code}, and it points to v{now}")
    if now == goal and ended.code not in {0, 7, -9}:
        raise WrongError(f"exit code {ended.code}, and it was moved: {ended.ended.err}")
    trial.again("alias", f"kept@v{goal}", "gold")
    if place.carol.show("kept@gold").version.number != goal:
        raise WrongError("the alias was not moved")
    place.check("kept")


def pull(trial: Trial) -> None:
    """A working copy: whatever is in it is true, and a second pull completes it."""
    place, known = trial.place, _some_version(trial.place)
    name = f"copy{trial.number}"
    wanted = without_times(known.trees[1])
    ended = trial.run("pull", "kept", "-d", name)
    copy = place.home / name
    found = without_times(read_tree(copy)) if copy.exists() else {}
    for path, entry in found.items():
        if entry.kind == "file" and wanted.get(path) != entry:
            raise WrongError(f"{path} is not what was saved")
    if ended.code == 0 and found != wanted:
        raise WrongError("pulled, and not complete")
    trial.again("pull", "kept", "-d", name)
    if without_times(read_tree(copy)) != wanted:
        raise WrongError("pulled again, and not complete")
    shutil.rmtree(copy)


Scenario = Callable[[Trial], None]
SCENARIOS: dict[str, Scenario] = {
    "first add": first_add,
    "add of an edit": edit,
    "rm": remove,
    "restore": restore,
    "gc": collect,
    "alias": alias,
    "pull": pull,
}
