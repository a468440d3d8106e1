"""People whose process stands still (SIGSTOP) while somebody else does all of their work."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from tests.faults.system_calls.place import Place, WrongError
from tests.faults.system_calls.scenarios import Trial, noise
from tests.faults.system_calls.watched import Watched
from tests.trees import Tree, file, write_tree

NO_PERIODS = timedelta(0)


def _stopped(trial: Trial, *arguments: str, meanwhile: Callable[[], None]) -> Watched:
    """Run alice's command; when it is stopped, `meanwhile`; then it goes on to its end."""
    with trial.place.alice.stopped(*arguments, fault=trial.fault) as found:
        trial.reached = not found
        if trial.reached:
            meanwhile()
    (ended,) = found
    trial.calls = ended.calls
    trial.place.check_answer(ended)
    return ended


def _old(place: Place, number: int) -> Tree:
    """A dataset `old...` that carol saved and removed, and whose content is nowhere else."""
    tree = {"whole.bin": file(noise(10**7 + number, 6_000)), "a.txt": file(b"old %d" % number)}
    name = f"old{number}"
    place.carol.add(write_tree(place.folder / name, tree), name=name)
    place.saved(name, tree)
    return tree


def _collect(place: Place) -> None:
    """Everything that nobody needs at this moment, without any waiting."""
    from datacat.model import Periods

    place.carol.gc(periods=Periods(trash=NO_PERIODS, uploads=NO_PERIODS))


def adder(trial: Trial) -> None:
    """While alice saves content that is stored already, that is removed and collected; so is what
    she has uploaded."""
    place, number = trial.place, trial.number
    old, name = _old(place, number), f"mine{number}"
    tree = {**old, "more.bin": file(noise(number, 5_000)), "b.txt": file(b"b %d" % number)}
    write_tree(place.home / name, tree)

    def meanwhile() -> None:
        place.carol.rm([f"old{number}"], force=True)
        place.known[f"old{number}"].gone.add(1)
        _collect(place)

    ended = _stopped(trial, "add", name, meanwhile=meanwhile)
    came = place.check(name, tree)
    if ended.ended.out and not came:
        raise WrongError("an acknowledged version is not there")
    if ended.code:
        trial.again("add", name)
        came = place.check(name, None if came else tree) or came
    if not came:
        raise WrongError("nothing was saved")


def collector(trial: Trial) -> None:
    """While alice collects what carol removed, carol saves that content again, and removes and
    collects something else."""
    place, number = trial.place, trial.number
    old, other = _old(place, 2 * number), 2 * number + 1
    _old(place, other)
    place.carol.rm([f"old{2 * number}"], force=True)
    place.known[f"old{2 * number}"].gone.add(1)
    name = f"again{number}"
    tree = {**old, "b.txt": file(b"b %d" % number)}
    write_tree(place.folder / name, tree)

    def meanwhile() -> None:
        place.carol.add(place.folder / name, name=name)
        place.saved(name, tree)
        place.carol.rm([f"old{other}"], force=True)
        place.known[f"old{other}"].gone.add(1)
        _collect(place)
        place.check(name)

    _stopped(trial, "gc", "--older-than", "0d", "--yes", meanwhile=meanwhile)
    if trial.reached:
        place.check(name)
    trial.again("gc", "--older-than", "0d", "--yes")
    if trial.reached:
        place.check(name)
        if not all(one.ok for one in place.carol.verify([name])):
            raise WrongError(f"{name} cannot be read")


STOPPED = {"add": adder, "gc": collector}
