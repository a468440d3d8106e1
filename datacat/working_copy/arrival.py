"""What a pull fetched, on its way into the folder: the sink of `transfer.fetch`."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

from datacat.model import LinkMode
from datacat.progress import StopSignal
from datacat.sql import Workspace
from datacat.transfer.fetch import Wanted
from datacat.working_copy.materialize import Destination, FileStat

_LINKS = (LinkMode.HARDLINK, LinkMode.SYMLINK)

ArrivedRow = tuple[str, str, int, bool, int, int, int, bytes]


class Arrivals:
    """Writes what arrives into the destination, and remembers what each file is there.

    `copied` counts files whose bytes were written or cloned, `linked` those that are links into
    the store. `checked` stays True while every byte of them was compared with its checksum.
    """

    def __init__(
        self, destination: Destination, *, link: LinkMode, verify: bool, stop: StopSignal
    ) -> None:
        self._destination = destination
        self._link = link
        self._verify = verify
        self._stop = stop
        self._lock = threading.Lock()
        self._rows: list[ArrivedRow] = []
        self.copied = 0
        self.copied_bytes = 0
        self.linked = 0
        self.checked = True

    # The sink; called from many threads

    def write(self, wanted: Wanted, parts: Iterator[bytes | memoryview]) -> None:
        """Write a small or composed file from verified parts."""
        found = self._destination.write_file(
            wanted.path,
            parts,
            executable=wanted.executable,
            mtime_ns=wanted.mtime_ns,
            replaces=FileStat(*wanted.there) if wanted.there else None,
        )
        self._arrived(wanted, found, LinkMode.COPY)

    def place(self, wanted: Wanted, source: Path, sums: bytes) -> None:
        """Clone, copy or link a whole container."""
        placed = self._destination.place(
            wanted.path,
            source,
            size=wanted.size,
            checksums=sums,
            mode=self._link,
            executable=wanted.executable,
            mtime_ns=wanted.mtime_ns,
            verify_links=self._verify,
            replaces=FileStat(*wanted.there) if wanted.there else None,
            stop=self._stop,
        )
        self._arrived(wanted, placed.stat, placed.how)

    def _arrived(self, wanted: Wanted, found: FileStat, how: LinkMode) -> None:
        row = (
            wanted.path,
            "file",
            found.size,
            wanted.executable,
            found.mtime_ns,
            found.ctime_ns,
            found.inode,
            wanted.digest,
        )
        with self._lock:
            self._rows.append(row)
            if how in _LINKS:
                self.linked += 1
            else:
                self.copied += 1
                self.copied_bytes += wanted.size
            if how is not LinkMode.COPY and not self._verify:
                self.checked = False

    # The workspace; called from the thread that owns it

    def begin(self, workspace: Workspace) -> None:
        """Make the table `arrived`."""
        workspace.execute(
            "create table arrived (path varchar, kind varchar, size bigint, executable boolean,"
            " mtime_ns bigint, ctime_ns bigint, inode ubigint, digest blob)"
        )

    def note(self, workspace: Workspace) -> None:
        """Move what has arrived so far into the table."""
        with self._lock:
            rows, self._rows = self._rows, []
        if rows:
            workspace.load("arrived", rows)

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
        self.note(workspace)
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
