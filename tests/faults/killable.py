"""`datacat` processes that are killed at an exact step, or after some time.

A server imports datacat once and forks a process for each command: as real as a fresh one, ten
times as cheap. In the child an audit hook counts what Python is about to do to files, in any
thread, and sends SIGKILL to its own process at the step asked for.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
STEPS = {
    "open",
    *("os.chmod", "os.link", "os.listdir", "os.mkdir", "os.remove", "os.rename", "os.rmdir"),
    *("os.scandir", "os.symlink", "os.truncate", "os.utime"),
}


@dataclass(frozen=True)
class Ended:
    """How a command ended. `steps` counts what it did to files, if it got to its end."""

    code: int
    out: str
    err: str
    steps: int

    @property
    def killed(self) -> bool:
        return self.code == -signal.SIGKILL


class Killable:
    """The server. `run` starts a command as the person of `home` and waits for its end."""

    def __init__(self, home: Path, environment: Mapping[str, str] | None = None) -> None:
        self.home = home
        home.mkdir(parents=True, exist_ok=True)
        self._files = [home / name for name in ("out", "err", "steps")]
        self._server = subprocess.Popen(
            [sys.executable, "-W", "error", "-m", "tests.faults.killable"],
            cwd=ROOT,
            env={
                "PATH": os.defpath,
                "PYTHONPATH": str(ROOT),
                "HOME": str(home),
                "TMPDIR": str(home),
                "DATACAT_USER": home.name,
                **(environment or {}),
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def run(
        self,
        *arguments: str,
        at_step: int = 0,
        after_seconds: float | None = None,
        code: int | None = None,
    ) -> Ended:
        """Run `datacat arguments`; kill it before its step number `at_step`, or after a time."""
        order = {"arguments": arguments, "at_step": at_step, "after_seconds": after_seconds}
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        self._server.stdin.write(json.dumps(order).encode() + b"\n")
        self._server.stdin.flush()
        answer = json.loads(self._server.stdout.readline())
        out, err, steps = (file.read_text() if file.exists() else "" for file in self._files)
        ended = Ended(answer, out, err, int(steps or 0))
        assert code is None or ended.code == code, (arguments, ended)
        return ended

    def __enter__(self) -> Killable:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        self._server.stdin.close()
        self._server.wait(timeout=60)
        self._server.stdout.close()


def serve() -> None:
    """Fork a process for each order on stdin; answer with its exit code, or -signal."""
    import datacat.cli.add
    import datacat.cli.pull
    import datacat.front
    import datacat.store  # noqa: F401 - everything is imported before the first fork

    home = Path(os.environ["HOME"])
    for line in sys.stdin:
        order: dict[str, Any] = json.loads(line)
        (home / "steps").unlink(missing_ok=True)
        child = os.fork()
        if child == 0:
            _command(order["arguments"], order["at_step"], home)
        if order["after_seconds"] is not None:
            time.sleep(order["after_seconds"])
            os.kill(child, signal.SIGKILL)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        sys.stdout.write(f"{code}\n")
        sys.stdout.flush()


def _command(arguments: Sequence[str], at_step: int, home: Path) -> None:
    from datacat.cli.run import run

    for number, name in ((0, os.devnull), (1, home / "out"), (2, home / "err")):
        file = os.open(name, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o644)
        os.dup2(file, number)
    os.chdir(home)
    steps = 0

    def hook(event: str, details: tuple[object, ...]) -> None:
        nonlocal steps
        if event in STEPS:
            steps += 1
            if steps == at_step:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)
    code = run(arguments)
    done = steps
    sys.stdout.flush()
    sys.stderr.flush()
    (home / "steps").write_text(str(done))
    os._exit(code)


if __name__ == "__main__":
    serve()
