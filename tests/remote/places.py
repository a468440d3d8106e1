"""Where a store of each kind may lie, and the fixture of the server that it needs."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.servers.azurite import CONTAINER
from tests.servers.gcs import BUCKET as GCS_BUCKET
from tests.servers.s3 import BUCKET

_SERVERS = {"s3": "s3", "sftp": "sshd", "gcs": "gcs", "azure": "azure"}

_PLACES: dict[str, Callable[[Path], str]] = {
    "posix": lambda folder: str(folder / "store"),
    "s3": lambda folder: f"s3://{BUCKET}/{uuid.uuid4().hex}",
    "sftp": lambda folder: f"sftp://hub{folder}/by-ssh",
    "gcs": lambda folder: f"gs://{GCS_BUCKET}/{uuid.uuid4().hex}",
    "azure": lambda folder: f"az://{CONTAINER}/{uuid.uuid4().hex}",
    "memory": lambda folder: f"memory://{uuid.uuid4().hex}",
}


def place_of(kind: str, folder: Path, request: pytest.FixtureRequest) -> str:
    """The URL of a store of this kind that does not exist yet, its server running.

    Skips where that is not installed.
    """
    if kind in _SERVERS:
        request.getfixturevalue(_SERVERS[kind])
    return _PLACES[kind](folder)
