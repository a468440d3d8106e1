"""Stores in a bucket, and a proxy that counts and breaks the requests to it."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers.proxy import Proxy
from tests.servers.s3 import BUCKET, S3Server


@pytest.fixture
def url(s3: S3Server) -> str:
    """The URL of a store that does not exist yet."""
    return f"s3://{BUCKET}/{uuid.uuid4().hex}"


@pytest.fixture
def proxy(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    """Every request to the server goes through it."""
    with Proxy(s3.endpoint).running() as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.endpoint)
        yield proxy


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A folder with many small files, a larger one, an empty one and a link."""
    folder = tmp_path / "cmr"
    (folder / "sub é+%").mkdir(parents=True)
    for number in range(60):
        (folder / "sub é+%" / f"{number} #?.bin").write_bytes(os.urandom(3_000 + number))
    (folder / "scan.bin").write_bytes(os.urandom(3_000_000))
    (folder / "labels.csv").write_text("".join(f"{n},{n % 7}\n" for n in range(200_000)))
    (folder / "empty").touch()
    (folder / "link").symlink_to("labels.csv")
    return folder
