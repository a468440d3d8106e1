"""Measure datacat and other tools on the same data and write tables into `benchmarks/README.md`.

    python benchmarks/peers.py --workdir /path/on/a/disk --write             everything, hours
    python benchmarks/peers.py --workdir /tmp/p --scale 0.05 csv names
    python benchmarks/peers.py --workdir /tmp/p --scale 0.05 --only datacat,restic csv

Each tool saves three versions of each workload and gets each one back into an empty folder, which
is compared byte for byte. What was measured is in `peers.json` in the folder: run again, it goes
on where it was stopped. Tools that are not installed are named and left out; `make bench-peers`
installs what it can.
"""

from __future__ import annotations

import argparse
import os
from datetime import UTC, datetime
from pathlib import Path

from apart import apart
from kept import load
from measure import Failed, between_markers, machine, remove
from versus.peer import Peer
from versus.plot import draw
from versus.results import Case, Measured, Results, new_case
from versus.table import section, table
from versus.tools import PEERS
from versus.trial import Place, environment, run_trial
from versus.workload import WORKLOADS, Workload

HERE = Path(__file__).parent
README = HERE / "README.md"
SLOW_SECONDS = 600.0  # a peer whose trial takes longer is not measured again


def main() -> None:
    given = _arguments()
    given.workdir.mkdir(parents=True, exist_ok=True)
    workdir: Path = given.workdir.resolve()
    kept = workdir / "peers.json"
    results = load(Results, kept, scale=given.scale, machine=machine())
    base = environment(given.tools)
    peers = _installed(given.only, results, base)
    for name in given.workloads:
        _workload(WORKLOADS[name], peers, results, given, base)
        print(f"\n{WORKLOADS[name].title}\n{table(results.cases[name])}\n", flush=True)
        if given.write:
            write(results)
    if given.write:
        write(results)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("workloads", nargs="*", help=", ".join(WORKLOADS))
    parser.add_argument("--workdir", type=Path, required=True, help="a folder on a disk")
    parser.add_argument("--scale", type=float, default=1.0, help="share of the full sizes")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="", metavar="A,B", help=f"of {', '.join(PEERS)}")
    parser.add_argument("--again", action="store_true", help="forget earlier rounds of these")
    parser.add_argument("--limit", type=float, default=1800.0, help="seconds for one command")
    parser.add_argument(
        "--tools",
        type=Path,
        default=HERE.parent / ".venv-peers",
        help="an environment that peers may be installed in",
    )
    parser.add_argument("--write", action="store_true", help="put the tables into the README")
    given = parser.parse_args()
    given.workloads = given.workloads or list(WORKLOADS)
    if unknown := [name for name in given.workloads if name not in WORKLOADS]:
        parser.error(f"no such workload: {', '.join(unknown)}; there are {', '.join(WORKLOADS)}")
    return given


def _installed(only: str, results: Results, base: dict[str, str]) -> list[Peer]:
    """The peers to measure. What is left out is said, and kept for the table."""
    names = [name.strip() for name in only.split(",") if name.strip()] or list(PEERS)
    if unknown := [name for name in names if name not in PEERS]:
        raise SystemExit(f"no such tool: {', '.join(unknown)}; there are {', '.join(PEERS)}")
    found = []
    for name in names:
        peer = PEERS[name]
        what = peer.missing(base)
        if what:
            print(f"{name} is left out: {what} is not installed", flush=True)
            results.missing[name] = what
            continue
        results.missing.pop(name, None)
        results.versions[name] = peer.found_version(base)
        found.append(peer)
    return found


def _workload(
    workload: Workload,
    peers: list[Peer],
    results: Results,
    given: argparse.Namespace,
    base: dict[str, str],
) -> None:
    """Measure one workload: one trial of each peer in turn, so that drift meets all alike."""
    workdir: Path = given.workdir.resolve()
    kept, versions = workdir / "peers.json", workdir / "versions"
    case = results.cases.get(workload.name)
    if given.again and case is not None:
        for peer in peers:
            case.peers.pop(peer.name, None)
    if case is not None and not any(_wanted(case, peer, given.rounds) for peer in peers):
        return
    remove(versions)
    versions.mkdir()
    print(f"{workload.title}: writing the versions", flush=True)
    apart(workload.write, versions, given.scale)
    if case is None:
        case = results.cases[workload.name] = apart(new_case, workload.steps, versions)
    for number in range(given.rounds):
        for peer in peers:
            if not _wanted(case, peer, number + 1):
                continue
            measured = case.peers.setdefault(peer.name, Measured())
            began = datetime.now(UTC)
            try:
                measured.rounds.append(
                    run_trial(
                        peer,
                        workload,
                        versions,
                        Place(workdir / "trial"),
                        base=base,
                        limit_seconds=given.limit,
                    )
                )
            except Failed as error:
                measured.failed = str(error)
                print(f"  {peer.name} failed: {error}", flush=True)
            took = (datetime.now(UTC) - began).total_seconds()
            if took > SLOW_SECONDS and not measured.failed:
                measured.failed = f"one trial takes {took / 60:.0f} minutes: not measured again"
            case.measured_on = began.strftime("%Y-%m-%d")
            results.save(kept)  # before anything is removed: what is measured is never lost
            print(f"  {peer.name}, round {number + 1}: {took:.1f} s", flush=True)
    remove(versions)


def _wanted(case: Case, peer: Peer, rounds: int) -> bool:
    measured = case.peers.get(peer.name, Measured())
    return not measured.failed and len(measured.rounds) < rounds


def write(results: Results) -> None:
    """Put the tables and the plots that there are figures for into the folder of benchmarks."""
    plots = {}
    for name, case in results.cases.items():
        target = HERE / f"peers-{name}.png"
        try:
            apart(draw, case, title=WORKLOADS[name].title, path=target)
        except ModuleNotFoundError as error:
            print(f"no plots: {error}", flush=True)
            break
        plots[name] = target.name
    between_markers(README, "peers", section(results, plots=plots))


if __name__ == "__main__":
    os.umask(0o022)
    main()
