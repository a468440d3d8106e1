"""`datacat` processes that are killed at an exact step, after some time, or that others own.

A server imports datacat once and forks a process for each command: as real as a fresh one, ten
times as cheap. In the child an audit hook counts what Python is about to do to files, in any
thread, and sends SIGKILL to its own process at the step asked for.
"""

from __future__ import annotations

import ast
import contextlib
import importlib
import inspect
import json
import os
import pkgutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
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


FILES = ("out", "err", "steps")


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
    """The server. `run` starts a command as the person of `home` and waits for its end.

    With a `login` the command's process belongs to that user of the machine, who need not be able
    to read this installation: all modules are imported before.
    """

    PROGRAM = "tests.faults.killable"

    def __init__(
        self,
        home: Path,
        environment: Mapping[str, str] | None = None,
        *,
        login: str | None = None,
    ) -> None:
        self._login = login
        self.home = home
        home.mkdir(parents=True, exist_ok=True)
        self._files = [home / name for name in FILES]
        self._server = subprocess.Popen(
            [sys.executable, "-W", "error", "-m", self.PROGRAM],
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
        umask: int = 0o022,
        code: int | None = None,
    ) -> Ended:
        """Run `datacat arguments`; kill it before its step number `at_step`, or after a time."""
        order = {"arguments": arguments, "at_step": at_step, "after_seconds": after_seconds}
        ended = self._ended(self._asked(order | {"login": self._login, "umask": umask}))
        assert code is None or ended.code == code, (arguments, ended)
        return ended

    def _asked(self, order: dict[str, Any]) -> Any:
        """What the server answers."""
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        self._server.stdin.write(json.dumps(order).encode() + b"\n")
        self._server.stdin.flush()
        return json.loads(self._server.stdout.readline())

    def _ended(self, code: int) -> Ended:
        out, err, steps = (file.read_text() if file.exists() else "" for file in self._files)
        return Ended(code, out, err, int(steps or 0))

    def __enter__(self) -> Killable:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        self._server.stdin.close()
        self._server.wait(timeout=60)
        self._server.stdout.close()


def serve() -> None:
    """Fork a process for each order on stdin; answer with its exit code, or -signal."""
    import_everything()
    home = Path(os.environ["HOME"])
    for line in sys.stdin:
        order: dict[str, Any] = json.loads(line)
        for name in FILES:  # a process that is killed at once must not seem to have said something
            (home / name).unlink(missing_ok=True)
        child = os.fork()
        if child == 0:
            command(order, home)
        if order["after_seconds"] is not None:
            time.sleep(order["after_seconds"])
            os.kill(child, signal.SIGKILL)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        sys.stdout.write(f"{code}\n")
        sys.stdout.flush()


def import_everything() -> None:
    """Before the first fork: a child is cheap then, and needs nothing of this installation.

    Also what is imported inside functions, and what other packages import when they are used.
    """
    import datacat

    wanted = {"encodings.idna", "importlib.readers", "rich.table"}
    for module in pkgutil.walk_packages(datacat.__path__, "datacat."):
        if module.name.startswith("datacat.recovery."):
            continue  # scripts that are put into a store; they find each other beside them
        source = inspect.getsource(importlib.import_module(module.name))
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Import):
                wanted.update(alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                wanted.add(node.module)
    for name in sorted(wanted):
        with contextlib.suppress(ImportError):  # of another system, or optional
            importlib.import_module(name)


def become(login: str) -> None:
    """Be this user from now on, with all groups of theirs."""
    import pwd

    entry = pwd.getpwnam(login)
    os.initgroups(login, entry.pw_gid)
    os.setresgid(entry.pw_gid, entry.pw_gid, entry.pw_gid)
    os.setresuid(entry.pw_uid, entry.pw_uid, entry.pw_uid)


def command(
    order: dict[str, Any], home: Path, *, ready: Callable[[], object] = lambda: None
) -> None:
    """Be the process of a command until its end. `ready` is called just before it begins."""
    from datacat.cli.run import run

    at_step = order["at_step"]
    if order["login"]:
        become(order["login"])
    os.umask(order["umask"])
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
    ready()
    code = run(order["arguments"])
    done = steps
    sys.stdout.flush()
    sys.stderr.flush()
    (home / "steps").write_text(str(done))
    os._exit(code)


if __name__ == "__main__":
    serve()
