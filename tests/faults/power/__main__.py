"""Cut the power of a drive at every call of every command that changes a store.

    python -m tests.faults.power [ext4] [xfs] [--part 0/2] [--minutes 30]

Needs root, loop devices and the programs that make the file systems; what cannot be had is skipped,
with the reason. Prints what was tried.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from tests.faults.campaigns.ran import record
from tests.faults.power import drive as drives
from tests.faults.power.cuts import AT_THE_END, COMMANDS, LOT, Cuts, cut_until
from tests.faults.system_calls import kernel
from tests.faults.system_calls.campaign import calls_of

Point = tuple[str, int]


def points(*, number: int, of: int) -> list[Point]:
    """Each call that a command makes in the store, and its end, of the commands in turn."""
    found: list[Point] = []
    for command in COMMANDS:
        calls = len(calls_of(command, "cut", jobs=1))
        found += [(command, at) for at in (*range(1, calls + 1), AT_THE_END)]
    chosen = found[number % of :: of]
    # In turn, so that a run that is cut short has met all of them.
    lots = max(1, -(-len(chosen) // LOT))
    return [point for first in range(lots) for point in chosen[first::lots]]


def rows(kind: str, all_cuts: list[Cuts]) -> Iterator[str]:
    """Of the table."""
    cuts, inside = sum(one.cuts for one in all_cuts), sum(one.inside for one in all_cuts)
    told, wrong = sum(one.acknowledged for one in all_cuts), sum(len(one.wrong) for one in all_cuts)
    yield f"| {kind} | {cuts} | {inside} | {told} | {wrong} |"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.power", description=__doc__)
    parser.add_argument("kinds", nargs="*", default=["ext4", "xfs"])
    parser.add_argument("--part", default="0/1", help="the K-th of N parts: 0/2")
    parser.add_argument("--minutes", type=float, default=24 * 60, help="begin no more after that")
    parser.add_argument("--keep", default="", help="record what was done, as the run of that name")
    given = parser.parse_intermixed_args()
    kinds = []
    for kind in given.kinds:
        if reason := kernel.unavailable() or drives.unavailable(kind):
            print(f"{kind}: skipped, {reason}")
        else:
            kinds.append(kind)
    if not kinds:
        return 0
    number, of = (int(text) for text in given.part.split("/"))
    until = time.time() + 60 * given.minutes
    chosen = points(number=number, of=of)
    print(f"{len(chosen)} points", flush=True)
    with ProcessPoolExecutor(len(kinds), mp_context=get_context("spawn")) as pool:
        running = {kind: pool.submit(cut_until, kind, chosen, until) for kind in kinds}
        found = {kind: one.result() for kind, one in running.items()}
    print("| File system | Power cuts | inside a command | Acknowledged | Wrong |")
    print("|---|---|---|---|---|")
    for kind, cuts in found.items():
        print("\n".join(rows(kind, cuts)))
        if given.keep:
            counts = {
                "cuts": sum(one.cuts for one in cuts),
                "inside": sum(one.inside for one in cuts),
                "acknowledged": sum(one.acknowledged for one in cuts),
            }
            wrong = sum(len(one.wrong) for one in cuts)
            part = f"{given.keep} {given.part}"
            record(f"power {kind}", part=part, counts=counts, wrong=wrong)
    return int(any(one.wrong for cuts in found.values() for one in cuts))


if __name__ == "__main__":
    sys.exit(main())
