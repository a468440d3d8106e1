"""A command on a pseudo-terminal: type to it, interrupt it, and see what is on the screen."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

SECONDS_MAX = 60
Found = TypeVar("Found")
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Terminal:
    """One command whose three streams are one terminal. Use as a context manager."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        environment: Mapping[str, str],
        folder: Path,
        columns: int,
    ) -> None:
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
        self._process = subprocess.Popen(
            command,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env=dict(environment),
            cwd=folder,
            start_new_session=True,
        )
        os.close(theirs)
        self.raw = b""

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._ours)

    @property
    def text(self) -> str:
        """Everything that was shown, without colours and cursor movements."""
        plain = _CONTROL.sub("", self.raw.decode(errors="replace"))
        return plain.replace("\r\n", "\n")

    def wait_for(self, text: str) -> None:
        """Read until `text` is on the screen."""
        deadline = time.monotonic() + SECONDS_MAX
        while text not in self.text:
            if time.monotonic() > deadline or not self._read(deadline):
                raise AssertionError(f"no {text!r} on the screen:\n{self.text}")

    def wait_until(self, found: Callable[[], Found | None]) -> Found:
        """Read until `found` finds something elsewhere; what it found."""
        deadline = time.monotonic() + SECONDS_MAX
        while (what := found()) is None:
            if time.monotonic() > deadline:
                raise AssertionError(f"it never came; on the screen:\n{self.text}")
            if select.select([self._ours], [], [], 0.05)[0] and not self._read(deadline):
                raise AssertionError(f"the command ended; on the screen:\n{self.text}")
        return what

    def type(self, text: str) -> None:
        os.write(self._ours, text.encode())

    def interrupt(self) -> None:
        """What Ctrl-C does: a signal to the command."""
        self._process.send_signal(signal.SIGINT)

    def terminate(self) -> None:
        self._process.send_signal(signal.SIGTERM)

    def finish(self) -> int:
        """Read until the command ends; its exit code."""
        deadline = time.monotonic() + SECONDS_MAX
        while self._read(deadline):
            pass
        return self._process.wait(timeout=SECONDS_MAX)

    def _read(self, deadline: float) -> bool:
        """Take what arrived; False at the end."""
        ready, _, _ = select.select([self._ours], [], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            raise AssertionError(f"the command hangs; on the screen:\n{self.text}")
        try:
            arrived = os.read(self._ours, 65_536)
        except OSError:  # Linux says EIO when the other end is closed
            return False
        self.raw += arrived
        return bool(arrived)
