"""The workspace's table `tree`: the entries of a local folder, and their digests once known.

A walk fills it, the stat cache gives it the digests that need not be computed again, and the rest
are computed here (`hash_files`) or while the content is stored (`ingest`).
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import dataclass, field

from datacat.digest import digest_function
from datacat.errors import Failed
from datacat.progress import Advanced, Finished, Listener, Started, StopSignal
from datacat.sql import Loader, Workspace
from datacat.transfer.executor import run_bounded
from datacat.transfer.files import Files, Seen
from datacat.transfer.reading import (
    ATTEMPTS,
    ChangedWhileReadingError,
    SourceFile,
    changed,
)

IN_MEMORY_BYTES = 4 * 1024 * 1024
"""Files up to this size are read once, as a whole; larger ones in steps."""

BATCH_BYTES = 16 * 1024 * 1024
BATCH_FILES = 4096
"""One batch: enough work to make a look-up of its digests cheap, small enough to hold."""

HashedRow = tuple[str, int, bool, int, int, int, bytes, int]
"""path, size, executable, mtime_ns, ctime_ns, inode, digest, hashed_ns."""

TO_READ = "path, size, linked_to is not null as linked, mtime_ns, ctime_ns, inode"
"""The columns of `tree` that make a `SourceFile`."""

Batch = list[SourceFile]


@dataclass(frozen=True, slots=True)
class Large:
    """One file that is not held in memory. `alike`: other content of this size is known."""

    source: SourceFile
    alike: bool


@dataclass
class HashResult:
    """What one task computed. `grown` are files that were too large for memory when opened."""

    hashed: list[HashedRow] = field(default_factory=list)
    grown: list[SourceFile] = field(default_factory=list)
    files: int = 0
    bytes: int = 0


def begin_hashing(workspace: Workspace) -> None:
    """Make the empty table `hashed` that collects what is read."""
    workspace.execute(
        """
        create or replace table hashed (
            path varchar, size bigint, executable boolean, mtime_ns bigint, ctime_ns bigint,
            inode ubigint, digest blob, hashed_ns bigint
        )
        """
    )


def note_same_size(workspace: Workspace) -> None:
    """Make the table `same_size(digest, size)`, if it is not there: what the store holds of the
    sizes that occur in `tree`. No other content of the tree can be in the store."""
    workspace.execute(
        """
        create table if not exists same_size as
        select digest, size from objects where size in (select size from tree where kind = 'file')
        """
    )


def note_digests(workspace: Workspace) -> None:
    """Put what was read into `tree`: the digests, and what the files were at that moment."""
    workspace.execute(
        """
        update tree set size = h.size, executable = h.executable, mtime_ns = h.mtime_ns,
            ctime_ns = h.ctime_ns, inode = h.inode, digest = h.digest, hashed_ns = h.hashed_ns
        from hashed h where h.path = tree.path
        """
    )


def tasks(workspace: Workspace) -> Iterator[Batch | Large]:
    """The table `to_read` (`TO_READ`, `old`, `alike`) cut into work, the large files first, so that
    the last task to end is a short one."""
    for *listed, alike in workspace.rows(
        f"select * from to_read where size > {IN_MEMORY_BYTES} order by size desc, path"
    ):
        yield Large(SourceFile(*listed), alike)
    batch: Batch = []
    batch_bytes = 0
    small = workspace.rows(
        f"select * exclude alike from to_read where size <= {IN_MEMORY_BYTES} order by path"
    )
    for source in map(SourceFile._make, small):
        size = source.size_bytes
        if batch and (batch_bytes + size > BATCH_BYTES or len(batch) >= BATCH_FILES):
            yield batch
            batch, batch_bytes = [], 0
        batch.append(source)
        batch_bytes += size
    if batch:
        yield batch


@contextmanager
def count_unreadable(workspace: Workspace, files: Files, *, saving: bool = False) -> Iterator[None]:
    """Say of a file of `to_read` that cannot be read how many there are: nobody wants to mend
    300 of them one by one."""
    try:
        yield
    except Failed as error:
        if error.kind != "unreadable":
            raise
        (total,) = workspace.row("select count(*) from tree where kind = 'file'")
        closed = 1
        if isinstance(error.__cause__, PermissionError):
            rows = workspace.rows("select path from to_read")
            closed = max(1, files.closed_among([row[0] for row in rows]))
        then = ". Nothing was saved." if saving else ""
        raise Failed(f"{error.message} ({closed:,} of {total:,}){then}", kind=error.kind) from error


def hashed_row(path: str, seen: Seen, digest: bytes, began_ns: int) -> HashedRow:
    """The row of `hashed` for a file that was `seen` while its content was read.

    `began_ns` is a moment before its first byte was read.
    """
    size, executable, mtime_ns, ctime_ns, inode, hashed_ns = seen
    when = began_ns if hashed_ns is None else hashed_ns
    return path, size, executable, mtime_ns, ctime_ns, inode, digest, when


class HashFiles:
    """Computes the digests that `tree` lacks, and stores nothing."""

    def __init__(
        self,
        workspace: Workspace,
        *,
        files: Files,
        algorithm: str,
        listener: Listener,
        stop: StopSignal,
    ) -> None:
        self._workspace = workspace
        self._files = files
        self._algorithm = algorithm
        self._digest = digest_function(algorithm)
        self._listener = listener
        self._stop = stop

    def run(self, executor: Executor, *, jobs: int, only: str = "true") -> None:
        """Hash the files of `tree` without a digest for which the SQL condition `only` holds."""
        begin_hashing(self._workspace)
        self._workspace.execute(
            f"""
            create or replace table to_read as
            select {TO_READ}, null::blob as old, false as alike
            from tree where kind = 'file' and digest is null and ({only})
            """
        )
        files, size = self._workspace.row("select count(*), coalesce(sum(size), 0) from to_read")
        if not files:
            return
        self._listener(Started("Reading", files_total=files, bytes_total=int(size)))
        try:
            with count_unreadable(self._workspace, self._files):
                grown = self._run_tasks(executor, jobs, tasks(self._workspace))
                self._run_tasks(executor, jobs, (Large(source, False) for source in grown))
        finally:
            note_digests(self._workspace)
        self._listener(Finished("Reading"))

    def _run_tasks(
        self, executor: Executor, jobs: int, work: Iterator[Batch | Large]
    ) -> list[SourceFile]:
        grown: list[SourceFile] = []
        with Loader(self._workspace, "hashed") as hashed:
            for done in run_bounded(executor, self._do, work, jobs=jobs, stop=self._stop):
                hashed.add(done.hashed)
                grown += done.grown
                self._listener(Advanced(done.files, done.bytes))
        return grown

    def _do(self, task: Batch | Large) -> HashResult:
        if isinstance(task, Large):
            return self._hash_large(task.source)
        self._stop.check()
        done = HashResult()
        began_ns = time.time_ns()
        with self._files.reading(task, limit=IN_MEMORY_BYTES, stop=self._stop) as read:
            for source, data, seen in read:
                if data is None:
                    done.grown.append(source)
                    continue
                digest = self._digest(data)
                done.hashed.append(hashed_row(source.path, seen, digest, began_ns))
                done.bytes += len(data)
        done.files = len(done.hashed)
        return done

    def _hash_large(self, source: SourceFile) -> HashResult:
        for _ in range(ATTEMPTS):
            began_ns = time.time_ns()
            try:
                with self._files.opened(source, stop=self._stop) as file:
                    digest, seen = file.hash(self._algorithm, stop=self._stop)
            except ChangedWhileReadingError:
                continue
            row = hashed_row(source.path, seen, digest, began_ns)
            return HashResult([row], files=1, bytes=seen.size_bytes)
        raise changed(source.path)
