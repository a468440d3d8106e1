"""The tables of peers as Markdown."""

from __future__ import annotations

from versus.results import Case, Measured, Results
from versus.tools import PEERS
from versus.workload import WORKLOADS


def section(results: Results, *, plots: dict[str, str]) -> str:
    """All of it: what was measured where, one table (and plot) per workload, the peers."""
    parts = [_about(results)]
    for name, workload in WORKLOADS.items():
        case = results.cases.get(name)
        if case is None:
            continue
        parts += [f"### {workload.title}", workload.about, _sizes(case), table(case)]
        if name in plots:
            parts.append(f"![{workload.title}: stored bytes and times by tool]({plots[name]})")
    if results.cases:
        parts += ["### The tools and their settings", _peers(results)]
    return "\n\n".join(parts)


def _about(results: Results) -> str:
    if not results.cases:
        return "Not yet run."
    days = sorted({case.measured_on for case in results.cases.values()})
    rounds = [len(m.rounds) for case in results.cases.values() for m in case.peers.values()]
    scale = "" if results.scale == 1 else f" Sizes are {results.scale:g} × what is described."
    return (
        f"Measured on {' to '.join(dict.fromkeys((days[0], days[-1])))}, medians of up to"
        f" {max(rounds, default=0)} rounds: {results.machine}.{scale}"
    )


def _sizes(case: Case) -> str:
    sizes = ", ".join(_megabytes(size) for size in case.version_bytes)
    new = ", ".join(_megabytes(size) for size in case.new_bytes)
    return f"Bytes of each version: {sizes} MB; in new or changed files: {new} MB."


def table(case: Case) -> str:
    """One row per peer; the best of each column is bold, `cp` and `rsync` aside."""
    steps = range(len(case.version_bytes))
    heads = [
        "tool",
        *(f"add v{n + 1}" for n in steps),
        *(f"pull v{n + 1}" for n in steps),
        "peak add",
        "peak pull",
        *(f"stored v{n + 1}" if n == 0 else f"v{n + 1} adds" for n in steps),
    ]
    rows = {
        name: _cells(case.peers[name])
        for name in PEERS
        if name in case.peers and case.peers[name].rounds
    }
    best = [
        min((row[i][1] for name, row in rows.items() if name not in {"cp", "rsync"}), default=None)
        for i in range(len(heads) - 1)
    ]
    lines = [f"| {' | '.join(heads)} |", f"|---{'|--:' * (len(heads) - 1)}|"]
    for name, row in rows.items():
        cells = [
            f"**{text}**" if name not in {"cp", "rsync"} and value == best[i] else text
            for i, (text, value) in enumerate(row)
        ]
        lines.append(f"| {_label(name, case)} | {' | '.join(cells)} |")
    lines += [
        f"| {name} |{' – |' * (len(heads) - 1)}"
        for name in PEERS
        if name in case.peers and not case.peers[name].rounds
    ]
    failed = [
        f"* {name}: {measured.failed.splitlines()[-1]}"
        for name, measured in case.peers.items()
        if measured.failed
    ]
    return "\n".join(lines) + ("\n\n" + "\n".join(failed) if failed else "")


def _label(name: str, case: Case) -> str:
    rounds = len(case.peers[name].rounds)
    most = max(len(measured.rounds) for measured in case.peers.values())
    return name if rounds == most else f"{name} ({rounds} of {most} rounds)"


def _cells(measured: Measured) -> list[tuple[str, float]]:
    steps = range(measured.steps)
    runs = [measured.add(n) for n in steps] + [measured.pull(n) for n in steps]
    cells = [(f"{run.wall:.2f} ({run.cpu:.1f})", run.wall) for run in runs]
    for run_of in (measured.add, measured.pull):
        peak = max(run_of(n).peak_mib for n in steps)
        cells.append((f"{peak:.0f}", peak))
    stored = [measured.stored(n) for n in steps]
    grown = [now - before for before, now in zip([0, *stored], stored, strict=False)]
    return cells + [(_megabytes(size), float(size)) for size in grown]


def _megabytes(size: float) -> str:
    digits = 3 if size < 1e6 else 1 if size < 100e6 else 0
    return f"{size / 1e6:,.{digits}f}"


def _peers(results: Results) -> str:
    lines = ["| tool | version | settings | durable |", "|---|---|---|---|"]
    for name, peer in PEERS.items():
        if name in results.versions:
            durable = "yes" if peer.durable else "no"
            lines.append(f"| {name} | {results.versions[name]} | {peer.note} | {durable} |")
    lines += [
        f"| {name} | not installed: {what} | | |"
        for name, what in results.missing.items()
        if name not in results.versions
    ]
    return "\n".join(lines)
