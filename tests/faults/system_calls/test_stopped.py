"""An adder and a collector that stand still, at the moments at which it matters most, while the
other one goes through a whole cycle. `make faults ARGS=stop` does it at every call."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.faults.system_calls.kernel import unavailable
from tests.faults.system_calls.place import Place
from tests.faults.system_calls.scenarios import Trial
from tests.faults.system_calls.stopped import STOPPED
from tests.faults.system_calls.watched import Fault

pytestmark = pytest.mark.skipif(bool(unavailable()), reason=unavailable() or "-")

MOMENTS = [("add", "link", 5), ("gc", "link", 2), ("gc", "remove", 3)]
"""The record about to be made; about to condemn; about to delete."""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """One for all: to load all modules takes longer than a command."""
    made = Place(tmp_path_factory.mktemp("place"))
    yield made
    made.close()


@pytest.mark.parametrize("number", range(len(MOMENTS)))
def test_standing_still_for_a_whole_cycle(place: Place, number: int) -> None:
    who, kind, at = MOMENTS[number]
    trial = Trial(place, Fault("stop", at, kinds=(kind,), under=str(place.path)), number)
    STOPPED[who](trial)
    assert trial.reached
    place.check_all()
