"""A few of the faults that `make faults` tries: commands that are killed at a call, or whose call
fails. Each leaves what people were told of, and the command succeeds the second time."""

from __future__ import annotations

import errno
import os
import random
from collections.abc import Iterator

import pytest

from tests.conftest import EFFORT
from tests.faults.system_calls.campaign import ERRORS
from tests.faults.system_calls.kernel import unavailable
from tests.faults.system_calls.place import Place, WrongError
from tests.faults.system_calls.scenarios import SCENARIOS, Trial, noise
from tests.faults.system_calls.watched import Fault
from tests.trees import file, write_tree

pytestmark = pytest.mark.skipif(bool(unavailable()), reason=unavailable() or "-")

TRIALS = max(1, round(EFFORT))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """One for all: to load all modules takes longer than a command."""
    made = Place(tmp_path_factory.mktemp("place"))
    yield made
    made.close()


def test_a_call_of_each_kind_is_seen_and_fails(place: Place) -> None:
    """Or no fault would ever befall anything."""
    write_tree(place.home / "seen", {"a": file(b"1"), "b": file(noise(1, 6000))})
    under = str(place.path)
    seen = place.alice.watch("add", "seen", fault=Fault(under=under, reading=True))
    kinds = {kind for kind, _ in seen.calls}
    assert {"open", "write", "fsync", "link", "close", "remove", "mode"} <= kinds
    assert all(path.startswith(under) for _, path in seen.calls)
    for kind, error in (("write", "ENOSPC"), ("link", "EROFS"), ("fsync", "EDQUOT")):
        (place.home / "seen" / "a").write_text(kind)
        fault = Fault("fail", 1, getattr(errno, error), onward=True, kinds=(kind,), under=under)
        failed = place.alice.watch("add", "seen", fault=fault)
        assert {one for one, _ in failed.calls} == {kind}
        assert failed.code in {1, 4}, failed
        place.check_answer(failed)
    # It is the first version; had somebody been told of a second, it would be missing.
    place.saved("seen", {})
    place.saved("seen", {})
    with pytest.raises(WrongError, match="should have"):
        place.check("seen")
    place.known.pop("seen")


def test_half_of_a_write(place: Place) -> None:
    """A process that is killed in the middle of one leaves the first half."""
    write_tree(place.home / "torn", {"a": file(noise(7, 6000))})
    fault = Fault("tear", 2, kinds=("write",), under=str(place.path / "tmp"))
    torn = place.alice.watch("add", "torn", fault=fault)
    assert torn.ended.killed
    sizes = [os.stat(path).st_size for path in (place.path / "tmp").iterdir()]
    assert 3000 in sizes
    place.check("torn")
    place.known.pop("torn")


@pytest.mark.parametrize("at", [36, 37, 40, 41])
def test_what_is_removed_is_said_to_be(place: Place, at: int) -> None:
    """Once its record is there, `rm` does nothing more that could fail: it used to look at the log
    once more, and said that it failed."""
    fault = Fault("fail", at, errno.ENOSPC, under=str(place.path), reading=True, onward=True)
    SCENARIOS["rm"](Trial(place, fault, at))


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_faults(place: Place, scenario: str) -> None:
    """At calls, and with errors, that chance takes."""
    chance = random.Random(scenario)
    top = {"kill": (str(place.folder), 60), "fail": (str(place.path), 30)}
    for number in range(TRIALS):
        act = chance.choice(("kill", "fail"))
        under, last = top[act]
        error = getattr(errno, chance.choice(ERRORS))
        fault = Fault(
            act, chance.randrange(1, last), error, onward=chance.random() < 0.5, under=under,
            reading=act == "fail",
        )  # fmt: skip
        SCENARIOS[scenario](Trial(place, fault, number))
    place.check_all()
