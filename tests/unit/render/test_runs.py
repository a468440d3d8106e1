"""Runs side by side: which columns there are, what is marked, and what is said below."""

from __future__ import annotations

from typing import Any

from datacat.model import Better, Version
from datacat.render.runs import print_runs
from tests.unit.render.conftest import make, version

HOSTILE = "[b]\x1b[31m\u202e\t"


def shown(
    runs: list[Version], *, params: bool = False, metrics: bool = True, **options: Any
) -> tuple[list[str], list[str]]:
    seen = make(**options)
    print_runs(seen.screen, runs, params=params, metrics=metrics)
    return seen.answers.getvalue().splitlines(), seen.notes.getvalue().splitlines()


def run(number: int, dice: Any, message: str = "", **params: Any) -> Version:
    metrics = {} if dice is None else {"dice": dice}
    return version(number, author="bob", metrics=metrics, params=params, message=message)


def test_runs_as_in_the_help() -> None:
    runs = [
        run(9, 0.912, "augment rotations", lr=3e-4, epochs=80),
        run(8, 0.905, "more site 4", lr=3e-4, epochs=60),
        run(7, 0.871, "baseline", lr=1e-3, epochs=60),
    ]
    assert shown(runs) == (
        [
            "VERSION  WHEN         BY   dice     lr      epochs  MESSAGE            ALIASES",
            "v9       2 hours ago  bob  0.912 *  0.0003  80      augment rotations",
            "v8       2 hours ago  bob  0.905    0.0003  60      more site 4",
            "v7       2 hours ago  bob  0.871    0.001   60      baseline",
        ],
        ["* is the best of its column"],
    )
    lines, notes = shown(runs, params=True, metrics=False)
    assert lines[0] == "VERSION  WHEN         BY   lr      epochs  MESSAGE            ALIASES"
    assert notes == []


def test_what_is_the_same_in_all_is_said_once() -> None:
    runs = [
        run(2, 0.5, lr=1, opt="adam", flag=True, seed=1),
        run(1, 0.5, lr=2, opt="adam", flag=True, seed=1.0),
    ]
    lines, notes = shown(runs)
    assert lines[0].split() == ["VERSION", "WHEN", "BY", "dice", "lr", "seed", "MESSAGE", "ALIASES"]
    # Equal values have no best, and 1 is not 1.0.
    assert notes == ["the same in all 2: flag true, opt adam"]
    lines, notes = shown(runs[:1])
    assert "opt" in lines[0].split(), "of one run nothing is the same"
    assert notes == []


def test_what_differs_stays_longest_on_a_narrow_terminal() -> None:
    runs = [run(n, n / 10, "a long message about it", lr=n, opt="adam", k=n % 2) for n in (2, 1)]
    lines, notes = shown(runs, width=30)
    assert lines[0].split() == ["VERSION", "dice", "lr", "k", "ALIASES"]
    assert max(map(len, lines)) <= 30
    assert notes[1:] == [
        "the same in all 2: opt adam",
        "no room for WHEN, BY, MESSAGE; all of it with --json",
    ]
    many = [
        version(n, params={f"p{i}": i + n for i in range(40)}, metrics={"a": n}) for n in (2, 1)
    ]
    lines, notes = shown(many, width=60)
    assert lines[0].split()[:4] == ["VERSION", "a", "p0", "p1"]
    assert "p39" in notes[-1]


def test_a_pipe_gets_everything_as_it_is() -> None:
    runs = [run(2, 1 / 3, lr=1e-7, opt="x" * 100, same=1), run(1, "0,2", same=1)]
    lines, notes = shown(runs, tty=False)
    assert notes == []
    titles, newest, oldest = (line.split("\t") for line in lines)
    assert titles == [
        *("VERSION", "WHEN", "BY", "dice", "lr", "opt", "same"),
        *("CHANGES", "MESSAGE", "ALIASES", "BEST"),
    ]
    assert newest[3:7] == ["0.3333333333333333", "1e-07", "x" * 100, "1"]
    assert oldest[3:7] == ["0,2", "", "", "1"]


def test_directions_that_were_said() -> None:
    runs = [
        version(2, metrics={"seconds": 3, "dice": 0.9}, better={"seconds": Better.MIN}),
        version(1, metrics={"seconds": 4, "dice": 0.8}, better={"dice": Better.MIN}),
    ]
    lines, _ = shown(runs, tty=False)
    assert [line.split("\t")[-1] for line in lines] == ["BEST", "seconds, dice", ""]


def test_names_that_are_titles_or_there_twice_say_what_they_are() -> None:
    runs = [version(1, metrics={"lr": 1, "BY": 2}, params={"lr": 3, "MESSAGE": 4})]
    titles = shown(runs, tty=False)[0][0].split("\t")
    assert titles[3:7] == ["metric.lr", "metric.BY", "param.MESSAGE", "param.lr"]


def test_hostile_names_and_values() -> None:
    runs = [
        version(n, metrics={HOSTILE: n, "t": HOSTILE * 20}, params={HOSTILE * 9: HOSTILE})
        for n in (2, 1)
    ]
    for tty in (True, False):
        lines, notes = shown(runs, tty=tty, width=400)
        text = "\n".join((*lines, *notes))
        assert "\x1b" not in text
        assert "\u202e" not in text
        assert len({line.count("\t") for line in lines}) == 1
        assert len(lines) == 3
