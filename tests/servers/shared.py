"""One server of a kind for all workers of a test run."""

from __future__ import annotations

import fcntl
import importlib.util
import json
import os
import random
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

KEEPER = Path(__file__).with_name("keeper.py")
READY_SECONDS = 90


def need(server: str | None, package: str, *, without: str) -> None:
    """Skip unless the program of a server and the `package` that talks to it are installed."""
    if server is None or importlib.util.find_spec(package) is None:
        # CI installs them: a run there that tries nothing must not pass.
        (pytest.fail if os.environ.get("CI") else pytest.skip)(without)


def free_ports(count: int, *, above: int = 0) -> list[int]:
    """Ports nobody listens on; those `above` each of them are free as well."""
    found: list[int] = []
    while len(found) < count:
        port = random.randrange(20_000, 32_000)
        if port not in found and _is_free(port) and (not above or _is_free(port + above)):
            found.append(port)
    return found


def _is_free(port: int) -> bool:
    with closing(socket.socket()) as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


@contextmanager
def shared_server(
    name: str,
    factory: pytest.TempPathFactory,
    *,
    command: Callable[[Path], tuple[Sequence[str], Mapping[str, object]]],
    is_ready: Callable[[Mapping[str, object]], bool],
) -> Iterator[dict[str, object]]:
    """What `command(folder)` said of the server that it describes; the first to ask starts it."""
    base = factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / f"server-{name}"
    folder.mkdir(exist_ok=True)
    alive = folder / "alive"
    alive.touch()
    with alive.open("rb") as mine:
        with (folder / "starting").open("w") as turn:
            fcntl.flock(turn, fcntl.LOCK_EX)
            fcntl.flock(mine, fcntl.LOCK_SH)
            said = folder / "facts.json"
            facts = json.loads(said.read_text()) if said.exists() else None
            if facts is None or not is_ready(facts):
                facts = _start(folder, command, is_ready)
                said.write_text(json.dumps(facts))
        yield facts


def _start(
    folder: Path,
    command: Callable[[Path], tuple[Sequence[str], Mapping[str, object]]],
    is_ready: Callable[[Mapping[str, object]], bool],
) -> dict[str, object]:
    line, facts = command(folder)
    with (folder / "log").open("ab") as log:
        keeper = subprocess.Popen(
            [sys.executable, str(KEEPER), str(folder / "alive"), *line],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    deadline = time.monotonic() + READY_SECONDS
    while not is_ready(facts):
        if keeper.poll() is not None or time.monotonic() > deadline:
            raise AssertionError(f"no server: {(folder / 'log').read_text()[-2000:]}")
        time.sleep(0.05)
    # It outlives this process, if others still use it.
    keeper.returncode = 0
    return dict(facts)
