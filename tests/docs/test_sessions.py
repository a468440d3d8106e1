"""What the pages show of the terminal is what the terminal shows."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

import real_data
from tests.docs.pages import PAGES, ROOT, blocks, name_of
from tests.docs.session import Session, commands, first_missing, loosely

WITH_SESSIONS = [page for page in PAGES if blocks(page, "console")]


@pytest.mark.parametrize("page", WITH_SESSIONS, ids=name_of)
def test_the_sessions_of_a_page_run_as_written(page: Path, tmp_path: Path) -> None:
    session = Session(tmp_path)
    if page.name == "README.md":
        real_data.weather(session.people["alice"].home / "weather")
    if page.name == "five-minutes.md":
        real_data.projects(tmp_path / "shared" / "projects")
        weights = session.people["bob"].home / "runs" / "unet" / "weights.bin"
        weights.parent.mkdir(parents=True)
        weights.write_bytes(random.Random(5).randbytes(5_000))
    for block in blocks(page, "console"):
        session.follow(block)


def test_the_readme_and_the_tutorial_have_sessions() -> None:
    assert {ROOT / "README.md", ROOT / "docs" / "tutorial.md"} <= set(WITH_SESSIONS)


def test_every_line_of_a_session_is_typed_or_shown() -> None:
    for page in WITH_SESSIONS:
        for block in blocks(page, "console"):
            assert block.text.split("$ ")[0] in ("", "alice", "bob"), f"{page}:{block.line}"
            assert commands(block)


@pytest.mark.parametrize(
    ("line", "screen", "same"),
    [
        ("Saved cmr@v1: 3 files, 459.5 kB", "Saved cmr@v1: 3 files, 1.2 MB", True),
        ("Saved cmr@v1: 3 files, 459.5 kB", "Saved cmr@v1: 4 files, 459.5 kB", False),
        ("Saved cmr@v1: 3 files, 459.5 kB", "Saved cmr@v2: 3 files, 459.5 kB", False),
        ("bob, just now.", "bob, 2 minutes ago.", True),
        ("a   b", "a b", True),
        ("a …z", "a anything z", True),
        ("a …z", "b anything z", False),
        ("1 + (2)", "1 + (2)", True),
    ],
)
def test_the_comparison_is_loose_where_it_should_be(line: str, screen: str, same: bool) -> None:
    assert (first_missing([line], [screen]) is None) == same


def test_lines_must_come_in_order() -> None:
    assert first_missing(["a", "c"], ["a", "b", "c"]) is None
    assert first_missing(["c", "a"], ["a", "b", "c"]) == "a"
    assert loosely("v1") == "v1"
