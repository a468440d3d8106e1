"""Users of this machine, made once for all tests that a worker runs."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.machine import Logins, Machine, new_logins


@pytest.fixture(scope="session")
def logins() -> Iterator[Logins]:
    with new_logins() as made:
        yield made


@pytest.fixture
def machine(logins: Logins) -> Iterator[Machine]:
    folder = Path(tempfile.mkdtemp(prefix="datacat-users-", dir="/tmp"))
    folder.chmod(0o755)
    made = Machine(folder, logins)
    try:
        yield made
    finally:
        shutil.rmtree(folder)
