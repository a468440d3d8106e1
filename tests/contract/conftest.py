"""The backends that the contract is tried on. A new backend joins by one more entry."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from datacat.backend import Backend, open_backend
from datacat.backend.memory import MemoryBackend
from datacat.backend.posix import PosixBackend
from datacat.backend.retry import RetryingBackend
from tests.contract.lossy import LosingReplies
from tests.servers.azurite import CONTAINER
from tests.servers.gcs import BUCKET as GCS_BUCKET
from tests.servers.s3 import BUCKET

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
    "s3": lambda folder: open_backend(f"s3://{BUCKET}/{uuid.uuid4().hex}"),
    "losing-s3": lambda folder: retrying(LosingReplies(open_s3(folder))),
    "gcs": lambda folder: open_backend(f"gs://{GCS_BUCKET}/a b+c#é%20/{uuid.uuid4().hex}"),
    "azure": lambda folder: open_backend(f"az://{CONTAINER}/a b+c#é/{uuid.uuid4().hex}"),
    "sftp": lambda folder: open_backend(f"sftp://hub{folder}/store"),
    "losing-sftp": lambda folder: retrying(LosingReplies(open_sftp(folder))),
}

SERVERS = {
    "s3": "s3",
    "losing-s3": "s3",
    "gcs": "gcs",
    "azure": "azure",
    "sftp": "sshd",
    "losing-sftp": "sshd",
}
"""Which of them need a server, as a fixture."""


WAITS_FOR_LOSERS = frozenset({"s3", "losing-s3"})
"""Whose server lets everybody who lost a race wait for a second: it is raced for less often."""

LISTS_BY_FOLDER = WAITS_FOR_LOSERS
"""Whose server lists all of `ab/` before `ab-c`; AWS compares whole keys. No two names of a store
are of that kind (`test_layout_order`)."""


def open_s3(folder: Path) -> Backend:
    """A store of its own, without the layer that tries again."""
    made = open_backend(f"s3://{BUCKET}/a b+c#é/{uuid.uuid4().hex}")
    assert isinstance(made, RetryingBackend)
    return made.backend


def open_sftp(folder: Path) -> Backend:
    """A store in a folder with an odd name, without the layer that tries again."""
    made = open_backend(f"sftp://hub{folder}/a b+c#é%20")
    assert isinstance(made, RetryingBackend)
    return made.backend


@pytest.fixture(params=MAKERS)
def maker(request: pytest.FixtureRequest) -> str:
    """The name of the backend that the test is run on."""
    return str(request.param)


@pytest.fixture
def backend(maker: str, request: pytest.FixtureRequest, tmp_path: Path) -> Backend:
    if server := SERVERS.get(maker):
        request.getfixturevalue(server)
    made = MAKERS[maker](tmp_path)
    made.initialise(FOLDERS, group=None, shared=True)
    return made


@pytest.fixture
def posix(tmp_path: Path) -> PosixBackend:
    made = PosixBackend(tmp_path / "store")
    made.initialise(FOLDERS, group=None, shared=True)
    return made
