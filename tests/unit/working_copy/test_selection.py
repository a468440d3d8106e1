from __future__ import annotations

import pytest

from datacat.errors import InvalidInput
from datacat.working_copy.selection import PathPatterns, no_match

PATHS = [
    "README.md",
    "a/b.txt",
    "a/c.txt",
    "labels.csv",
    "labels/one.csv",
    "labels/raw/two.nii",
    "labels/raw/x.tmp",
    "old/labels/three.csv",
]


def chosen(*patterns: str) -> list[str]:
    return list(PathPatterns(patterns).select(PATHS))


@pytest.mark.parametrize(
    ("patterns", "expected"),
    [
        (["labels/"], [p for p in PATHS if "labels/" in p]),
        (["/labels/"], [p for p in PATHS if p.startswith("labels/")]),
        (["*.csv"], ["labels.csv", "labels/one.csv", "old/labels/three.csv"]),
        (["a/b.txt"], ["a/b.txt"]),
        (["labels/", "!*.tmp"], [p for p in PATHS if "labels/" in p and not p.endswith(".tmp")]),
        (["labels/", "!labels/raw/"], ["labels/one.csv", "old/labels/three.csv"]),
        (["!labels/raw/", "labels/"], ["labels/one.csv", "old/labels/three.csv"]),
        (["!*.csv"], [p for p in PATHS if not p.endswith(".csv")]),
        (["a/**"], ["a/b.txt", "a/c.txt"]),
        (["nothing"], []),
    ],
)
def test_patterns_take_what_they_name(patterns: list[str], expected: list[str]) -> None:
    assert chosen(*patterns) == expected


def test_the_order_of_paths_does_not_matter() -> None:
    for patterns in (["labels/", "!labels/raw/"], ["*.csv", "a/"]):
        forward = set(PathPatterns(patterns).select(PATHS))
        assert forward == set(PathPatterns(patterns).select(reversed(PATHS)))


def test_patterns_that_match_nothing_are_known_afterwards() -> None:
    patterns = PathPatterns(["*.csv", "labels.*", "label/", "!zzz"])
    assert list(patterns.select(PATHS))
    assert patterns.unmatched == ("label/",)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("label/", "labels/"),
        ("lables.csv", "labels.csv"),
        ("labels/one.cvs", "labels/one.csv"),
        ("/redme.md", "README.md"),
        ("labels/row/", "labels/raw/"),
    ],
)
def test_the_error_names_what_was_probably_meant(typed: str, meant: str) -> None:
    error = no_match("cmr@v3", typed, PATHS)
    assert error.message == f"no file in cmr@v3 matches '{typed}'"
    assert error.hint == f"Did you mean '{meant}'?"
    assert error.exit_code == 3


def test_an_empty_pattern_is_refused() -> None:
    with pytest.raises(InvalidInput):
        PathPatterns([""])
    with pytest.raises(InvalidInput):
        PathPatterns(["# all"])


def test_a_path_deeper_than_the_stack() -> None:
    deep = "/".join(["d"] * 50_000) + "/labels.csv"
    assert list(PathPatterns(["labels.csv"]).select([deep])) == [deep]
