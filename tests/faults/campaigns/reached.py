"""The table of what was reached, in `docs/guarantees.md`: from the runs that were kept, and nothing
else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.faults.campaigns.ran import Ran, runs

PAGE = Path(__file__).resolve().parents[3] / "docs" / "guarantees.md"
BEGIN, END = "<!-- reached -->\n", "<!-- end of reached -->\n"


@dataclass(frozen=True)
class Goal:
    """A number to reach: the sum of a count over all runs of some campaigns, or of all."""

    what: str
    count: str
    to_reach: int
    command: str
    campaigns: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()
    """Counts that are shown behind the number."""

    def row(self, kept: Sequence[Ran]) -> str:
        """Of the table; empty-handed goals say so."""
        own = [
            run
            for run in kept
            if (not self.campaigns or run.campaign in self.campaigns) and self.count in run.counts
        ]
        counts: Counter[str] = Counter()
        for run in own:
            counts.update(run.counts)
        reached = counts[self.count]
        shown = ", ".join(f"{counts[part]:,} {part}" for part in self.parts if counts[part])
        said = f"{reached:,}" + (f" ({shown})" if shown else "")
        wrong = sum(run.wrong for run in own) if own else "not run"
        enough = "yes" if reached >= self.to_reach else "**no**"
        goal = (f"≥ {self.to_reach:,}", enough) if self.to_reach else ("", "")
        command = f"`{self.command}`" if self.command else ""
        cells = (self.what, goal[0], said, wrong, goal[1], command)
        return "| " + " | ".join(str(cell) for cell in cells) + " |\n"


ERRORS = ("EIO", "ENOSPC", "EDQUOT", "EINTR", "ESTALE", "EACCES", "EROFS", "EMFILE")
KINDS = ("pack", "whole", "manifest", "segment", "record", "store", "bundle")

GOALS = (
    Goal("Versions that somebody was told of", "acknowledged", 20_000, ""),
    Goal(
        "of them by real processes",
        "acknowledged",
        0,
        "",
        ("kill", "fail", "stop", "soak", "power ext4", "power xfs"),
    ),
    Goal("Commands killed at a system call", "faults", 2_000, "make faults ARGS=kill", ("kill",)),
    Goal(
        "Calls that failed", "faults", 5_000, "make faults ARGS=fail", ("fail",), ("runs", *ERRORS)
    ),
    Goal("Power cuts, ext4", "cuts", 100, "make power ARGS=ext4", ("power ext4",), ("inside",)),
    Goal("Power cuts, XFS", "cuts", 100, "make power ARGS=xfs", ("power xfs",), ("inside",)),
    Goal(
        "Steps of the simulator",
        "steps",
        1_000_000,
        "make simulate",
        ("simulate",),
        ("states", "schedules", "faults"),
    ),
    Goal(
        "Seconds of 16 writers, with `rm` and `gc` beside them",
        "seconds",
        600,
        "make soak",
        ("soak",),
        ("kills", "collections", "acknowledged", "left"),
    ),
    *(
        Goal(f"Bits flipped: {kind}", f"flips of a {kind}", 200, "make campaigns ARGS=damage")
        for kind in KINDS
    ),
    Goal("Hostile paths", "hostile paths", 300, "make campaigns ARGS=hostile"),
    Goal("Hostile SQL", "hostile SQL", 200, "make campaigns ARGS=hostile"),
    Goal("Hostile JSON", "hostile JSON", 100, "make campaigns ARGS=hostile"),
    Goal("Mutated stores", "mutated stores", 10_000, "make campaigns ARGS=mutated"),
)


def _whole(kept: Sequence[Ran]) -> Iterator[str]:
    """Parts of which every call was killed at."""
    for run in kept:
        if run.campaign == "kill" and run.counts.get("planned") == run.counts["runs"]:
            commands = run.part.partition("/1 ")[2]
            if commands:
                yield (
                    f"Every call was killed at ({run.counts['runs']:,} runs, writes also in their"
                    f" middle), with one thread (`-j1`) or two (`-j2`): {commands}.\n\n"
                )


def table(kept: Sequence[Ran]) -> str:
    """The text between the marks of the page."""
    lines = [
        "| What | To reach | Done | Wrong | Reached | Command |\n",
        "|---|---|---|---|---|---|\n",
    ]
    lines += [goal.row(kept) for goal in GOALS]
    first, last = min(run.on for run in kept), max(run.on for run in kept)
    hours = sum(run.seconds for run in kept) / 3600
    when = f"on {first}" if first == last else f"from {first} to {last}"
    said = f"{len(kept)} runs {when}, {hours:.1f} hours of one or two processes in all.\n\n"
    return said + "".join(_whole(kept)) + "".join(lines)


def page(text: str, kept: Sequence[Ran]) -> str:
    """The page with its table written anew."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return before + BEGIN + table(kept) + END + after


def write() -> None:
    """Write the page anew."""
    PAGE.write_text(page(PAGE.read_text(), runs()))
