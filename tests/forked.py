"""`datacat` commands in processes of their own, forked from one that has imported datacat.

As real as processes that are started anew, and ten times as cheap. There is one server for each
process that tests run in; it starts with the first command.
"""

from __future__ import annotations

import ast
import atexit
import contextlib
import functools
import importlib
import inspect
import json
import os
import pkgutil
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any, NoReturn

ROOT = Path(__file__).resolve().parents[1]
SECONDS_MAX = 120
ORDER_BYTES_MAX = 128 * 1024

STEPS = {
    "open",
    *("os.chmod", "os.link", "os.listdir", "os.mkdir", "os.remove", "os.rename", "os.rmdir"),
    *("os.scandir", "os.symlink", "os.truncate", "os.utime"),
}


@dataclass(frozen=True, kw_only=True)
class Order:
    """A command, who gives it, and where.

    With a `login` the process belongs to that user of the machine, who need not be able to read
    this installation. It is killed before its step `at_step`, or after some seconds.
    """

    arguments: Sequence[str]
    folder: str
    environment: Mapping[str, str]
    login: str | None = None
    umask: int = 0o022
    counting: bool = False
    at_step: int = 0
    after_seconds: float | None = None


@dataclass(frozen=True)
class Ended:
    """How a command ended. `steps` counts what it did to files, if it got to its end."""

    code: int
    out: str
    err: str
    steps: int = 0

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def killed(self) -> bool:
        return self.code == -signal.SIGKILL


def run(order: Order, *, stdin: bytes = b"") -> Ended:
    """Run a command to its end. Its output is decoded like the names of files."""
    with (
        tempfile.TemporaryFile() as given,
        tempfile.TemporaryFile() as out,
        tempfile.TemporaryFile() as err,
    ):
        given.write(stdin)
        given.seek(0)
        code, steps = _ask(order, (given, out, err))
        return Ended(code, _text(out), _text(err), steps)


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode(errors="surrogateescape")


def _ask(order: Order, streams: tuple[IO[bytes], ...]) -> tuple[int, int]:
    """The exit code, or -signal, and the steps."""
    reading, writing = os.pipe()
    with open(reading, "rb", buffering=0) as answers:
        try:
            fds = [*(stream.fileno() for stream in streams), writing]
            socket.send_fds(_server(), [json.dumps(asdict(order)).encode()], fds)
        finally:
            os.close(writing)
        said = b""
        until = time.monotonic() + SECONDS_MAX
        while True:
            if not select.select([answers], [], [], max(0.0, until - time.monotonic()))[0]:
                os.kill(int(said.split()[0]), signal.SIGKILL)
                raise TimeoutError(f"{order.arguments} did not end in {SECONDS_MAX} s")
            part = answers.read(100)
            if not part:
                break
            said += part
    _, *steps, code = (int(word) for word in said.split())  # the first is the id of the process
    return code, sum(steps)


@functools.cache
def _server() -> socket.socket:
    ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with its:
        process = subprocess.Popen(
            [sys.executable, "-W", "error", "-m", "tests.forked", str(its.fileno())],
            cwd=ROOT,
            env={"PATH": os.defpath, "PYTHONPATH": str(ROOT), "LANG": "C"},
            stdin=subprocess.DEVNULL,
            pass_fds=[its.fileno()],
        )

    def end() -> None:
        ours.close()
        process.wait(timeout=60)

    atexit.register(end)
    return ours


def serve(orders: socket.socket) -> None:
    """Fork a process for each order, until nobody is there to give one."""
    import_everything()
    while True:
        data, fds, _, _ = socket.recv_fds(orders, ORDER_BYTES_MAX, 4)
        if not data:
            return
        child = os.fork()
        if child == 0:
            orders.close()
            _attend(Order(**json.loads(data)), fds)
        for fd in fds:
            os.close(fd)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass


def _attend(order: Order, fds: list[int]) -> NoReturn:
    """Start the command, kill it if that is asked for, and tell its exit code."""
    try:
        child = os.fork()
        if child == 0:
            command(order, fds)
        status = fds[-1]
        os.write(status, b"%d " % child)
        if order.after_seconds is not None:
            time.sleep(order.after_seconds)
            os.kill(child, signal.SIGKILL)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        os.write(status, b"%d" % code)
    finally:
        os._exit(0)


def command(
    order: Order, fds: Sequence[int], *, ready: Callable[[], object] = lambda: None
) -> NoReturn:
    """Be the process of a command until its end; `fds` are stdin, stdout, stderr, and where the
    steps are told. `ready` is called just before it begins."""
    code = 70  # an error of this module, which Python shows on stderr
    try:
        os.environ.clear()
        os.environ.update(order.environment)
        time.tzset()
        tempfile.tempdir = None  # it is looked for again
        if order.login:
            become(order.login)
        os.umask(order.umask)
        for number, fd in enumerate(fds[:3]):
            os.dup2(fd, number)
        os.chdir(order.folder)
        steps = _counted(order.at_step) if order.counting else [0]
        from datacat.cli.main import main

        ready()
        code = main(order.arguments)
        done = steps[0]
        sys.stdout.flush()
        sys.stderr.flush()
        os.write(fds[-1], b"%d " % done)
    except BaseException as error:  # noqa: BLE001 - nothing may leave this process
        sys.excepthook(type(error), error, error.__traceback__)
    finally:
        os._exit(code)


def _counted(at_step: int) -> list[int]:
    """Count what Python is about to do to files, in any thread; kill this process at a step."""
    steps = [0]

    def hook(event: str, _: tuple[object, ...]) -> None:
        if event in STEPS:
            steps[0] += 1
            if steps[0] == at_step:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)
    return steps


def import_everything() -> None:
    """Before the first fork: a child is cheap then, and needs nothing of this installation.

    Also what is imported inside functions, and what other packages import when they are used.
    """
    import datacat

    wanted = {"encodings.idna", "importlib.readers", "rich.table"}
    for module in pkgutil.walk_packages(datacat.__path__, "datacat."):
        if module.name.startswith("datacat.recovery."):
            continue  # scripts that are put into a store; they find each other beside them
        try:
            source = inspect.getsource(importlib.import_module(module.name))
        except ModuleNotFoundError:  # of an extra that is not here
            continue
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


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])))
