"""Scans of random folders: with copies, edited copies, hard links, and files that look alike."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datacat.scan.reading import SMALL_BYTES
from datacat.store import Store
from tests.conftest import make_client, make_store, searching
from tests.property.copies_model import Model, check_report

LARGE = SMALL_BYTES + 1000


def _large(place: int) -> bytes:
    """Alike but for one byte: in the middle neither end tells."""
    data = bytearray(b"x" * LARGE)
    data[place] = 0
    return bytes(data)


CONTENTS = [
    b"",
    b"a",
    b"b",
    b"same size 1",
    b"same size 2",
    b"alone",
    _large(3),
    _large(LARGE // 2),
    _large(LARGE // 2 + 1),
    _large(LARGE - 3),
]
NAMES = st.sampled_from(["a", "b", "c", "é"])
FOLDERS = st.lists(NAMES, max_size=3).map("/".join)


WHAT = ["write"] * 5 + ["copy"] * 3 + ["hardlink", "link", "clone", "delete"]


@dataclass(frozen=True)
class Step:
    """One thing that somebody did to a folder; `what` decides which of the fields count."""

    what: str
    source: str
    target: str
    content: int


STEPS = st.lists(
    st.builds(
        Step,
        what=st.sampled_from(WHAT),
        source=FOLDERS,
        target=FOLDERS,
        content=st.integers(0, len(CONTENTS) - 1),
    ),
    min_size=4,
    max_size=25,
)


def do(root: Path, step: Step, number: int) -> None:
    """Do it, as far as it can be done in this folder."""
    source, target = root / step.source, root / step.target
    files = sorted(p for p in source.rglob("*") if p.is_file()) if source.is_dir() else []
    match step.what:
        case "write":
            target.mkdir(parents=True, exist_ok=True)
            name = f"f{step.content % 3}"
            if not (target / name).is_dir():
                (target / name).unlink(missing_ok=True)
                (target / name).write_bytes(CONTENTS[step.content])
        case "copy" | "clone" if source.is_dir() and len(files) < 40:
            place = root / f"copy{number}" / step.target
            with tempfile.TemporaryDirectory(dir=root.parent) as aside:
                copied = Path(aside, "copied")
                how = os.link if step.what == "clone" else shutil.copy2
                shutil.copytree(source, copied, symlinks=True, copy_function=how)
                place.parent.mkdir(parents=True, exist_ok=True)
                copied.rename(place)
        case "hardlink" if files:
            target.mkdir(parents=True, exist_ok=True)
            os.link(files[step.content % len(files)], target / f"h{number}")
        case "link":
            target.mkdir(parents=True, exist_ok=True)
            os.symlink("../nowhere", target / f"l{step.content % 2}{number}")
        case "delete" if files:
            files[step.content % len(files)].unlink()


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    folder = tmp_path_factory.mktemp("scans")
    with make_store("memory", folder, client=make_client(folder)) as opened:
        yield opened


@searching(40)
@given(steps=STEPS)
def test_the_report_is_what_the_bytes_say(store: Store, tmp_path: Path, steps: list[Step]) -> None:
    with tempfile.TemporaryDirectory(dir=tmp_path) as folder:
        root = Path(folder, "drive")
        root.mkdir()
        for number, step in enumerate(steps):
            do(root, step, number)
        model = Model.of(root)
        check_report(model, store.scan([root], limit=None))
        loose = store.scan([root], limit=None, files_only=True)
        check_report(model, loose, rolled_up=False)
        assert {frozenset(p.path for p in g.paths) for g in loose.groups} == model.file_groups()
