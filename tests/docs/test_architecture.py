"""`docs/architecture.md` names every part of the code, and no path that does not exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.pages import ROOT, name_of, spans

PAGE = ROOT / "docs" / "architecture.md"
WITH_PATHS = [PAGE, ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs" / "decisions").glob("*.md"))]
_PATH = re.compile(r"(?:[a-z_]+/)+(?:[a-z_]+\.(?:py|md))?|[a-z_]+\.py")
STORE_FOLDERS = {"tmp/", "catalog/", "whole/", "packs/", "manifests/", "segments/"}


def test_every_part_of_the_code_is_named() -> None:
    parts = {
        path.stem
        for path in (ROOT / "datacat").iterdir()
        if not path.name.startswith("__") and (path.suffix == ".py" or path.is_dir())
    }
    assert not parts - set(spans(PAGE))


@pytest.mark.parametrize("page", WITH_PATHS, ids=name_of)
def test_paths_that_are_named_exist(page: Path) -> None:
    for span in spans(page):
        if not _PATH.fullmatch(span) or span in STORE_FOLDERS or span == "utils.py":
            continue
        found = [base / span for base in (ROOT, ROOT / "datacat") if (base / span).exists()]
        assert found, f"{span} in {name_of(page)}"
