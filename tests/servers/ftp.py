"""An FTP server on loopback that serves a folder: a place that fsspec reaches, and datacat does
not know of."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from ftplib import FTP, all_errors
from pathlib import Path

import pytest

from tests.servers.shared import free_ports, need, shared_server

WITHOUT = "pyftpdlib is not installed (pip install --group servers)"


@contextmanager
def ftp_server(factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """Its URL, and the folder behind it. Skips where there is none."""
    found = importlib.util.find_spec("pyftpdlib")
    need(found.origin if found else None, "fsspec", without=WITHOUT)
    with shared_server("ftp", factory, command=_command, is_ready=_is_ready) as facts:
        yield f"ftp://127.0.0.1:{facts['port']}", Path(str(facts["folder"]))


def _command(folder: Path) -> tuple[list[str], dict[str, object]]:
    (port,) = free_ports(1)
    served = folder / "files"
    served.mkdir(exist_ok=True)
    command = [sys.executable, "-W", "ignore", "-m", "pyftpdlib", "-i", "127.0.0.1"]
    command += ["-p", str(port), "-d", str(served)]
    return command, {"port": port, "folder": str(served)}


def _is_ready(facts: Mapping[str, object]) -> bool:
    try:
        with FTP() as client:
            client.connect("127.0.0.1", int(str(facts["port"])), timeout=2)
            client.login()
    except all_errors:
        return False
    return True
