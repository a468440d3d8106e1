"""Stores that were hurt or forged in every way: no traceback, no wrong byte, no hang.

`DATACAT_TEST_EFFORT=371` tries 10,000 of them.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import EFFORT
from tests.faults.mutations import MUTATIONS

SHARDS = 3
STORES = max(9, round(9 * EFFORT))
"""Mutated stores of each shard."""

ROOT = Path(__file__).parents[2]


def reports(folder: Path, first: int, count: int) -> list[dict[str, Any]]:
    """What a process of its own says of `count` mutated stores."""
    process = subprocess.run(
        [sys.executable, "-m", "tests.faults.mutated", str(folder), str(first), str(count)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stderr[-4000:]
    return [json.loads(line) for line in process.stdout.splitlines()]


@pytest.mark.parametrize("shard", range(SHARDS))
def test_mutated_stores(
    tmp_path: Path, shard: int, record_property: Callable[[str, object], None]
) -> None:
    """Each command gives the truth, or says what is damaged and by which name."""
    found = reports(tmp_path, shard * STORES, STORES)
    assert len(found) == STORES
    record_property("mutated stores", len(found))
    wrong = [
        f"seed {one['seed']} ({', '.join(one['how'])}; {one['client']}): {what}"
        for one in found
        for what in one["wrong"]
    ]
    assert not wrong, "\n".join(wrong[:20])
    # Or nothing was tried: most mutations do harm, and nearly all are noticed by verify.
    said = Counter(kind for one in found for kind in one["said"].values())
    assert said["exact"] > STORES
    assert sum(said.values()) - said["exact"] > STORES // 2
    assert len({how for one in found for how in one["how"]}) > 7


def test_every_mutation_is_tried() -> None:
    """With the seeds of the shards, so that none is forgotten."""
    assert len(MUTATIONS) <= SHARDS * STORES
