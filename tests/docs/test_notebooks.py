"""The notebooks in examples/ run in a real kernel, and show what they should."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.docs.pages import ROOT

nbformat = pytest.importorskip("nbformat")
nbclient = pytest.importorskip("nbclient")
pytest.importorskip("ipykernel")

NOTEBOOKS = ROOT / "examples" / "notebooks"

# Old releases of these libraries warn of each other; what is tested is ours.
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


def played(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, list[Any]]:
    """The outputs of each cell of a notebook by its source, after a person ran all of it."""
    for variable in ("XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "DATACAT_STORE", "CI"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setenv("DATACAT_USER", "alice")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("IPYTHONDIR", str(folder / "ipython"))
    (folder / "bin").mkdir()
    command = folder / "bin" / "datacat"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m datacat "$@"\n')
    command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{command.parent}{os.pathsep}{os.environ['PATH']}")
    book = nbformat.read(NOTEBOOKS / name, as_version=4)
    nbclient.NotebookClient(
        book, timeout=120, kernel_name="python3", resources={"metadata": {"path": str(folder)}}
    ).execute()
    return {cell.source: cell.outputs for cell in book.cells if cell.cell_type == "code"}


def text(outputs: list[Any]) -> str:
    """What a cell wrote, without colours."""
    said = "".join(one.text for one in outputs if one.output_type == "stream")
    return re.sub(r"\x1b\[[0-9;]*m", "", said).replace("\r", "")


def page(outputs: list[Any]) -> str:
    (shown,) = [one for one in outputs if one.output_type == "execute_result"]
    found: str = shown.data["text/html"]
    return found


def test_the_notebook_about_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cells = played("python.ipynb", tmp_path, monkeypatch)

    def of(begin: str) -> list[Any]:
        return next(outputs for source, outputs in cells.items() if begin in source)

    assert "Saved cmr@v1: 1 file" in page(of('message="first import"'))
    assert all(cell in page(of("datacat.ls(")) for cell in ("<td", ">cmr<", ">v2<", ">alice<"))
    assert page(of("datacat.log(")).count("<tr>") == 3
    assert "labels.csv" in page(of("datacat.diff("))
    assert "unchanged" in page(of("datacat.status("))
    card = next(shown for source, shown in cells.items() if source.endswith("\nds"))
    assert "<strong>cmr@v2</strong>" in page(card)
    assert "48.9" in page(of("datacat.connect()"))
    assert "made from" in page(of("datacat.run("))
    assert "seed" in page(of("datacat.run("))
    assert "mean-lvef@v1" in page(of("datacat.show("))
    (error,) = of("crm@v1")
    assert error.output_type == "error"
    assert error.ename == "NotFound"
    assert len(error.traceback) <= 4
    assert "no dataset named 'crm'" in error.traceback[0]
    assert "cmr" in "\n".join(error.traceback[1:])
    assert not any("Traceback" in line for line in error.traceback)
    assert not any(one.output_type == "stream" and one.name == "stderr" for one in of("pd.read"))


def test_the_notebook_about_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cells = played("commands.ipynb", tmp_path, monkeypatch)

    def said(begin: str) -> str:
        return next(text(outputs) for source, outputs in cells.items() if begin in source)

    assert "Saved cmr@v1" in said("mkdir cmr")
    assert re.search(r"cmr +v1 +alice", said("!datacat ls"))
    assert "cmr-again@v1" in said("mkdir cmr-again")
    assert "same as cmr@v1" in said("mkdir cmr-again")
    assert "changed" in said("datacat status")
    assert "labels.csv" in said("datacat diff")
    assert "55.03" in said("round(avg(lvef)")
    assert "exit code" in said("datacat rm"), said("datacat rm")
    assert not any(
        "Choose" in text(outputs) or "[y/N]" in text(outputs) for outputs in cells.values()
    )
    counted = next(outputs for source, outputs in cells.items() if "json.loads" in source)
    assert counted[-1].data["text/plain"] == "2"
