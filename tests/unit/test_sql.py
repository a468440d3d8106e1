"""DuckDB's failures arrive in our words."""

from __future__ import annotations

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
