"""Time whole processes fairly: alternate with a baseline, take medians, say what the machine is.

Virtual machines hand freed memory back to their host, and touching it again is slow: the same copy
can take five times as long. So before every timed run the memory it will need is touched once,
the sources are read once, and dirty pages are written out.
"""

from __future__ import annotations

import os
import platform
import resource
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from peak_memory import PeakMemory

OWN_PEAK_MIB_MAX = 64.0


class Failed(Exception):
    """A measured command failed, or took too long."""


@dataclass(frozen=True)
class Run:
    """One finished command with all processes it began: seconds, and their peak memory in MiB."""

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


def timed(
    command: Sequence[str],
    *,
    environment: dict[str, str] | None = None,
    cwd: Path | None = None,
    limit_seconds: float | None = None,
) -> Run:
    """Run a command to its end and measure it, with all processes that it began and waited for.

    Raises `Failed` with what it said when it fails or takes longer than `limit_seconds`.
    """
    _stay_small()
    with tempfile.TemporaryFile() as said:
        began = time.perf_counter()
        process = subprocess.Popen(
            command,
            env=environment,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=said,
            start_new_session=True,
        )
        with PeakMemory(process.pid) as memory, _killed_after(limit_seconds, process.pid) as killed:
            _, status, usage = os.wait4(process.pid, 0)
            wall = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        text = said.read().decode(errors="replace").strip()
    if killed.is_set():
        raise Failed(f"took longer than {limit_seconds:.0f} s")
    if process.returncode:
        raise Failed(f"{command[-1].strip()}\nfailed: {text[-2_000:] or status}")
    # The kernel's figure is exact, but only for the largest single process.
    peak = max(usage.ru_maxrss / 1024, memory.peak_mib)
    return Run(wall, usage.ru_utime + usage.ru_stime, peak)


@contextmanager
def _killed_after(seconds: float | None, session: int) -> Iterator[threading.Event]:
    killed = threading.Event()

    def kill() -> None:
        killed.set()
        os.killpg(session, signal.SIGKILL)

    timer = threading.Timer(seconds, kill) if seconds is not None else None
    if timer is not None:
        timer.start()
    try:
        yield killed
    finally:
        if timer is not None:
            timer.cancel()


def _stay_small() -> None:
    """Refuse to measure with a large process: see `apart.py`."""
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    if own > OWN_PEAK_MIB_MAX:
        raise RuntimeError(f"the measuring process itself took {own:.0f} MiB")


def settle(*sources: Path, touch_mib: int = 0) -> None:
    """Make the next timed run comparable: sources read, memory touched, dirty pages written."""
    for source in sources:
        _read(source)
    if touch_mib:
        code = f"b = bytearray({touch_mib} << 20); b[::4096] = b'x' * len(b[::4096])"
        subprocess.run([sys.executable, "-c", code], check=True)
    os.sync()


def _read(source: Path) -> None:
    if source.is_file():
        _read_file(str(source))
    for folder, _, names in os.walk(source):  # not rglob, which remembers every path
        for name in names:
            path = os.path.join(folder, name)
            if os.path.isfile(path):
                _read_file(path)


def _read_file(path: str) -> None:
    with open(path, "rb", buffering=0) as file:
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


def disk_usage(root: Path) -> int:
    """The bytes of disk that a file or folder takes: blocks, each file once, holes not counted.

    Right only after a sync: some file systems count blocks when they are written.
    """
    if root.is_file():
        return root.stat().st_blocks * 512
    seen: set[int] = set()
    total = 0
    for folder, _, names in os.walk(root):
        for path in [folder, *(os.path.join(folder, name) for name in names)]:
            try:
                found = os.lstat(path)
            except FileNotFoundError:  # what a tool leaves behind may still be tidying up
                continue
            if found.st_ino not in seen:
                seen.add(found.st_ino)
                total += found.st_blocks * 512
    return total


def between_markers(page: Path, name: str, text: str) -> None:
    """Replace what stands between `<!-- name -->` and `<!-- end of name -->` on a page."""
    first, last = f"<!-- {name} -->", f"<!-- end of {name} -->"
    before = page.read_text()
    head, found, rest = before.partition(first)
    _, also, tail = rest.partition(last)
    if not found or not also:
        raise SystemExit(f"{page} has no {first} with {last} after it")
    page.write_text(f"{head}{first}\n{text}\n{last}{tail}")


def machine() -> str:
    """One line about where this was measured."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    cores = len(os.sched_getaffinity(0))  # those that this may run on
    return (
        f"{cores} virtual cores, {memory:.0f} GB of memory, {platform.system()}"
        f" {platform.release().split('-')[0]}, Python {platform.python_version()}"
    )
