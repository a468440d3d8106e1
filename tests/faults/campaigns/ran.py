"""What long runs of the fault tests did, kept in a file, one line of JSON for each run.

A run is only what was tried and judged in it: what was planned does not count. A later run of the
same campaign and part takes the place of the one before, so that nothing counts twice.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import msgspec

FILE = Path(__file__).with_name("ran.jsonl")

BEGAN = time.time()
"""When this process did: runs say how long they took."""


class Ran(msgspec.Struct, frozen=True, kw_only=True):
    """One run. `part` tells it from others of the same campaign, `counts` by a stable word each."""

    campaign: str
    part: str
    on: str
    seconds: int
    counts: dict[str, int]
    wrong: int


def record(
    campaign: str,
    *,
    part: str,
    counts: Mapping[str, int],
    wrong: int,
    seconds: float | None = None,
    file: Path = FILE,
) -> None:
    """Append a run that ended now."""
    ran = Ran(
        campaign=campaign,
        part=part,
        on=datetime.now(UTC).date().isoformat(),
        seconds=round(time.time() - BEGAN if seconds is None else seconds),
        counts=dict(sorted(counts.items())),
        wrong=wrong,
    )
    with file.open("ab") as lines:
        lines.write(msgspec.json.encode(ran) + b"\n")


def runs(file: Path = FILE) -> list[Ran]:
    """What counts: the last run of each campaign and part."""
    if not file.exists():
        return []
    found: dict[tuple[str, str], Ran] = {}
    for line in file.read_bytes().splitlines():
        ran = msgspec.json.decode(line, type=Ran)
        found.pop((ran.campaign, ran.part), None)
        found[ran.campaign, ran.part] = ran
    return list(found.values())
