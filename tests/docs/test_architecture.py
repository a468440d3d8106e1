"""`docs/architecture.md` names every part of the code, and no path that does not exist."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from tests.docs.pages import ROOT, code, name_of, spans, table

PAGE = ROOT / "docs" / "architecture.md"
WITH_PATHS = [PAGE, ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs" / "decisions").glob("*.md"))]
_PATH = re.compile(r"(?:[a-z_]+/)+(?:[a-z_]+\.(?:py|md))?|[a-z_]+\.py")
STORE_FOLDERS = {"tmp/", "trash/", "catalog/", "whole/", "packs/", "manifests/", "segments/"}


def test_the_layers_are_those_that_the_linter_enforces() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    contracts = settings["tool"]["importlinter"]["contracts"]
    enforced = next(one["layers"] for one in contracts if one["type"] == "layers")
    listed = [name for row in table(PAGE, "Layer") for name in code(row[1])]
    assert listed == [name for layer in enforced for name in re.split(r" [|:] ", layer)]


@pytest.mark.parametrize("page", WITH_PATHS, ids=name_of)
def test_paths_that_are_named_exist(page: Path) -> None:
    for span in spans(page):
        if not _PATH.fullmatch(span) or span in STORE_FOLDERS or span == "utils.py":
            continue
        found = [base / span for base in (ROOT, ROOT / "datacat") if (base / span).exists()]
        assert found, f"{span} in {name_of(page)}"
