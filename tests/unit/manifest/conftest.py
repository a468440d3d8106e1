from __future__ import annotations

from collections.abc import Iterator

import pytest

from datacat.sql import Workspace


@pytest.fixture(scope="module")
def workspace() -> Iterator[Workspace]:
    """One for all tests of a file: each makes its tables anew."""
    with Workspace() as opened:
        yield opened
