"""Time whole processes fairly: alternate with a baseline, take medians, say what the machine is.

Virtual machines hand freed memory back to their host, and touching it again is slow: the same copy
can take five times as long. So before every timed run the memory it will need is touched once,
the sources are read once, and dirty pages are written out.
"""

from __future__ import annotations

import os
import platform
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Run:
    """One finished process: seconds, and its peak memory in MiB."""

    wall: float
    cpu: float
    peak_mib: float


@dataclass
class Series:
    """The runs of one command."""

    name: str
    runs: list[Run] = field(default_factory=list)

    @property
    def wall(self) -> float:
        return statistics.median(run.wall for run in self.runs)

    @property
    def cpu(self) -> float:
        return statistics.median(run.cpu for run in self.runs)

    @property
    def peak_mib(self) -> float:
        return max(run.peak_mib for run in self.runs)


def timed(command: Sequence[str], *, environment: dict[str, str] | None = None) -> Run:
    """Run a command to its end and measure it. Fails loudly when the command does."""
    began = time.perf_counter()
    process = subprocess.Popen(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    assert process.stderr is not None
    said = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{said.decode(errors='replace')}")
    return Run(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def settle(*sources: Path, touch_mib: int = 0) -> None:
    """Make the next timed run comparable: sources read, memory touched, dirty pages written."""
    for source in sources:
        _read(source)
    if touch_mib:
        code = f"b = bytearray({touch_mib} << 20); b[::4096] = b'x' * len(b[::4096])"
        subprocess.run([sys.executable, "-c", code], check=True)
    os.sync()


def _read(source: Path) -> None:
    files = [source] if source.is_file() else (p for p in source.rglob("*") if p.is_file())
    for path in files:
        with path.open("rb", buffering=0) as file:
            while file.read(1 << 22):
                pass


def alternate(
    rounds: int, *commands: tuple[Series, Callable[[], Sequence[str]], dict[str, str] | None]
) -> None:
    """Run each command once per round, one after the other, so that drift meets all alike.

    Each callable prepares its run (which is not timed) and returns the command.
    """
    for _ in range(rounds):
        for series, prepare, environment in commands:
            series.runs.append(timed(prepare(), environment=environment))


def remove(path: Path) -> None:
    """Remove a file or folder, also with read-only files in it."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def machine() -> str:
    """One line about where this was measured."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    return (
        f"{os.cpu_count()} virtual cores, {memory:.0f} GB of memory, {platform.system()}"
        f" {platform.release().split('-')[0]}, Python {platform.python_version()}"
    )
