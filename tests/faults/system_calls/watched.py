"""`datacat` processes whose n-th call to the kernel fails, or is their last, or has to wait."""

from __future__ import annotations

import fcntl
import importlib
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from datacat.catalog.log import Log
from tests.faults.killable import Killable
from tests.faults.system_calls.kernel import Call, Listener, give_up_control
from tests.forked import ROOT, Ended, Order, command, import_everything

_SHUT_DOWN, _WITHOUT_FLUSHING = 0x8004587D, 2
"""EXT4_IOC_SHUTDOWN and XFS_IOC_GOINGDOWN are one number."""


@dataclass(frozen=True)
class Fault:
    """What befalls which call of a command.

    The calls of `kinds` (all, if there are none) that change what is below `under` are counted
    from 1, in the order in which they arrive from all threads. `at`: to which one it happens, and
    with `onward` to all later ones too. `act`: "none", "kill" before it, "tear" kills in the
    middle of a write, "fail" with `error`, "stop" the process there until it is told to go on,
    "cut" the power of the file system that is mounted at `under`. `without`: functions of the
    program that do nothing, by their full names: known-bad programs.
    """

    act: str = "none"
    at: int = 0
    error: int = 0
    onward: bool = False
    kinds: tuple[str, ...] = ()
    under: str = "/"
    reading: bool = False
    """Whether opening a file only to read it counts."""

    without: tuple[str, ...] = ()

    def concerns(self, call: Call) -> bool:
        """Whether this call is counted."""
        if self.kinds and call.kind not in self.kinds:
            return False
        if call.reads_only and not self.reading:
            return False
        return call.path.startswith(self.under)


@dataclass(frozen=True)
class Watched:
    """How a command ended, and the calls that were counted: kind and file of each."""

    ended: Ended
    calls: tuple[tuple[str, str], ...]

    @property
    def code(self) -> int:
        return self.ended.code


FILES = ("out", "err", "steps")


class Watcher(Killable):
    """Somebody whose commands a server watches: a process of this module, until `close`."""

    def __init__(
        self,
        home: Path,
        environment: Mapping[str, str] | None = None,
        *,
        login: str | None = None,
    ) -> None:
        super().__init__(home, environment, login=login)
        self._server = subprocess.Popen(
            [sys.executable, "-W", "error", "-m", "tests.faults.system_calls.watched"],
            cwd=ROOT,
            env={"PATH": os.defpath, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def __enter__(self) -> Watcher:
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

    def watch(self, *arguments: str, fault: Fault | None = None) -> Watched:
        """Run `datacat arguments` to its end, with a fault on its way."""
        return self._watched(self._asked(self._order(arguments, fault or Fault())))

    @contextmanager
    def stopped(self, *arguments: str, fault: Fault) -> Iterator[list[Watched]]:
        """While inside, the command stands still at a call; afterwards it goes on to its end.

        The list holds how it ended: at once if it came to its end without such a call.
        """
        found: list[Watched] = []
        answer = self._asked(self._order(arguments, fault))
        if answer != "stopped":
            found.append(self._watched(answer))
        yield found
        if answer == "stopped":
            found.append(self._watched(self._asked({})))

    def _order(self, arguments: tuple[str, ...], fault: Fault) -> dict[str, Any]:
        return {"order": asdict(self.order(arguments)), "fault": asdict(fault)}

    def _asked(self, order: dict[str, Any]) -> Any:
        """What the server answers."""
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        self._server.stdin.write(json.dumps(order).encode() + b"\n")
        self._server.stdin.flush()
        return json.loads(self._server.stdout.readline())

    def _watched(self, answer: dict[str, Any]) -> Watched:
        calls = tuple((kind, path) for kind, path in answer["calls"])
        out, err, steps = ((self.home / name).read_text() for name in FILES)
        return Watched(Ended(answer["code"], out, err, int(steps or 0)), calls)


def serve() -> None:
    """Fork a process for each order on stdin, and be the judge of its calls."""
    import_everything()
    for line in sys.stdin:
        asked = json.loads(line)
        _say(_supervised(Order(**asked["order"]), Fault(**asked["fault"])))


def cut_power(mounted: str | Path) -> None:
    """From now on nothing reaches the drive of this ext4 or XFS, not even its journal: what is
    there when it is mounted again is what had been made durable."""
    folder = os.open(mounted, os.O_RDONLY)
    try:
        fcntl.ioctl(folder, _SHUT_DOWN, struct.pack("I", _WITHOUT_FLUSHING))
    finally:
        os.close(folder)


def _say(answer: Any) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


def _code(child: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _supervised(order: Order, fault: Fault) -> dict[str, Any]:
    home = Path(order.folder)
    here, there = socket.socketpair()
    child = os.fork()
    if child == 0:
        here.close()

        def ready() -> None:
            _hurry()
            for name in fault.without:
                module, _, function = name.rpartition(".")
                setattr(importlib.import_module(module), function, lambda *_: None)
            # Nothing but this one call, which is none of those that wait, may come in between.
            socket.send_fds(there, [b"x"], [give_up_control()])

        fds = [os.open(os.devnull, os.O_RDONLY)]
        fds += [os.open(home / name, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o644) for name in FILES]
        command(order, fds, ready=ready)
    there.close()
    _, (fd, *_), _, _ = socket.recv_fds(here, 1, 1)
    here.close()
    listener = Listener(fd)
    calls: list[tuple[str, str]] = []
    for call in listener.calls():
        if not fault.concerns(call) or call.path == str(home / "steps"):
            listener.let(call)
            continue
        calls.append((call.kind, call.path))
        number = len(calls)
        if number == fault.at or (fault.onward and number > fault.at > 0):
            _befall(fault, call, child, listener)
        else:
            listener.let(call)
    listener.close()
    return {"code": _code(child), "calls": calls}


def _hurry() -> None:
    """Pauses are over at once, and the clock that deadlines go by says that they took place: else
    a drive that fails for good is tried again for seconds, in each of thousands of runs."""
    slept = [0.0]
    really_sleep, really_now = time.sleep, time.monotonic

    def sleep(seconds: float) -> None:
        slept[0] += seconds
        really_sleep(0.0)

    def monotonic() -> float:
        return really_now() + slept[0]

    time.sleep = sleep
    Log.commit.__kwdefaults__ |= {"sleep": sleep, "monotonic": monotonic}


def _befall(fault: Fault, call: Call, child: int, listener: Listener) -> None:
    match fault.act:
        case "kill" | "tear":
            if fault.act == "tear":
                call.do_half()
            os.kill(child, signal.SIGKILL)
        case "cut":
            cut_power(fault.under)
            os.kill(child, signal.SIGKILL)
        case "fail":
            listener.fail(call, fault.error)
        case "stop":
            os.kill(child, signal.SIGSTOP)
            _say("stopped")
            sys.stdin.readline()
            os.kill(child, signal.SIGCONT)
            listener.let(call)
        case _:
            listener.let(call)


if __name__ == "__main__":
    serve()
