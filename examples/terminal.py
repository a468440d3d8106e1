"""Run the real `datacat` command as a person would: on an 80-column terminal.

A command that is piped prints differently (tables become tab-separated), so each one gets a
pseudo-terminal of its own, and what appears there is printed. Linux and macOS.
"""

from __future__ import annotations

import fcntl
import os
import pty
import re
import shlex
import struct
import subprocess
import sys
import termios
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

COLUMNS = 80
LINES = 40
SECONDS_MAX = 300
"""A demo step takes well under a second: past this, something hangs."""

_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b\][^\x07]*\x07")


class UnexpectedError(Exception):
    """A step did not give what it should."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a command did: its exit code and what was on the screen at the end."""

    exit_code: int
    screen: str


@dataclass(frozen=True, slots=True)
class Person:
    """Someone with a name and a home folder, working on this machine."""

    name: str
    home: Path

    @property
    def environment(self) -> Mapping[str, str]:
        """Only what is named here reaches the command: nothing of the caller's own settings."""
        return {
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.defpath]),
            "HOME": str(self.home),
            "DATACAT_USER": self.name,
            "LANG": "C.UTF-8",
            "TERM": "xterm",
            "NO_COLOR": "1",
        }

    def types(
        self,
        command: str,
        *,
        shows: Sequence[str] = (),
        exit_code: int = 0,
        answer: str | None = None,
    ) -> Outcome:
        """Type `command` in the home folder, print it with what it shows, and check that.

        `shows` are regular expressions that must each be found on the screen; `answer` is typed
        when the command asks. Raises `UnexpectedError` for a missing one or another exit code.
        """
        print(f"{self.name}$ {command}", flush=True)
        outcome = run(shlex.split(command), self.environment, self.home, answer)
        print(outcome.screen, flush=True)
        if outcome.exit_code != exit_code:
            raise UnexpectedError(f"{command}: exit code {outcome.exit_code}, expected {exit_code}")
        for pattern in shows:
            if not re.search(pattern, outcome.screen):
                raise UnexpectedError(f"{command}: no {pattern!r} on the screen")
        return outcome


def run(
    arguments: Sequence[str], environment: Mapping[str, str], folder: Path, answer: str | None
) -> Outcome:
    """Run one command on a fresh pseudo-terminal until it ends.

    Without an `answer` there is nobody at the keyboard, and a command must not ask.
    """
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
    process = subprocess.Popen(
        list(arguments),
        stdin=subprocess.DEVNULL if answer is None else theirs,
        stdout=theirs,
        stderr=theirs,
        env=dict(environment),
        cwd=folder,
        start_new_session=True,
    )
    os.close(theirs)
    try:
        seen = _read(ours, answer)
        return Outcome(process.wait(timeout=SECONDS_MAX), on_screen(seen))
    finally:
        process.kill()
        process.wait()
        os.close(ours)


def _read(terminal: int, answer: str | None) -> str:
    seen = b""
    while True:
        try:
            arrived = os.read(terminal, 65_536)
        except OSError:  # Linux says EIO when the last one at the other end is gone
            arrived = b""
        if not arrived:
            return seen.decode("utf-8", errors="replace")
        seen += arrived
        if answer is not None and seen.rstrip().endswith(b"]:"):
            os.write(terminal, answer.encode() + b"\n")
            answer = None


def on_screen(text: str) -> str:
    """What is left on the screen: control sequences obeyed as far as a progress line needs."""
    lines = _CONTROL.sub("", text.replace("\r\n", "\n")).split("\n")
    return "\n".join(line.rstrip("\r").rsplit("\r", 1)[-1].rstrip() for line in lines).rstrip()
