"""Ignore patterns against Git itself: the oracle is `git ls-files` on random trees."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from datacat.working_copy.ignore import IgnoreRules
from datacat.working_copy.patterns import PatternList, parse, parse_lines
from datacat.working_copy.walk import walk

ATOMS = (
    "a", "b", "ab", "c.txt", "*.txt", "*", "?", "[ab]", "[!a]", "**", "a*", "*b", "d", "\\*",
    "\\!a", "a b", "[a-", "[]]", "[!]a]", "a\\", "\\#x", "#x", "[[:alpha:]]", "a**b", "**b",
    "x**", "[a-c]*", "[^a-]", "[]-a]", "[\\]]", "[c-a]", "[[:upper:]-]", "[a[:digit:]]", "[--b]",
    "***", "[[:foo:]]", "[a-\\c]", "[[:a]", " a", "a\\ ", "d/**", "**/b", "a**/b",
)  # fmt: skip
NAMES = (
    "a", "b", "ab", "c.txt", "d", "x", "a b", "!a", "#x", "*", "]", "a\\", "aXb", "a-b", "B",
    "[", "^", "a**", "-", "a ", "1",
)  # fmt: skip


@st.composite
def pattern_lines(draw: st.DrawFn) -> str:
    body = "/".join(draw(st.lists(st.sampled_from(ATOMS), min_size=1, max_size=3)))
    return (
        draw(st.sampled_from(["", "", "", "!"]))
        + draw(st.sampled_from(["", "", "/"]))
        + body
        + draw(st.sampled_from(["", "", "/", " ", "\r"]))
    )


trees = st.recursive(
    st.none(),
    lambda inner: st.dictionaries(st.sampled_from(NAMES), inner, min_size=1, max_size=5),
    max_leaves=20,
)


def make(folder: Path, tree: object) -> None:
    folder.mkdir(exist_ok=True)
    assert isinstance(tree, dict)
    for name, inner in tree.items():
        if inner is None:
            (folder / name).write_bytes(b"")
        else:
            make(folder / name, inner)


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(tree=trees, lines=st.lists(pattern_lines(), min_size=1, max_size=5))
@example(tree={"aX": {"Y": {"b": None}, "b": None}, "a": {"b": None}}, lines=["a**/b"])
@example(tree={"x": {"aX": {"Y": {"b": None}}}}, lines=["x/a**/b"])
@example(tree={"d": {"x": None, "b": {"d": None}}}, lines=["**", "!?", "!b/"])
@example(tree={"a": {"b": None, "c": None}}, lines=["a/", "!a/b"])
@example(tree={"d": {"x.bin": None, "c.txt": None}}, lines=["*", "!*/", "!*.txt"])
def test_the_walk_leaves_out_exactly_what_git_leaves_out(tree: object, lines: list[str]) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary)
        make(root, tree if isinstance(tree, dict) else {"a": None})
        (root / ".datacatignore").write_bytes("\n".join(lines).encode() + b"\n")
        subprocess.run(["git", "init", "-q", root], check=True, capture_output=True)
        listed = subprocess.run(
            ["git", "-C", root, "ls-files", "-z", "--others", "--exclude-from=.datacatignore"],
            check=True,
            capture_output=True,
        ).stdout.decode()
        found: list[str] = []
        report = walk(
            root,
            rules=IgnoreRules.of(root),
            store_path=None,
            sink=lambda rows: found.extend(row[0] for row in rows if row[1] == "file"),
        )
    # A pattern may take .git back in, for us an ordinary folder; Git never lists its own.
    assert sorted(p for p in found if not p.startswith(".git/")) == sorted(
        p for p in listed.split("\0") if p
    )
    assert report.files == len(found)


def test_one_character_is_one_character_also_beyond_ascii() -> None:
    patterns = PatternList(parse_lines(["?.txt", "[é]"]))
    assert patterns.last_match("ü.txt", "ü.txt", is_directory=False) is not None
    assert patterns.last_match("é", "é", is_directory=False) is not None
    assert patterns.last_match("éé", "éé", is_directory=False) is None


def test_names_with_a_newline_are_matched_whole() -> None:
    patterns = PatternList(parse_lines(["*.tmp", "a/*"]))
    assert patterns.last_match("x\n.tmp", "x\n.tmp", is_directory=False) is not None
    assert patterns.last_match("x.tmp\n", "x.tmp\n", is_directory=False) is None
    assert patterns.last_match("a/b\nc", "b\nc", is_directory=False) is not None


def test_blank_lines_and_comments_are_no_patterns() -> None:
    assert parse("") is None
    assert parse("   ") is None
    assert parse("# note") is None
    assert parse("\\# note") is not None


def test_the_pattern_that_decides_is_the_last_that_matches() -> None:
    patterns = PatternList(parse_lines(["*.csv", "!keep.csv", "keep.*/"]))
    decisive = patterns.last_match("d/keep.csv", "keep.csv", is_directory=False)
    assert decisive is not None
    assert decisive.text == "!keep.csv"
    decisive = patterns.last_match("d/keep.csv", "keep.csv", is_directory=True)
    assert decisive is not None
    assert decisive.text == "keep.*/"
