"""Runs side by side: the metrics and parameters of the versions of one dataset, in `log`.

On a terminal a column must earn its place: what is the same in all runs is said once below the
table, what differs goes first, and the best values are marked. A pipe gets everything.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from datacat.catalog.best import best_metrics, best_runs
from datacat.model import Scalar, Version
from datacat.render.add import scalar_text
from datacat.render.table import Column, left_out, print_table, shorten
from datacat.render.terminal import Screen
from datacat.render.versions import TITLES, version_columns
from datacat.text import printable

BEST = "*"
BEST_TITLE = "BEST"
CELL_MAX = 24
"""A longer text in a cell would cost the columns of three numbers."""


def print_runs(screen: Screen, versions: Sequence[Version], *, params: bool, metrics: bool) -> None:
    """One line for each version, newest first; `metrics` shows parameters too."""
    runs = Runs.of(versions, metrics=metrics)
    if not screen.answer_tty:
        columns = version_columns(screen, values=runs.every_column(params or metrics))
        if metrics:
            columns.append(Column(BEST_TITLE, lambda v: ", ".join(best_metrics(v, runs.best))))
        print_table(screen, columns, versions)
        return
    values = runs.columns()
    columns = version_columns(screen, values=values, with_changes=not values)
    print_table(screen, columns, versions)
    screen.answers.flush()
    screen.note(*_remarks(screen, runs, columns, versions))


@dataclass(frozen=True, slots=True)
class Runs:
    """What there is to compare: names of metrics, of parameters that differ from run to run, and
    those that do not with their value; for each metric, which versions are best."""

    metrics: tuple[str, ...]
    changing: tuple[str, ...]
    constant: Mapping[str, Scalar]
    best: Mapping[str, frozenset[int]]

    @classmethod
    def of(cls, versions: Sequence[Version], *, metrics: bool) -> Runs:
        """`metrics` asks for those too, not only for parameters."""
        names = _by_use(v.params for v in versions)
        constant: dict[str, Scalar] = {}
        for name in names:
            # True, 1 and 1.0 are the same to Python, and written differently.
            kinds = {repr(v.params[name]) if name in v.params else None for v in versions}
            if len(versions) > 1 and len(kinds) == 1:
                constant[name] = versions[0].params[name]
        return cls(
            metrics=tuple(_by_use(v.metrics for v in versions)) if metrics else (),
            changing=tuple(name for name in names if name not in constant),
            constant=constant,
            best=best_runs(versions) if metrics else {},
        )

    def columns(self) -> list[Column[Version]]:
        """For a person: metrics, then what differs. The last are spared first, the first never."""
        return [
            Column(shorten(title, CELL_MAX), partial(cell, name), spare=rank)
            for rank, (title, name, cell) in enumerate(
                [
                    *((title, name, self._metric_cell) for title, name in self._titles(True)),
                    *((title, name, _param_cell) for title, name in self._titles(False)),
                ]
            )
        ]

    def every_column(self, params: bool) -> list[Column[Version]]:
        """For a program: all metrics and parameters, as they are."""
        names = sorted((*self.changing, *self.constant)) if params else []
        return [
            *(Column(t, partial(_whole, True, n)) for t, n in self._titles(True)),
            *(Column(t, partial(_whole, False, n)) for t, n in self._named(names, "param")),
        ]

    def _titles(self, of_metrics: bool) -> Iterator[tuple[str, str]]:
        if of_metrics:
            return self._named(self.metrics, "metric")
        return self._named(self.changing, "param")

    def _named(self, names: Iterable[str], kind: str) -> Iterator[tuple[str, str]]:
        """Each name with its title, which says what it is where the name alone does not."""
        params = {*self.changing, *self.constant}
        for name in names:
            twice = name in self.metrics and name in params
            yield (
                printable(f"{kind}.{name}" if twice or name in (*TITLES, BEST_TITLE) else name),
                name,
            )

    def _metric_cell(self, name: str, version: Version) -> str:
        text = _short(version.metrics.get(name))
        return f"{text} {BEST}" if version.number in self.best.get(name, ()) else text


def _by_use(values: Iterable[Mapping[str, Scalar]]) -> list[str]:
    """Names, those that most runs have first: there is most to compare."""
    counts = Counter(name for of_one in values for name in of_one)
    return sorted(counts, key=lambda name: -counts[name])


def _param_cell(name: str, version: Version) -> str:
    return _short(version.params.get(name))


def _short(value: Scalar) -> str:
    """A value for a person: six digits, and the beginning of a text."""
    if isinstance(value, float):
        return f"{value:.6g}"
    return "" if value is None else shorten(scalar_text(value), CELL_MAX)


def _whole(of_metrics: bool, name: str, version: Version) -> str:
    value = (version.metrics if of_metrics else version.params).get(name)
    return "" if value is None else scalar_text(value)


def _remarks(
    screen: Screen,
    runs: Runs,
    columns: Sequence[Column[Version]],
    versions: Sequence[Version],
) -> Iterator[str]:
    if runs.best:
        yield f"{BEST} is the best of its column"
    if runs.constant:
        same = ", ".join(f"{printable(k)} {_short(v)}" for k, v in sorted(runs.constant.items()))
        yield f"the same in all {len(versions):,}: {same}"
    if hidden := left_out(columns, versions, screen=screen):
        yield f"no room for {', '.join(hidden)}; all of it with --json"
