"""The examples run to their end, and the demo would notice if a step came out wrong."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from terminal import Person, UnexpectedError, on_screen
from tests.docs.pages import ROOT


def run_example(
    name: str, folder: Path, *, warnings: str = "error"
) -> subprocess.CompletedProcess[str]:
    """Run one example as a person would, with `folder` for its temporary files."""
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    environment = {**os.environ, "TMPDIR": str(folder), "PYTHONPATH": path}
    return subprocess.run(
        [sys.executable, "-W", warnings, str(ROOT / "examples" / name)],
        env=environment,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
def test_the_demo_plays_to_its_end_and_leaves_nothing(tmp_path: Path) -> None:
    played = run_example("demo.py", tmp_path)
    assert played.returncode == 0, played.stdout[-3000:] + played.stderr
    assert "Every step came out as it should" in played.stdout
    assert not list(tmp_path.glob("datacat-demo-*"))


def test_the_library_example_runs(tmp_path: Path) -> None:
    played = run_example("library.py", tmp_path)
    assert played.returncode == 0, played.stderr
    assert "weather@v1: 3 files, 459,530 bytes" in played.stdout
    assert "columns +mean" in played.stdout


def test_a_step_that_comes_out_wrong_stops_the_demo(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    alice = Person("alice", tmp_path)
    alice.types("datacat --version", shows=[r"^datacat \d"])
    with pytest.raises(UnexpectedError, match="no 'nothing like this'"):
        alice.types("datacat --version", shows=["nothing like this"])
    with pytest.raises(UnexpectedError, match="exit code 2, expected 0"):
        alice.types("datacat --no-such-option")
    assert "alice$ datacat --version" in capsys.readouterr().out


def test_the_screen_shows_what_is_left_on_it() -> None:
    assert on_screen("\r\x1b[2K 10%\r\x1b[2K 90%\r\x1b[2Kdone\r\n\x1b[?25hok\r\n") == "done\nok"


def test_a_loader_reads_with_workers_of_both_kinds(tmp_path: Path) -> None:
    played = run_example("loader.py", tmp_path)
    assert played.returncode == 0, played.stderr
    kinds = ("fork", "spawn") if sys.platform == "linux" else ("spawn",)
    assert played.stdout.splitlines() == [
        f"200 files of cmr@v1 by 2 workers ({kind})" for kind in kinds
    ]


@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="PyTorch is not installed")
def test_a_data_loader_of_pytorch_reads_each_file_once_in_every_epoch(tmp_path: Path) -> None:
    played = run_example("torch_loader.py", tmp_path, warnings="default")
    assert played.returncode == 0, played.stderr
    starts = ("fork", "spawn") if sys.platform == "linux" else ("spawn",)
    assert played.stdout.splitlines() == [
        f"200 files of cmr@v1 by 2 workers ({start}), twice" for start in starts
    ]
