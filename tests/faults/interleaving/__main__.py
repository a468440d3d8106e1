"""Run the simulator, or one schedule of it again.

    python -m tests.faults.interleaving [--jobs N] [--times N]
    python -m tests.faults.interleaving seed crowd 297
    python -m tests.faults.interleaving schedule two_adders 'alice*3 bob alice:lost'

The first goes through every schedule of the small scenarios and plays random ones of the large,
more than a million steps in all, and prints what each run did. A schedule that went wrong is
printed with the command that plays it again.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import partial
from multiprocessing import get_context

from datacat import layout
from tests.faults.campaigns.ran import record
from tests.faults.interleaving.calls import How
from tests.faults.interleaving.explorer import Limits
from tests.faults.interleaving.runs import Report, play_schedule, play_seed, searched, thrown

SILENT = (How.LOST, How.UNANSWERED, How.LATE, How.TWICE)
CUT = 1_000_000
"""States of one search: about 400 MB of memory."""

CUT_IN_FULL = 20_000
"""The same for people with the real verbs, whose every run takes a third of a second."""

CUT_REPAIRS = 5_000
"""The same for repairs, which call four times as often as an add."""


def plan(times: int, only: Sequence[str] = ()) -> list[Callable[[], Report]]:
    """The runs, longest first. `times` multiplies the random ones; `only` the meetings named so."""
    searches = [
        ("two_adders", Limits(2, 1), False),
        ("two_collectors", Limits(states_max=CUT), False),
        ("three_adders", Limits(1, states_max=CUT), False),
        ("adder_and_collector", Limits(1, 1), False),
        ("restorer_and_collector", Limits(1, 1), False),
        ("left_behind", Limits(1, 1), False),
        ("three_adders", Limits(0, 1), False),
        ("two_adders", Limits(1, 1), True),
        ("saver_and_remover", Limits(0, 1), False),
        ("saver_and_collector", Limits(0, 1), False),
        ("saver_and_collector", Limits(1, 1, SILENT, layout.LOG, CUT_IN_FULL), False),
        ("two_collectors_in_full", Limits(0, 1, states_max=CUT_IN_FULL), False),
        ("restorer_and_collector_in_full", Limits(0, 1), False),
        ("two_savers", Limits(1, 1, SILENT, only=layout.LOG), False),
        ("two_editors", Limits(1, 1, SILENT, only=layout.LOG), False),
        ("repairer_and_saver", Limits(0, 1, states_max=CUT_REPAIRS), False),
        ("repairer_and_healer", Limits(0, 1, states_max=CUT_REPAIRS), False),
        ("repairer_and_collector", Limits(0, 0, states_max=CUT_REPAIRS), False),
        ("two_repairers", Limits(0, 1, states_max=CUT_REPAIRS), False),
    ]
    crowds = [range(first, first + 500) for first in range(0, 4_000 * times, 500)]
    people = [range(first, first + 10) for first in range(0, 60 * times, 10)]
    runs = [
        *(partial(searched, name, limits, bundles=bundles) for name, limits, bundles in searches),
        *(partial(thrown, "crowd_of_people", seeds) for seeds in people),
        *(partial(thrown, "crowd_that_repairs", seeds) for seeds in people),
        *(partial(thrown, "crowd", seeds) for seeds in crowds),
    ]
    return [run for run in runs if not only or run.args[0] in only]


def simulate(jobs: int, times: int, only: Sequence[str], keep: str) -> int:
    """Run everything; the exit code."""
    print(f"{'':<62}{'states':>11}{'ends':>9}{'steps':>12}{'calls run':>11}{'CPU s':>9}")
    total = Report("total")
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn"), max_tasks_per_child=1) as pool:
        for done in as_completed([pool.submit(run) for run in plan(times, only)]):
            report = done.result()
            print(report, flush=True)
            total.steps += report.steps
            total.calls += report.calls
            total.states += report.states
            total.schedules += report.schedules
            total.seconds += report.seconds
            total.faults += report.faults
            total.acknowledged += report.acknowledged
            total.wrong += report.wrong
    print(total)
    if keep:
        counts = {
            "steps": total.steps,
            "calls": total.calls,
            "states": total.states,
            "schedules": total.schedules,
            "faults": total.faults,
            "acknowledged": total.acknowledged,
        }
        record(
            "simulate",
            part=" ".join([keep, f"x{times}", *only]),
            counts=counts,
            wrong=len(total.wrong),
        )
    for wrong in total.wrong:
        print(f"\n{wrong}")
    return 1 if total.wrong else 0


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.interleaving")
    parser.add_argument("--jobs", type=int, default=4, help="processes side by side")
    parser.add_argument("--times", type=int, default=1, help="so many times more random schedules")
    parser.add_argument("--only", action="append", default=[], help="this meeting, by its name")
    parser.add_argument("--keep", default="", help="record what was done, as the run of that name")
    again = parser.add_subparsers(dest="again")
    seed = again.add_parser("seed", help="play a random schedule again")
    seed.add_argument("name")
    seed.add_argument("seed", type=int)
    schedule = again.add_parser("schedule", help="play a schedule of a search again")
    schedule.add_argument("--bundles", action="store_true", help="with small bundles")
    schedule.add_argument("name")
    schedule.add_argument("moves")
    options = parser.parse_args()
    if options.again is None:
        return simulate(options.jobs, options.times, options.only, options.keep)
    if options.again == "seed":
        lines = play_seed(options.name, options.seed)
    else:
        lines = play_schedule(options.name, options.moves, bundles=options.bundles)
    print("\n".join(lines))
    return 1 if any(line.startswith("WRONG") for line in lines) else 0


if __name__ == "__main__":
    sys.exit(main())
