"""Snapshots of the catalog on this machine: one immutable DuckDB file per head of the log.

`<cache>/<store id>/catalog-<seq>-<checksum>.duckdb` is the fold of the records 1..seq. It is
complete before it gets its name, never changed afterwards, and read only when its bytes have the
checksum of its name: DuckDB would notice a flipped bit in some query later, or never. So any
number of processes share the folder, and every file in it may be deleted at any time.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from datacat import sql
from datacat.catalog import schema, tables
from datacat.catalog.fold import Fold
from datacat.digest import file_checksum
from datacat.errors import StorageError

KEPT_FILES = 2
"""The newest catalog, and the one before it: another process may be just about to open that."""

STALE_SECONDS = 3_600
"""A temporary older than this was left by a process that died."""

_NAME = re.compile(r"catalog-(\d{1,19})-([0-9a-f]{16})\.duckdb")
_ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The catalog up to record `seq`, open read-only. What others save later is not in it."""

    seq: int
    digest: str
    path: Path
    connection: sql.Connection

    def fold(self) -> Fold:
        """A fold in memory over this snapshot, for the records that follow."""
        return Fold(tables.StoredRows(self.connection.cursor()))


class SnapshotFolder:
    """The snapshots of one store. `path` is the folder; it need not exist yet."""

    def __init__(self, path: Path, *, store_id: str) -> None:
        self.path = path
        self._store_id = store_id

    def newest(self) -> Snapshot | None:
        """The newest snapshot that is whole; those that are damaged or not ours are removed."""
        for _ in range(_ATTEMPTS):
            vanished = False
            for path in self._files():
                try:
                    _check(path, expected=path)
                    return self._opened(path, seq=_seq_of(path))
                except (sql.Error, FileNotFoundError):
                    vanished = vanished or not path.exists()
                    self.discard(path)
            if not vanished:
                break
        return None

    @contextmanager
    def temporary(self, base: Snapshot | None) -> Iterator[Path]:
        """A database file of one's own to write into: a copy of `base`, or empty.

        It is gone with the `with` block, unless `publish` gave it a name. Raises
        `FileNotFoundError` when the base was removed meanwhile, `sql.Error` when it is damaged.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        file = self.path / f"tmp-{os.getpid()}-{secrets.token_hex(8)}.duckdb"
        try:
            if base is None:
                sql.create_database(file)
            else:
                shutil.copyfile(base.path, file)
                _check(file, expected=base.path)
            yield file
        finally:
            for left in (file, _wal(file)):
                with suppress(OSError):
                    left.unlink(missing_ok=True)

    def publish(self, temporary: Path, seq: int) -> Snapshot:
        """Give a complete and closed database its name, and remove what nobody needs any more."""
        if _wal(temporary).exists():
            raise StorageError(f"{temporary} was not completed", kind="cache_failed")
        path = self.path / f"catalog-{seq}-{file_checksum(temporary)}.duckdb"
        # Opened before it has its name: from then on others may remove it at any time.
        snapshot = self._opened(temporary, seq=seq)
        try:
            os.replace(temporary, path)
            snapshot = replace(snapshot, path=path)
        except PermissionError:  # Windows renames no file that is open
            snapshot.connection.close()
            os.replace(temporary, path)
            snapshot = self._opened(path, seq=seq)
        self._clean(seq)
        return snapshot

    def discard(self, path: Path) -> None:
        """Remove a file. A process that has it open can go on reading it."""
        with suppress(OSError):
            path.unlink(missing_ok=True)

    def _opened(self, path: Path, *, seq: int) -> Snapshot:
        """Raises `sql.Error` when the file is no catalog of this store, schema and `seq`."""
        connection = sql.open_database(path, read_only=True)
        try:
            found = connection.execute(
                "select schema_digest, store_id, head_seq, head_digest from fold.state"
            ).fetchall()
            if len(found) != 1 or found[0][:3] != (schema.digest(), self._store_id, seq):
                raise sql.Error(f"{path} is not a catalog of this store")
        except BaseException:
            connection.close()
            raise
        return Snapshot(seq=seq, digest=found[0][3], path=path, connection=connection)

    def _files(self) -> list[Path]:
        """The files that have the name of a snapshot, newest first."""
        try:
            names = os.listdir(self.path)
        except FileNotFoundError:
            return []
        found = [self.path / name for name in names if _NAME.fullmatch(name)]
        return sorted(found, key=_seq_of, reverse=True)

    def _clean(self, seq: int) -> None:
        older = [path for path in self._files() if _seq_of(path) <= seq]
        for path in older[KEPT_FILES:]:
            self.discard(path)
        for path in self.path.glob("tmp-*"):
            with suppress(OSError):
                if time.time() - path.stat().st_mtime > STALE_SECONDS:
                    path.unlink()


def _check(file: Path, *, expected: Path) -> None:
    """Raise `sql.Error` unless `file` has the bytes that the name `expected` speaks of."""
    found = _NAME.fullmatch(expected.name)
    if found is None or found.group(2) != file_checksum(file):
        raise sql.Error(f"{file} is damaged")


def _seq_of(path: Path) -> int:
    found = _NAME.fullmatch(path.name)
    return int(found.group(1)) if found else -1


def _wal(path: Path) -> Path:
    return path.with_name(path.name + ".wal")
