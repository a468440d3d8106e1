"""Eight processes, one slot: exactly one of them wins it, on every kind of storage."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from datacat import layout
from datacat.backend import open_backend
from tests.contract.conftest import MAKERS, SERVERS

RACERS = 8
ASKED = int(os.environ.get("DATACAT_RACE_SLOTS", "0"))
"""So many slots instead of the few that are tried each time: `make race`."""

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("kind", "slots"), [("posix", 200), ("s3", 5), ("gcs", 20), ("azure", 40), ("sftp", 60)]
)
def test_every_slot_has_one_winner(
    kind: str, slots: int, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    slots = ASKED or slots
    if server := SERVERS.get(kind):
        request.getfixturevalue(server)
    backend = MAKERS[kind](tmp_path)
    backend.initialise(layout.directories(), group=None, shared=True)
    racers = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.remote.slots", backend.url, f"r{number}", str(slots)],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(RACERS)
    ]
    for racer in racers:
        assert racer.stdout is not None
        assert racer.stdout.readline() == "ready\n"
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write("go\n")
        racer.stdin.flush()
    won = [
        [int(n) for n in racer.communicate(timeout=240 + 8 * slots)[0].split()] for racer in racers
    ]
    assert [racer.returncode for racer in racers] == [0] * RACERS
    assert sorted(slot for own in won for slot in own) == list(range(slots))
    looking = open_backend(backend.url)
    for number, own in enumerate(won):
        for slot in own:
            data = looking.read(f"catalog/log/0000000/{slot:020d}.json")
            assert data == f"r{number} {slot}".encode()
