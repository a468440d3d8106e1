"""What a pull fetched, on its way into the folder: the sink of `transfer.fetch`."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from datacat.model import LinkMode
from datacat.progress import StopSignal
from datacat.sql import Loader, Workspace
from datacat.transfer.sink import Sink, Wanted
from datacat.transfer.turns import Turns
from datacat.working_copy.copying import Named
from datacat.working_copy.materialize import Destination, FileStat

_LINKS = (LinkMode.HARDLINK, LinkMode.SYMLINK)

ArrivedRow = tuple[str, str, int, bool, int, int, int, bytes]


class Arrivals(Sink):
    """Writes what arrives into the destination, and remembers what each file is there.

    `copied` counts files whose bytes were written or cloned, `linked` those that are links into
    the store. `checked` stays True while every byte of them was compared with its checksum.
    """

    def __init__(
        self,
        destination: Destination,
        *,
        algorithm: str,
        link: LinkMode,
        verify: bool,
        stop: StopSignal,
    ) -> None:
        self._destination = destination
        self._algorithm = algorithm
        self._link = link
        self._verify = verify
        self._stop = stop
        self._lock = threading.Lock()
        self._turns = Turns()
        self._rows: list[ArrivedRow] = []
        self.copied = 0
        self.copied_bytes = 0
        self.linked = 0
        self.checked = True

    # The sink; called from many threads

    def write(self, wanted: Wanted, parts: Iterator[bytes | memoryview]) -> None:
        """Write a file from verified parts."""
        self._arrived([_row(wanted, self._written(wanted, parts))], wanted.size)

    def write_many(self, files: Sequence[tuple[Wanted, bytes | memoryview]]) -> None:
        """Write many small files."""
        size = sum(wanted.size for wanted, _ in files)
        rows = []
        try:
            with self._turns.take(len(files), size):
                for wanted, data in files:
                    rows.append(_row(wanted, self._written(wanted, data)))
        finally:
            self._arrived(rows, sum(row[2] for row in rows))

    def place(self, wanted: Wanted, source: Path, sums: bytes) -> None:
        """Clone, copy or link a whole container."""
        placed = self._destination.place(
            wanted.path,
            source,
            size=wanted.size,
            checksums=sums,
            named=Named(self._algorithm, wanted.digest),
            mode=self._link,
            executable=wanted.executable,
            mtime_ns=wanted.mtime_ns,
            verify_links=self._verify,
            replaces=FileStat(*wanted.there) if wanted.there else None,
            stop=self._stop,
        )
        if placed.how in _LINKS:
            with self._lock:
                self._rows.append(_row(wanted, placed.stat))
                self.linked += 1
        else:
            self._arrived([_row(wanted, placed.stat)], wanted.size)
        if placed.how is not LinkMode.COPY and not self._verify:
            self.checked = False

    def _written(
        self, wanted: Wanted, data: bytes | memoryview | Iterator[bytes | memoryview]
    ) -> FileStat:
        return self._destination.write_file(
            wanted.path,
            data,
            executable=wanted.executable,
            mtime_ns=wanted.mtime_ns,
            replaces=FileStat(*wanted.there) if wanted.there else None,
        )

    def _arrived(self, rows: Sequence[ArrivedRow], size: int) -> None:
        with self._lock:
            self._rows += rows
            self.copied += len(rows)
            self.copied_bytes += size

    # The workspace; called from the thread that owns it

    def begin(self, workspace: Workspace) -> None:
        """Make the table `arrived`."""
        workspace.execute(
            "create table arrived (path varchar, kind varchar, size bigint, executable boolean,"
            " mtime_ns bigint, ctime_ns bigint, inode ubigint, digest blob)"
        )

    def note(self, loader: Loader) -> None:
        """Move what has arrived so far towards the table."""
        with self._lock:
            rows, self._rows = self._rows, []
        loader.add(rows)

    def finish(self, workspace: Workspace) -> None:
        """Make what has no content to fetch: empty files, folders, and last of all the links."""
        empty = workspace.rows(
            "select path, size, executable, mtime_ns, digest, there_size, there_mtime_ns,"
            " there_ctime_ns, there_inode from wanted where size = 0"
        )
        for path, size, executable, mtime_ns, digest, *there in empty:
            replaced = FileStat(*there) if there[3] is not None else None
            wanted = Wanted(path, size, executable, mtime_ns, digest, replaced)
            self.write(wanted, iter(()))
        with Loader(workspace, "arrived") as arrived:
            self.note(arrived)
        for (path,) in workspace.rows("select path from to_write where kind = 'dir'"):
            self._destination.make_dir(path)
        # Links last: nothing of this pull is ever written through one of them.
        links = workspace.rows(
            """
            select w.path, w.target, t.size, t.mtime_ns, t.ctime_ns, t.inode
            from to_write w left join (select * from tree anti join mine using (path)) t
              on t.path = w.path and t.kind <> 'dir'
            where w.kind = 'symlink' order by w.path
            """
        )
        for path, target, *there in links:
            replaced = FileStat(*there) if there[3] is not None else None
            self._destination.symlink(path, target, replaces=replaced)
            self.copied += 1
        # Every file was written by us, is as we left it, and its digest was true until now.
        workspace.execute("delete from tree where path in (select path from arrived)")
        workspace.execute(
            "insert into tree by name select *, $1::bigint as hashed_ns from arrived",
            [time.time_ns()],
        )


def _row(wanted: Wanted, found: FileStat) -> ArrivedRow:
    return (
        wanted.path,
        "file",
        found.size,
        wanted.executable,
        found.mtime_ns,
        found.ctime_ns,
        found.inode,
        wanted.digest,
    )
