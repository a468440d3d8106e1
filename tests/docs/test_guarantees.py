"""Every test that `docs/guarantees.md` names is there."""

from __future__ import annotations

import re

from tests.docs.pages import ROOT, spans
from tests.faults.campaigns import ran, reached

PAGE = ROOT / "docs" / "guarantees.md"


def test_every_promise_names_tests_that_exist() -> None:
    rows = [line for line in PAGE.read_text().splitlines() if line.startswith("| ")]
    promises = [row for row in rows if not re.match(r"\| (Promise|---)", row)]
    assert len(promises) > 15
    for row in promises:
        if row.count("|") == 4:
            assert "`tests/" in row, f"nothing holds it: {row}"
    named = {span for span in spans(PAGE) if span.startswith("tests/")}
    missing = [name for name in named if not (ROOT / name).exists()]
    assert not missing


def test_the_table_says_what_ran() -> None:
    """`make campaigns` writes it: nothing else does."""
    kept = ran.runs()
    assert not any(run.wrong for run in kept)
    assert PAGE.read_text() == reached.page(PAGE.read_text(), kept)
