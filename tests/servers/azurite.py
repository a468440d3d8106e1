"""Azurite: Microsoft's own emulator of Azure Blob Storage, on loopback."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.servers.shared import free_ports, need, shared_server

CONTAINER = "team"
ACCOUNT = "devstoreaccount1"
# The key that Azurite has for everybody.
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="

WITHOUT = "no Azurite or no adlfs (npm install --global azurite, pip install '.[azure]')"


@dataclass(frozen=True)
class AzureServer:
    """Where it listens, and how to be let in."""

    endpoint: str

    @property
    def connection_string(self) -> str:
        return (
            f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={KEY};"
            f"BlobEndpoint={self.endpoint}/{ACCOUNT};"
        )


@contextmanager
def azure_server(factory: pytest.TempPathFactory) -> Iterator[AzureServer]:
    """The Azure server of this test run. Skips where there is none."""
    need(shutil.which("azurite-blob"), "adlfs", without=WITHOUT)
    with shared_server("azurite", factory, command=_command, is_ready=_is_ready) as facts:
        yield AzureServer(str(facts["endpoint"]))


def _command(folder: Path) -> tuple[list[str], dict[str, object]]:
    (port,) = free_ports(1)
    (folder / "data").mkdir(exist_ok=True)
    azurite = shutil.which("azurite-blob")
    assert azurite is not None
    command = [azurite, "--silent", "--disableTelemetry", "--skipApiVersionCheck"]
    command += ["--blobHost", "127.0.0.1", "--blobPort", str(port)]
    command += ["--location", str(folder / "data")]
    return command, {"endpoint": f"http://127.0.0.1:{port}"}


def _is_ready(facts: Mapping[str, object]) -> bool:
    """A server that answers is ready when it has made the container."""
    from azure.core.exceptions import AzureError, ResourceExistsError
    from azure.storage.blob import BlobServiceClient

    server = AzureServer(str(facts["endpoint"]))
    with BlobServiceClient.from_connection_string(server.connection_string) as client:
        try:
            client.create_container(CONTAINER, retry_total=0, connection_timeout=2)
        except ResourceExistsError:
            pass
        except AzureError:
            return False
    return True
