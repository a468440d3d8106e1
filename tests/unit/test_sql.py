"""DuckDB fails in our words, and draws nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from datacat.errors import Failed
from datacat.sql import Workspace

TOO_LARGE = "select len(list(repeat('x', 900) || i)) from range(1000000) t(i)"
"""A list that no spilling helps: it is one value."""


@pytest.mark.parametrize("how", ["execute", "all", "rows"])
def test_what_does_not_fit_in_memory(how: str) -> None:
    with Workspace() as workspace:
        workspace.execute("set memory_limit = '32MiB'")
        with pytest.raises(Failed) as failed:
            list(getattr(workspace, how)(TOO_LARGE))
        assert failed.value.kind == "lists_too_large"
        assert failed.value.hint
        assert "Allocat" not in failed.value.message
        assert workspace.row("select 1") == (1,), "it goes on"


def test_duckdb_draws_nothing_of_ours(tmp_path: Path) -> None:
    """It would, in what it takes for a notebook: a program without a file."""
    code = f"""
from pathlib import Path
from datacat import sql
path = Path({str(tmp_path / "catalog.duckdb")!r})
sql.create_database(path)
asked = "select current_setting('enable_progress_bar')"
with sql.Workspace() as workspace:
    print(workspace.row(asked), next(iter(workspace.rows(asked))))
print(sql.open_database(path, read_only=True).cursor().execute(asked).fetchall())
print(sql.open_for_questions(path, folder=path.parent).execute(asked).fetchall())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.replace("(False,)", "").strip("[] \n") == "", done.stdout
