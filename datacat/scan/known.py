"""What earlier scans read: fingerprints of files, kept in this user's cache folder.

A file is known by its device and inode, and only while its size, mtime and ctime are the same; the
rule about clocks is that of `working_copy.stat_cache`. So an interrupted or repeated scan, of the
same folders or of others, does not read again.

The cache is a folder of Parquet files. A scan adds files while it runs, and puts all of them into
one at its end. Every file is disposable, and a damaged one is as good as none.
"""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from datacat import sql
from datacat.errors import DatacatError
from datacat.scan.reading import Fingerprint
from datacat.sql import Workspace
from datacat.working_copy.stat_cache import RACY_NS

FOLDER = "scan"
KEPT_NS = 180 * 86_400 * 1_000_000_000
"""A file that no scan has come across for so long is forgotten."""

NOTED_ROWS = 10_000
"""Fingerprints that are handed to the database at once."""

_KEY = "device, inode, size, mtime_ns, ctime_ns"
_COLUMNS = {
    "device": "ubigint",
    "inode": "ubigint",
    "size": "bigint",
    "mtime_ns": "bigint",
    "ctime_ns": "bigint",
    "ends": "blob",
    "digest": "blob",
    "hashed_ns": "bigint",
    "seen_ns": "bigint",
}
_TYPED = ", ".join(f"cast({name} as {kind}) as {name}" for name, kind in _COLUMNS.items())
# Guards a row against flipped bits: Parquet as DuckDB writes it has no checksums of its own.
_CHECK = f"hash({', '.join(_COLUMNS)})"
HASHES = "inode_id bigint, ends blob, digest blob, hashed_ns bigint"


class Known:
    """The fingerprints of the files in the table `inodes`: the table `hashes`, and the cache."""

    def __init__(self, workspace: Workspace, cache_dir: Path) -> None:
        self._workspace = workspace
        self._folder = cache_dir / FOLDER
        self._loaded: list[Path] = []
        self._fresh: list[Fingerprint] = []
        self._noted = 0

    def load(self) -> None:
        """Make `hashes` (`HASHES`) of what is known, and the empty `fresh`."""
        self._workspace.execute(f"create table fresh ({HASHES})")
        with suppress(OSError):
            self._loaded = sorted(self._folder.glob("*.parquet"))
        try:
            self._load(self._loaded)
        except (sql.Error, DatacatError):
            # One of them is damaged. Which one is not worth finding out: all can be made again.
            self._loaded = []
            self._load([])

    def _load(self, parts: Sequence[Path]) -> None:
        self._workspace.execute(f"create or replace table hashes ({HASHES})")
        if not parts:
            return
        self._workspace.execute(
            f"""
            insert into hashes
            select i.id, max(k.ends), max(k.digest), max(k.hashed_ns)
            from inodes i
            join (select {_TYPED}, row_check from {sql.parquet(parts)}) k using ({_KEY})
            where k.row_check = {_CHECK}
              and k.mtime_ns < k.hashed_ns - {RACY_NS} and k.ctime_ns < k.hashed_ns - {RACY_NS}
            group by i.id
            """
        )

    def note(self, rows: Sequence[Fingerprint]) -> None:
        """Take fingerprints that were just made: inode_id, ends, digest, hashed_ns."""
        self._fresh += rows
        if len(self._fresh) >= NOTED_ROWS:
            self._load_fresh()

    def _load_fresh(self) -> None:
        self._workspace.load("fresh", self._fresh)
        self._noted += len(self._fresh)
        self._fresh.clear()

    def keep(self) -> None:
        """Put what was noted into `hashes` and, best effort, into a file of the cache."""
        if self._fresh:
            self._load_fresh()
        if not self._noted:
            return
        with suppress(sql.Error, DatacatError, OSError):
            self._loaded.append(self._write("fresh"))
        self._workspace.execute("insert into hashes from fresh")
        self._workspace.execute("delete from fresh")
        self._noted = 0

    def finish(self) -> None:
        """Put all files of the cache into one. Best effort: it only saves time and space."""
        self.keep()
        if len(self._loaded) < 2:
            return
        now = time.time_ns()
        with suppress(sql.Error, DatacatError, OSError):
            merged = self._replace(
                f"""
                select {_KEY}, max(ends) as ends, max(digest) as digest,
                    min(hashed_ns) as hashed_ns,
                    max(case when i.id is null then seen_ns else {now} end) as seen_ns
                from (select {_TYPED}, row_check from {sql.parquet(self._loaded)}) k
                left join inodes i using ({_KEY})
                where k.row_check = {_CHECK} and seen_ns > {now - KEPT_NS}
                group by {_KEY}
                """
            )
            for part in self._loaded:
                part.unlink(missing_ok=True)
            self._loaded = [merged]

    def _write(self, table: str) -> Path:
        return self._replace(
            f"""
            select {_KEY}, h.ends, h.digest, h.hashed_ns, {time.time_ns()} as seen_ns
            from {table} h join inodes i on i.id = h.inode_id
            """
        )

    def _replace(self, query: str) -> Path:
        """A new file of the cache with the rows of `query`, there as a whole or not at all."""
        self._folder.mkdir(parents=True, exist_ok=True)
        name = secrets.token_hex(8)
        temporary, final = self._folder / f".{name}.tmp", self._folder / f"{name}.parquet"
        try:
            self._workspace.write_parquet(
                f"select *, {_CHECK} as row_check from (select {_TYPED} from ({query}))", temporary
            )
            os.replace(temporary, final)
        finally:
            temporary.unlink(missing_ok=True)
        return final
