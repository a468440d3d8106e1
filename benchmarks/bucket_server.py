"""The S3 server of the tests for a benchmark, in a process of its own.

    python benchmarks/bucket_server.py FOLDER [--counted]

It prints, as one line of JSON, the environment that a client needs, and runs until its input ends.
With `--counted` requests pass through a proxy, and each line of input is answered by one with
those since the last: their number by method and kind of key, and the bytes of all answers. A
benchmark must stay small itself (see `apart.py`), so it does not import what runs a server.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT)]

BUCKET = "team"
"""The bucket that the server has."""


class RunningServer:
    """A server that runs elsewhere: what a client of it needs, and what was asked."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.environment: dict[str, str] = self._line()

    def counts(self) -> dict[str, int]:
        """The requests since the last time: `PUT packs`, …, and `received` bytes of answers."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        found: dict[str, int] = self._line()
        return found

    def _line(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit("no server of S3 was started: pip install --group servers '.[s3]'")
        return json.loads(line)


@contextmanager
def bucket_server(folder: Path, *, counted: bool = False) -> Iterator[RunningServer]:
    """Run a server whose data lies in `folder`."""
    command = [sys.executable, __file__, str(folder), *["--counted"] * counted]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield RunningServer(process)
        finally:
            assert process.stdin is not None
            process.stdin.close()


@dataclass
class Folder:
    """`getbasetemp()`: a fixed folder, as the servers of the tests want to be told."""

    path: Path

    def getbasetemp(self) -> Path:
        return self.path


def main() -> None:
    """Run until the input ends."""
    from tests.servers.proxy import Proxy
    from tests.servers.s3 import s3_server

    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    os.chdir(folder)
    with ExitStack() as stack:
        server = stack.enter_context(s3_server(Folder(folder)))  # type: ignore[arg-type]
        environment = server.environment
        proxy = None
        if "--counted" in sys.argv:
            proxy = stack.enter_context(Proxy(server.endpoint).running())
            environment = {**environment, "AWS_ENDPOINT_URL": proxy.endpoint}
        print(json.dumps(environment), flush=True)
        for _ in sys.stdin:
            found: Counter[str] = Counter()
            for request in proxy.requests if proxy is not None else ():
                kind = request.path.removeprefix(f"/{BUCKET}/bench/").partition("/")[0]
                found[f"{request.method} {kind}"] += 1
                found["received"] += request.received
            if proxy is not None:
                proxy.requests.clear()
            print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
