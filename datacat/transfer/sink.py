"""Where fetched content goes, and which files are wanted."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from datacat.sql import Workspace


def want(workspace: Workspace, query: str, parameters: Sequence[object] = ()) -> None:
    """Make the table `wanted` of `Fetch`: the rows of a query with the columns of a manifest.

    Nothing that lies at the destination may be replaced: the `there_…` columns are null.
    """
    workspace.execute(
        f"""
        create table wanted as
        select *, null::bigint as there_size, null::bigint as there_mtime_ns,
               null::bigint as there_ctime_ns, null::bigint as there_inode
        from ({query})
        """,
        parameters,
    )


@dataclass(frozen=True, slots=True)
class Wanted:
    """A file to fetch: where it goes, and what it is.

    `there` is what lies there now and may be replaced: its size, mtime, ctime and inode.
    """

    path: str
    size: int
    executable: bool
    mtime_ns: int
    digest: bytes
    there: tuple[int, int, int, int] | None


class Sink(ABC):
    """Where content goes. Called from many threads, once per wanted file."""

    @abstractmethod
    def write(self, wanted: Wanted, parts: Iterator[bytes | memoryview]) -> None:
        """Take the content of a file, in order, verified. `Corrupt` may come out of `parts`."""

    @abstractmethod
    def place(self, wanted: Wanted, source: Path, sums: bytes) -> None:
        """Take a file whose plain bytes lie at `source`, with the checksums of its blocks."""

    def write_many(self, files: Sequence[tuple[Wanted, bytes | memoryview]]) -> None:
        """Take many small files, each whole and verified."""
        for wanted, data in files:
            self.write(wanted, iter((data,)))


@dataclass(frozen=True, slots=True)
class Damaged:
    """A file that could not be fetched, and why: its stored bytes are wrong, or `missing`."""

    wanted: Wanted
    reason: str
    missing: bool
