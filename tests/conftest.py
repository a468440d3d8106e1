"""Clients and stores for every folder of tests, and how long the property tests search."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings

from datacat.model import LinkMode, Parameters
from datacat.opened import Client
from datacat.store import Store
from tests.servers.azurite import AzureServer, azure_server
from tests.servers.gcs import GcsServer, gcs_server
from tests.servers.s3 import S3Server, s3_server
from tests.servers.sshd import SshServer, ssh_server

BACKENDS = ("posix", "memory")

# DATACAT_TEST_EFFORT=20 searches twenty times as long, with new examples on every run.
EFFORT = float(os.environ.get("DATACAT_TEST_EFFORT", "1"))

# Making a failing sequence of operations smaller takes minutes: ask for it with any value.
SHRINK = "DATACAT_TEST_SHRINK" in os.environ


def searching(examples: int, **more: object) -> settings:
    """Settings for a property that is tried `examples` times by default."""
    return settings(
        max_examples=max(1, round(examples * EFFORT)),
        deadline=None,
        database=None,
        print_blob=True,
        report_multiple_bugs=False,
        phases=[Phase.explicit, Phase.generate, *([Phase.shrink] if SHRINK else [])],
        suppress_health_check=[
            HealthCheck.too_slow,
            HealthCheck.data_too_large,
            HealthCheck.function_scoped_fixture,
        ],
        **more,  # type: ignore[arg-type]
    )


def make_client(folder: Path, user: str = "alice", *, host: str = "hub", jobs: int = 2) -> Client:
    """`user` on the machine `host`, with a cache below `folder`."""
    return Client(user=user, host=host, cache_dir=folder / f"cache-{user}-{host}", jobs=jobs)


def make_store(
    kind: str,
    folder: Path,
    *,
    client: Client,
    parameters: Parameters | None = None,
    link: LinkMode = LinkMode.COPY,
) -> Store:
    """A new store in `folder` or in memory. Others open it with `Store.open(store.url, ...)`."""
    url = str(folder / "store") if kind == "posix" else f"memory://{uuid.uuid4().hex}"
    return Store.create(url, client=client, parameters=parameters, link=link)


@pytest.fixture
def client(tmp_path: Path) -> Callable[..., Client]:
    """`client("bob")`: somebody with a cache of their own."""

    def make(user: str = "alice", *, host: str = "hub", jobs: int = 2) -> Client:
        return make_client(tmp_path, user, host=host, jobs=jobs)

    return make


@pytest.fixture
def store_kind() -> str:
    """Where `store` is. Tests of how bytes are read name it as a parameter, of all `BACKENDS`."""
    return "posix"


@pytest.fixture
def store(store_kind: str, tmp_path: Path, client: Callable[..., Client]) -> Callable[..., Store]:
    """`store("bob")`: the one store of this test, opened by somebody."""
    url = make_store(store_kind, tmp_path, client=client()).url

    def opened(user: str = "alice", *, host: str = "hub") -> Store:
        return Store.open(url, client=client(user, host=host))

    return opened


@pytest.fixture(scope="session")
def s3_running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """The S3 server of this test run; skips where none is installed."""
    with s3_server(tmp_path_factory) as server:
        yield server


@pytest.fixture
def s3(s3_running: S3Server, monkeypatch: pytest.MonkeyPatch) -> S3Server:
    """The S3 server, and its credentials in the environment."""
    for name, value in s3_running.environment.items():
        monkeypatch.setenv(name, value)
    return s3_running


@pytest.fixture(scope="session")
def ssh_running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshServer]:
    """The SSH server of this test run; skips where none is installed."""
    with ssh_server(tmp_path_factory) as server:
        yield server


@pytest.fixture
def sshd(ssh_running: SshServer, monkeypatch: pytest.MonkeyPatch) -> SshServer:
    """The SSH server, and the home of somebody who can log in there."""
    monkeypatch.setenv("HOME", str(ssh_running.home))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    return ssh_running


@pytest.fixture(scope="session")
def azure_running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AzureServer]:
    """The Azure server of this test run; skips where none is installed."""
    with azure_server(tmp_path_factory) as server:
        yield server


@pytest.fixture
def azure(azure_running: AzureServer, monkeypatch: pytest.MonkeyPatch) -> AzureServer:
    """The Azure server, and its credentials in the environment."""
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", azure_running.connection_string)
    return azure_running


@pytest.fixture(scope="session")
def gcs_running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GcsServer]:
    """The emulator of Google Cloud Storage of this test run; skips where none is installed."""
    with gcs_server(tmp_path_factory) as server:
        yield server


@pytest.fixture
def gcs(gcs_running: GcsServer, monkeypatch: pytest.MonkeyPatch) -> GcsServer:
    """The emulator, and where it is in the environment."""
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", gcs_running.endpoint)
    return gcs_running
