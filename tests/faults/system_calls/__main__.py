"""Kill or stop commands at every system call that changes a file, and let every such call fail.

    python -m tests.faults.system_calls [stop] [kill] [fail] [--part 1/8] [--minutes 60] [--jobs N]
    python -m tests.faults.system_calls try 'first add' fail 12 EIO onward

The first tries all of it (hours on two cores), or an evenly spread part, or what there is time
for, and prints what was tried; the second tries one fault again.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from itertools import chain, zip_longest
from multiprocessing import get_context

from tests.faults.campaigns.ran import record
from tests.faults.system_calls.campaign import (
    PLACE_TRIALS,
    Report,
    Task,
    attempt,
    calls_of,
    tasks,
)
from tests.faults.system_calls.kernel import unavailable
from tests.faults.system_calls.scenarios import SCENARIOS
from tests.faults.system_calls.stopped import STOPPED

Batch = list[Task]


@dataclass(frozen=True)
class Part:
    """Which of all runs: the `number`-th of `of` parts; `only` commands, with their threads."""

    number: int
    of: int
    only: tuple[str, ...]
    after: int = 0
    """So many of each command were done before."""

    def __str__(self) -> str:
        after = [f"after {self.after}"] * bool(self.after)
        return " ".join([f"{self.number}/{self.of}", *after, *self.only])


def batches(act: str, *, part: Part, planned: Counter[str]) -> Iterator[Batch]:
    """All that is to be tried, in lots of one store each, and of every command in turn; adds how
    much that is to `planned`."""
    number, of = part.number, part.of
    kinds = [(name, 1) for name in (STOPPED if act == "stop" else SCENARIOS)]
    if act == "kill":  # with two threads their calls come in any order
        kinds += [(name, 2) for name in SCENARIOS]
    kinds = [
        (name, jobs) for name, jobs in kinds if not part.only or f"{name} -j{jobs}" in part.only
    ]
    lots: list[list[Batch]] = []
    seen = 0
    for name, jobs in kinds:
        calls = calls_of(name, act, jobs=jobs)
        found = list(tasks(name, act, calls, jobs=jobs))
        # A part, and a run that is cut short, has all kinds of errors at calls from everywhere.
        random.Random(f"{name} {act}").shuffle(found)
        chosen = [task for n, task in enumerate(found, seen) if n % of == number % of]
        chosen = chosen[part.after :]
        seen += len(found)
        planned[act] += len(chosen)
        print(f"{name}, {act}, -j{jobs}: {len(calls)} calls, {len(chosen)} runs", flush=True)
        lots.append([chosen[at : at + PLACE_TRIALS] for at in range(0, len(chosen), PLACE_TRIALS)])
    return (one for one in chain.from_iterable(zip_longest(*lots)) if one)


def rows(reports: Sequence[Report]) -> Iterator[str]:
    """A table in Markdown: what was tried of each command."""
    yield "| Command | Fault | Runs | Faults | of which | Acknowledged | Wrong |"
    yield "|---|---|---|---|---|---|---|"
    pairs = sorted({(one.act, one.scenario) for one in reports}, reverse=True)
    for act, scenario in [*pairs, ("", "all")]:
        own = [one for one in reports if not act or (one.act, one.scenario) == (act, scenario)]
        kinds: Counter[str] = Counter()
        for one in own:
            kinds.update(one.kinds)
        which = ", ".join(f"{count:,} {kind}" for kind, count in kinds.most_common())
        trials, faults = sum(one.trials for one in own), sum(one.faults for one in own)
        told, wrong = sum(one.acknowledged for one in own), sum(len(one.wrong) for one in own)
        yield f"| {scenario} | {act} | {trials:,} | {faults:,} | {which} | {told:,} | {wrong} |"


def _keep(act: str, part: str, reports: Sequence[Report], *, planned: int) -> None:
    counts = Counter(
        planned=planned,
        runs=sum(one.trials for one in reports),
        faults=sum(one.faults for one in reports),
        acknowledged=sum(one.acknowledged for one in reports),
    )
    for one in reports:
        counts.update(one.errors)
    record(act, part=part, counts=counts, wrong=sum(len(one.wrong) for one in reports))


def campaign(acts: Sequence[str], *, part: Part, jobs: int, seconds: float, keep: str) -> int:
    """Try it all; prints what is wrong at once, and the table at last."""
    reports: list[Report] = []
    planned: Counter[str] = Counter()
    until = time.monotonic() + seconds
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        waiting = [
            pool.submit(attempt, batch)
            for act in acts
            for batch in batches(act, part=part, planned=planned)
        ]
        for done in as_completed(waiting):
            if done.cancelled():
                continue
            report = done.result()
            reports.append(report)
            told = f"{report.trials} runs, {report.faults} faults, {report.acknowledged} versions"
            print(f"{report.act} {report.scenario}: {told}, {len(report.wrong)} wrong", flush=True)
            for wrong in report.wrong:
                print(f"WRONG {wrong}", flush=True)
            if time.monotonic() > until:
                for one in waiting:
                    one.cancel()
    print("\n".join(rows(reports)))
    if keep:
        for act in acts:
            own = [one for one in reports if one.act == act]
            _keep(act, f"{keep} {part}", own, planned=planned[act])
    return int(any(one.wrong for one in reports))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.system_calls")
    parser.add_argument("what", nargs="*", default=["stop", "kill", "fail"])
    parser.add_argument("--part", default="0/1", help="the K-th of N parts: 0/8")
    parser.add_argument("--minutes", type=float, default=24 * 60, help="begin no more after that")
    parser.add_argument("-j", "--jobs", type=int, default=2)
    parser.add_argument("--after", type=int, default=0, help="so many of each command were done")
    parser.add_argument("--only", action="append", default=[], help="'gc -j1': with one thread")
    parser.add_argument("--keep", default="", help="record what was done, as the run of that name")
    given = parser.parse_intermixed_args()
    if reason := unavailable():
        print(f"skipped: {reason}")
        return 0
    if given.what[0] == "try":
        _, scenario, act, at, *more = given.what
        error = next((word for word in more if word != "onward"), "")
        task = Task(scenario, act, int(at), error, "onward" in more)
        report = attempt([task])
        print("\n".join(report.wrong) or f"{task}: as it should be")
        return len(report.wrong)
    number, of = (int(text) for text in given.part.split("/"))
    return campaign(
        given.what,
        part=Part(number, of, tuple(given.only), given.after),
        jobs=given.jobs,
        seconds=60 * given.minutes,
        keep=given.keep,
    )


if __name__ == "__main__":
    sys.exit(main())
