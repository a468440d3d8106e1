"""The backends that the contract is tried on. A new backend joins by one more entry."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from datacat.backend import Backend
from datacat.backend.memory import MemoryBackend
from datacat.backend.posix import PosixBackend
from datacat.backend.retry import RetryingBackend
from tests.contract.lossy import LosingReplies

FOLDERS = [
    "catalog/",
    "catalog/log/",
    "manifests/",
    "manifests/ab/",
    "segments/",
    "packs/",
    "packs/ab/",
    "copies/",
    "tmp/",
]

ODD_NAME = "a [b]*?' \"%20#\n né 名\u0301"


def retrying(backend: Backend) -> RetryingBackend:
    return RetryingBackend(backend, sleep=lambda seconds: None, random=lambda: 0.5, attempts=6)


def make_memory(folder: Path) -> Backend:
    return MemoryBackend(uuid.uuid4().hex)


MAKERS: dict[str, Callable[[Path], Backend]] = {
    "posix": lambda folder: PosixBackend(folder / "store"),
    "posix-odd-name": lambda folder: PosixBackend(folder / ODD_NAME),
    "memory": make_memory,
    "retrying-posix": lambda folder: retrying(PosixBackend(folder / "store")),
    "losing-posix": lambda folder: retrying(LosingReplies(PosixBackend(folder / "store"))),
    "losing-memory": lambda folder: retrying(LosingReplies(make_memory(folder))),
}


@pytest.fixture(params=MAKERS)
def backend(request: pytest.FixtureRequest, tmp_path: Path) -> Backend:
    made = MAKERS[request.param](tmp_path)
    made.initialise(FOLDERS, group=None, shared=True)
    return made


@pytest.fixture
def posix(tmp_path: Path) -> PosixBackend:
    made = PosixBackend(tmp_path / "store")
    made.initialise(FOLDERS, group=None, shared=True)
    return made
