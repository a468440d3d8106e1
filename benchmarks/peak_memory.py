"""The peak memory of a process and all below it, by looking at them many times a second.

Counted as the private pages of each, and the shared ones (libraries, mapped files) of the one that
has the most: as if all processes shared the same.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path
from types import TracebackType

INTERVAL_SECONDS = 0.02  # takes about 1 % of one core
PAGE_MIB = os.sysconf("SC_PAGE_SIZE") / 2**20


class PeakMemory:
    """Samples the tree of one process while the block runs. Without `/proc` the peak is 0."""

    def __init__(self, pid: int) -> None:
        self.peak_mib = 0.0
        self._pid = pid
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> PeakMemory:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        while True:
            self.peak_mib = max(self.peak_mib, _resident_mib(self._pid))
            if self._done.wait(INTERVAL_SECONDS):
                return


def _resident_mib(pid: int) -> float:
    private = shared = 0
    waiting = [pid]
    while waiting:
        folder = Path("/proc") / str(waiting.pop())
        try:
            _, resident, file_backed, *_ = (folder / "statm").read_text().split()
            for thread in os.scandir(folder / "task"):
                with open(f"{thread.path}/children") as children:
                    waiting += map(int, children.read().split())
        except (OSError, ValueError):
            continue  # it ended meanwhile
        private += int(resident) - int(file_backed)
        shared = max(shared, int(file_backed))
    return (private + shared) * PAGE_MIB
