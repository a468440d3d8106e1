"""Bars of one workload: stored bytes, adds and pulls, each against `cp`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from versus.results import Case, Measured
from versus.tools import PEERS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LIMIT = 6.0  # times cp; longer bars are cut, and say how long they would be
SHADES = ("#1f4e79", "#5b8db8", "#b3cde3")
OURS = ("#8c2d04", "#d9713c", "#f7b88a")


def _stored(measured: Measured) -> list[float]:
    sizes = [float(measured.stored(n)) for n in range(measured.steps)]
    return [now - before for before, now in zip([0.0, *sizes], sizes, strict=False)]


def _adds(measured: Measured) -> list[float]:
    return [measured.add(n).wall for n in range(measured.steps)]


def _pulls(measured: Measured) -> list[float]:
    return [measured.pull(n).wall for n in range(measured.steps)]


def draw(case: Case, *, title: str, path: Path) -> None:
    """One picture with three panels; within a bar, one shade for each version."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    names = [name for name in PEERS if name in case.peers and case.peers[name].rounds]
    figure, panels = plt.subplots(
        1, 3, figsize=(11, 0.9 + 0.27 * len(names)), sharey=True, layout="constrained"
    )
    for panel, label, parts in (
        (panels[0], "stored bytes", _stored),
        (panels[1], "add, seconds", _adds),
        (panels[2], "pull, seconds", _pulls),
    ):
        _bars(panel, {name: parts(case.peers[name]) for name in names}, label)
    panels[0].invert_yaxis()
    figure.suptitle(f"{title} (shades: v1, v2, v3; cp = 1)", fontsize=11)
    figure.savefig(path, dpi=110, metadata={"Software": None})


def _bars(panel: Axes, rows: dict[str, list[float]], label: str) -> None:
    unit = sum(rows["cp"]) if "cp" in rows else max(sum(row) for row in rows.values())
    for place, (name, row) in enumerate(rows.items()):
        left = 0.0
        for value, colour in zip(row, OURS if name.startswith("datacat") else SHADES, strict=False):
            width = min(max(0.0, value / unit), LIMIT - left)
            panel.barh(place, width, left=left, color=colour, height=0.72)
            left += width
        total = sum(row) / unit
        length = f" » {total:.2f}" if total > LIMIT else f" {total:.2f}"
        panel.text(left, place, length, va="center", fontsize=8)
    panel.set_yticks(range(len(rows)), list(rows), fontsize=9)
    panel.axvline(1.0, color="#888888", linewidth=0.7, linestyle=":")
    panel.set_xlim(0, min(LIMIT, max(sum(row) / unit for row in rows.values())) * 1.15)
    panel.set_title(label, fontsize=9)
    panel.tick_params(axis="x", labelsize=8)
    panel.spines[["top", "right"]].set_visible(False)
