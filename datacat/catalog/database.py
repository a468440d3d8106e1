"""The local catalog: follows the log, answers from a snapshot, and appends records.

`sync` copies the newest snapshot, applies what is new and publishes the copy as the next one. No
two processes share a writable file, and every file may be deleted: the log is the truth.
"""

from __future__ import annotations

import errno
import itertools
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from datacat import sql
from datacat.catalog import schema, tables
from datacat.catalog.fold import Fold
from datacat.catalog.log import Entry, Log
from datacat.catalog.snapshot import Snapshot, SnapshotFolder
from datacat.catalog.writer import Writer
from datacat.errors import Corrupt, Failed, StorageDenied, StorageError, StorageFull

BATCH_RECORDS = 20_000
"""Records folded between two bulk loads: bounds the rows that wait in memory."""

REMEMBERED_RECORDS = 200_000
"""After so many a fold starts afresh over the database, so that its memory stays bounded."""

_ATTEMPTS = 5


class Catalog:
    """One store's catalog on this machine. Safe from many threads and many processes."""

    def __init__(self, log: Log, cache_dir: Path, store_id: str) -> None:
        self.log = log
        self.folder = cache_dir / store_id
        self._store_id = store_id
        self._files = SnapshotFolder(self.folder, store_id=store_id)
        self._lock = threading.Lock()
        self._snapshot: Snapshot | None = None

    # Reading

    def sync(self) -> Snapshot:
        """The catalog up to the head of the log. Without news it costs one read of the store.

        Raises `Corrupt` naming the record that is damaged or missing, `FormatTooNew`,
        `StorageFull` and `StorageDenied` naming the cache folder.
        """
        with self._lock, self._cache_failures():
            for _ in range(_ATTEMPTS):
                base = self._snapshot
                self._snapshot = None
                try:
                    base = base or self._files.newest()
                    self._snapshot = self._advanced(base)
                    return self._snapshot
                except FileNotFoundError:
                    continue  # another process replaced the file that was to be copied
                except sql.Error as error:
                    _refuse_short_of_room(error, self.folder)
                    if base is None:
                        raise
                    self._files.discard(base.path)  # damaged: the log has everything
            self._snapshot = self._advanced(None)
            return self._snapshot

    @property
    def last(self) -> Snapshot | None:
        """The catalog as it was read here last; None before that."""
        return self._snapshot

    def close(self) -> None:
        """Let go of the local file; snapshots that were handed out stay open."""
        with self._lock:
            self._snapshot = None

    def _advanced(self, base: Snapshot | None) -> Snapshot:
        seq, digest = (base.seq, base.digest) if base else (0, self.log.genesis_digest)
        entries = self.log.read_from(seq, digest)
        try:
            first = next(entries, None)
            if base is not None and first is None:
                return base
            news = entries if first is None else itertools.chain([first], entries)
            return self._built(base, news)
        except Corrupt as error:
            if base is not None and error.kind == "log_altered" and error.hint is None:
                error.hint = (
                    "If the store was restored from a backup, remove this machine's copy of its"
                    f" catalog: {self.folder}"
                )
            raise

    def _built(self, base: Snapshot | None, news: Iterator[Entry]) -> Snapshot:
        """A new snapshot: the base, or nothing, with the news folded in."""
        with self._files.temporary(base) as file:
            connection = sql.open_database(file, read_only=False)
            try:
                connection.execute(f"set memory_limit = '{sql.MEMORY_LIMIT}'")
                if base is None:
                    schema.create(connection)
                    connection.execute(
                        "insert into fold.state values ($1, $2, 0, $3)",
                        [schema.digest(), self._store_id, self.log.genesis_digest],
                    )
                seq = _fold_in(connection, news)
            finally:
                connection.close()
            return self._files.publish(file, seq)

    @contextmanager
    def _cache_failures(self) -> Iterator[None]:
        """Failures of the cache folder in words that name it."""
        try:
            yield
        except StorageError:
            raise
        except sql.Error as error:
            raise StorageError(
                f"the cache folder {self.folder} failed: {str(error)[:300]}", kind="cache_failed"
            ) from error
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise _full(self.folder) from error
            if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
                raise StorageDenied(
                    f"cannot write to the cache folder {self.folder}",
                    kind="cache_denied",
                    commands=["datacat config set cache_dir /another/folder"],
                ) from error
            raise

    # Writing

    def writer(self, start: Snapshot | None = None) -> Writer:
        """What appends records over `start`, the snapshot that the session began with, or the
        newest one."""
        return Writer(self.log, start or self.sync())


def _fold_in(connection: sql.Connection, news: Iterator[Entry]) -> int:
    """Apply entries to an open catalog in batches; the seq of the last."""
    connection.execute("begin")
    fold = Fold(tables.StoredRows(connection))
    written = start = fold.head
    while batch := [
        (entry.seq, entry.record, entry.digest) for entry in itertools.islice(news, BATCH_RECORDS)
    ]:
        fold.prefetch(record for _, record, _ in batch)
        for seq, record, _ in batch:
            fold.apply(seq, record)
        changes = fold.drain(keep_datasets=True)
        tables.write(connection, changes, base=written, head=fold.head, digest=batch[-1][-1])
        written = fold.head
        if written - start >= REMEMBERED_RECORDS:
            tables.write_datasets(connection, fold.drain(), base=start)
            fold = Fold(tables.StoredRows(connection))
            start = written
        batch.clear()  # or two of them would be in memory
    tables.write_datasets(connection, fold.drain(), base=start)
    connection.execute("commit")
    return written


def _refuse_short_of_room(error: sql.Error, folder: Path) -> None:
    """Raise when the disk or the memory was too small: the file itself is no worse for it."""
    if isinstance(error, sql.OutOfMemory):
        raise Failed(
            f"bringing {folder} up to date needs more than {sql.MEMORY_LIMIT} of memory",
            kind="catalog_too_large",
            hint="This is a fault of datacat; run the command with --debug and report it.",
        ) from error
    if "No space left" in str(error) or "Disk quota" in str(error):
        raise _full(folder) from error


def _full(folder: Path) -> StorageFull:
    return StorageFull(
        f"no space left in the cache folder {folder}",
        kind="cache_full",
        commands=["datacat config set cache_dir /another/folder"],
    )
