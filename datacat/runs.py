"""Runs: what many log records say of one kind, as local Parquet files that merge over time.

A run holds what the records `first` to `last` say, like the files of a log-structured merge tree
(O'Neil et al., 1996), so that a look-up opens a handful of files however many records there are.
`<folder>/<first>-<last>-<checksum>.<kind>.parquet` is complete before it gets its name, never
changed afterwards, and used only when its bytes have the checksum of its name. Any number of
processes share the folder, and every file in it may be deleted at any time.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from pathlib import Path

from datacat.digest import file_checksum

KEPT_SECONDS = 3_600
"""What was merged stays this long: another process may be about to open it."""

_NAME = re.compile(r"(\d{1,19})-(\d{1,19})-([0-9a-f]{16})\.([a-z]+)\.parquet")


@dataclass(frozen=True, slots=True)
class Run:
    """A local file of what the records `first` to `last` say."""

    first: int
    last: int
    path: Path

    def holds(self, seq: int) -> bool:
        """Whether it covers record `seq`."""
        return self.first <= seq <= self.last

    def is_intact(self) -> bool:
        """Whether the file is as it was written. All of it is read; a damaged one is removed."""
        try:
            if self.path.name.split("-")[2].partition(".")[0] == file_checksum(self.path):
                return True
        except FileNotFoundError:
            return False
        self.path.unlink(missing_ok=True)
        return False


class RunFolder:
    """The runs of one kind in the folder `path`, which need not exist yet."""

    def __init__(self, path: Path, kind: str) -> None:
        self.path = path
        self.kind = kind

    def runs(self) -> list[Run]:
        """What is there, widest first. Nothing is known yet about their bytes."""
        names = (path for path in self.path.iterdir()) if self.path.is_dir() else ()
        matches = ((path, _NAME.fullmatch(path.name)) for path in names)
        found = [Run(int(m[1]), int(m[2]), path) for path, m in matches if m and m[4] == self.kind]
        return sorted(found, key=lambda run: run.first - run.last)

    def named(self, path: Path, first: int, last: int) -> Run:
        """Give a complete file in the folder its name."""
        name = f"{first}-{last}-{file_checksum(path)}.{self.kind}.parquet"
        return Run(first, last, path.replace(path.with_name(name)))

    def sweep(self) -> None:
        """Remove runs that a wider one has replaced for long enough that nobody reads them, and
        what a process that died did not finish."""
        for path in self.path.glob(".*"):
            if _age_seconds(path) > KEPT_SECONDS:
                path.unlink(missing_ok=True)
        runs = self.runs()
        for wide in runs:
            if _age_seconds(wide.path) > KEPT_SECONDS:
                for run in runs:
                    if run is not wide and wide.first <= run.first and run.last <= wide.last:
                        run.path.unlink(missing_ok=True)


def _age_seconds(path: Path) -> float:
    """How long ago a file was written; 0 when another process, or we, just removed it."""
    try:
        return time.time() - path.stat().st_mtime
    except FileNotFoundError:
        return 0.0
