"""Power cuts on real file systems: what was acknowledged is there afterwards, and whole.

`python -m tests.faults.power` makes hundreds of them, at every call of every command.
"""

from __future__ import annotations

import pytest

from tests.conftest import EFFORT
from tests.faults.power import drive as drives
from tests.faults.power.cuts import AT_THE_END, NO_FILE_SYNC, NO_FOLDER_SYNC, cut_at
from tests.faults.system_calls import kernel

pytestmark = pytest.mark.mounts

KINDS = ("ext4", "xfs")
BAD = {"no-folder-sync": NO_FOLDER_SYNC} | ({"no-file-sync": NO_FILE_SYNC} if EFFORT > 1 else {})


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    reason = drives.unavailable(request.param) or kernel.unavailable()
    if reason:
        pytest.skip(reason)
    return str(request.param)


def test_what_was_acknowledged_survives(kind: str) -> None:
    first = [("first add", AT_THE_END), ("first add", 32), ("rm", AT_THE_END)]
    more = [("add of an edit", at) for at in range(5, round(60 * (EFFORT - 1)), 5)]
    found = cut_at(kind, [*first, *more])
    assert found.wrong == []
    assert found.inside >= 1


@pytest.mark.parametrize("without", BAD, ids=BAD)
def test_a_program_that_does_not_sync_is_caught(kind: str, without: str) -> None:
    """Or these drives would lose nothing, and the test above show nothing."""
    # The last that `alias` does is its record; after that of `add` other files are made durable,
    # and both file systems then happen to write down the names before.
    found = cut_at(kind, [("alias", AT_THE_END), ("first add", AT_THE_END)], without=BAD[without])
    assert found.wrong
