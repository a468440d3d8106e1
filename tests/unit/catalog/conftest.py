from __future__ import annotations

from pathlib import Path

import pytest

from datacat.backend.memory import MemoryBackend
from datacat.catalog.database import Catalog
from tests.unit.catalog.records import STORE_ID, Chain


@pytest.fixture
def chain() -> Chain:
    return Chain(MemoryBackend())


@pytest.fixture
def catalog(chain: Chain, tmp_path: Path) -> Catalog:
    return Catalog(chain.log, tmp_path / "cache", STORE_ID)
