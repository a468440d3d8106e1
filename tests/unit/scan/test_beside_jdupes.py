"""The groups of files are those that another tool finds, which compares them byte by byte."""

from __future__ import annotations

import random
import shutil
import subprocess
from pathlib import Path

import pytest

from datacat.scan.reading import SMALL_BYTES
from tests.conftest import make_client, make_store


@pytest.mark.skipif(shutil.which("jdupes") is None, reason="no jdupes")
def test_the_same_groups_as_jdupes(tmp_path: Path) -> None:
    drive = tmp_path / "drive"
    chance = random.Random(11)
    sizes = [1, 2, 700, 4096, SMALL_BYTES, SMALL_BYTES + 1, 2 * SMALL_BYTES]
    contents: list[bytes] = []
    for number in range(600):
        path = drive / f"{chance.randrange(9)}/{chance.randrange(9)}/{number}"
        path.parent.mkdir(parents=True, exist_ok=True)
        if contents and chance.random() < 0.5:
            data = bytearray(chance.choice(contents))
            if chance.random() < 0.4:
                data[chance.randrange(len(data))] ^= 1
            contents.append(bytes(data))
        else:
            contents.append(chance.randbytes(chance.choice(sizes)))
        path.write_bytes(contents[-1])
    said = subprocess.run(
        ["jdupes", "-r", "-q", str(drive)], capture_output=True, text=True, check=True
    ).stdout
    theirs = {frozenset(block.split("\n")) for block in said.strip().split("\n\n")}
    with make_store("memory", tmp_path, client=make_client(tmp_path)) as store:
        groups = store.scan([drive], files_only=True, limit=None).groups
    assert {frozenset(place.path for place in group.paths) for group in groups} == theirs
    assert len(theirs) > 50
