"""Ingest: read the files of a tree, store what is new, and say what every file's digest is.

The plan is SQL over the workspace's `tree` and the index; the work is cut into batches of files
that fit in memory and single large files, run on an executor. Content is *claimed* before it is
stored, so that each piece is stored once however often it occurs, and looked up only in the
catalog's index, never by asking shared storage.
"""

from __future__ import annotations

import errno
import os
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from pathlib import Path

from datacat import layout
from datacat.backend import Backend, Staged
from datacat.digest import BLOCK_BYTES, DIGEST_BYTES, checksums, digest_function, new_hasher
from datacat.errors import DatacatError
from datacat.model import Parameters
from datacat.objects.codec import Encoder
from datacat.objects.index import CHUNKS_DDL, RECIPES_DDL
from datacat.objects.pack import PackWriter
from datacat.progress import Advanced, Finished, Listener, Started, StopSignal
from datacat.sql import Workspace
from datacat.transfer.executor import run_bounded
from datacat.transfer.following import LOOK_BYTES, copy_and_look, write_full
from datacat.transfer.journal import ChunkRow, Journal, pack_rows, whole_row
from datacat.transfer.reading import (
    ATTEMPTS,
    ChangedWhileReadingError,
    SourceFile,
    changed,
    opened,
    read_stable,
    unchanged,
    unreadable,
)
from datacat.transfer.tree import (
    IN_MEMORY_BYTES,
    TO_READ,
    Batch,
    HashResult,
    Large,
    begin_hashing,
    count_unreadable,
    hash_open_file,
    hashed_row,
    note_digests,
    tasks,
    total_bytes,
)
from datacat.transfer.turns import Turns

assert LOOK_BYTES % BLOCK_BYTES == 0  # noqa: S101 - a constant of ours, checked at import


@dataclass
class _Done(HashResult):
    """What one task did, and the index rows of what it stored."""

    rows: list[ChunkRow] = field(default_factory=list)


class _Claims:
    """Which content is already stored, or being stored by this session."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._lock = threading.Lock()

    def take(self, digests: Sequence[bytes]) -> set[bytes]:
        """Those of `digests` that nobody has stored: the caller must store them."""
        with self._lock:
            new = self._workspace.all(
                """
                insert into known
                select distinct d from unnest($1::blob[]) claimed(d)
                where not exists (select 1 from known k where k.digest = d)
                returning digest
                """,
                [list(digests)],
            )
        return {row[0] for row in new}


class _Packs:
    """Packs being filled: each worker borrows one at a time, full ones are published."""

    def __init__(
        self, backend: Backend, parameters: Parameters, session: str, journal: Journal
    ) -> None:
        self._backend = backend
        self._parameters = parameters
        self._session = session
        self._journal = journal
        self._lock = threading.Lock()
        self._idle: list[PackWriter] = []
        self._open: list[PackWriter] = []
        self._count = 0

    def borrow(self) -> PackWriter:
        with self._lock:
            if self._idle:
                return self._idle.pop()
            number, self._count = self._count, self._count + 1
        writer = PackWriter(
            self._backend,
            layout.pack(self._session, number),
            digest_bytes=DIGEST_BYTES[self._parameters.digest],
        )
        with self._lock:
            self._open.append(writer)
        return writer

    def give_back(self, writer: PackWriter) -> None:
        if writer.size_bytes < self._parameters.pack_bytes:
            with self._lock:
                self._idle.append(writer)
        else:
            self._finish(writer)

    def finish(self) -> None:
        """Publish every pack that is still open."""
        for writer in self._idle:
            self._finish(writer)
        self._idle = []

    def discard(self) -> None:
        """Give up the packs that were not published; nobody has seen them."""
        for writer in self._open:
            writer.discard()

    def _finish(self, writer: PackWriter) -> None:
        writer.finish()
        self._journal.pack(writer.key, writer.size_bytes)
        with self._lock:
            self._open.remove(writer)


class Ingest:
    """One session's reading and storing of the files below `root`."""

    def __init__(
        self,
        backend: Backend,
        *,
        workspace: Workspace,
        parameters: Parameters,
        session: str,
        root: Path,
        journal: Journal,
        listener: Listener,
        stop: StopSignal,
    ) -> None:
        self._backend = backend
        self._workspace = workspace
        self._parameters = parameters
        self._session = session
        self._root = str(root)
        self._journal = journal
        self._listener = listener
        self._stop = stop
        self._digest = digest_function(parameters.digest)
        self._claims = _Claims(workspace)
        self._turns = Turns()
        self._packs = _Packs(backend, parameters, session, journal)

    def run(self, executor: Executor, *, jobs: int, adopted: Sequence[ChunkRow]) -> None:
        """Give every file of the workspace's table `tree` its digest, and store what is new.

        Needs the view `objects` and the table `barred`. Leaves `new_chunks`: the index rows that
        this commit adds. Everything it published is durable when it returns. Raises `Failed`
        naming the file that cannot be read or keeps changing, and `StorageError` when the store
        cannot be written.
        """
        self._plan(adopted)
        files, size = self._workspace.row("select count(*), coalesce(sum(size), 0) from to_read")
        self._listener(Started("Reading", files_total=files, bytes_total=int(size)))
        try:
            self._work(executor, jobs)
        except BaseException:
            self._packs.discard()
            raise
        finally:
            note_digests(self._workspace)
        self._packs.finish()
        # INV order: all content is durable before the segment that names it is written.
        self._backend.sync()
        self._listener(Finished("Reading"))

    def _plan(self, adopted: Sequence[ChunkRow]) -> None:
        run = self._workspace.execute
        run(f"create table new_chunks ({CHUNKS_DDL})")
        run(f"create table new_recipes ({RECIPES_DDL})")
        run(f"create table found_chunks ({CHUNKS_DDL})")
        run(f"create table found_recipes ({RECIPES_DDL})")
        self._workspace.load("new_chunks", adopted)
        # What gc has condemned may still lie there, but not for long: it is uploaded again.
        run("delete from new_chunks where container in (select container from barred)")
        begin_hashing(self._workspace)
        run(
            """
            create table known as
            select distinct digest from (
                select digest from objects where size in (select size from tree)
                union all
                select digest from new_chunks
            )
            """
        )
        # An empty file has no bytes to store; a digest that is known from the stat cache need not
        # be computed again when its content is in the store. `alike`: content of this size is in
        # the store or occurs twice here, so the file is hashed before it is copied.
        run(
            f"""
            create table to_read as
            select {TO_READ},
                   count(*) over (partition by size) > 1
                   or size in (select size from objects)
                   or size in (select size from new_chunks) as alike
            from tree t
            where kind = 'file'
              and (digest is null
                   or (size > 0 and not exists (select 1 from known k where k.digest = t.digest)))
            """
        )

    def _work(self, executor: Executor, jobs: int) -> None:
        with count_unreadable(self._workspace, self._root, saving=True):
            grown = self._run_tasks(executor, jobs, tasks(self._workspace))
            # What grew past the limit meanwhile is read again as a large file.
            self._run_tasks(executor, jobs, (Large(source, True) for source in grown))

    def _run_tasks(
        self, executor: Executor, jobs: int, work: Iterator[Batch | Large]
    ) -> list[SourceFile]:
        grown: list[SourceFile] = []
        for done in run_bounded(executor, self._do, work, jobs=jobs, stop=self._stop):
            self._workspace.load("hashed", done.hashed)
            self._workspace.load("new_chunks", done.rows)
            grown += done.grown
            if done.files:
                self._listener(Advanced(done.files, done.bytes))
        return grown

    def _do(self, task: Batch | Large) -> _Done:
        self._stop.check()
        if not isinstance(task, Large):
            return self._store_batch(task)
        for _ in range(ATTEMPTS):
            try:
                return self._store_large(task.source, hash_first=task.alike)
            except ChangedWhileReadingError:
                continue
        raise changed(task.source.path)

    def _store_batch(self, batch: Batch) -> _Done:
        done = _Done()
        contents: dict[bytes, tuple[bytes, str]] = {}
        began_ns = time.time_ns()
        with self._turns.take(len(batch), total_bytes(batch)):
            for source in batch:
                data, status = read_stable(self._root, source, limit=IN_MEMORY_BYTES)
                if data is None:
                    done.grown.append(source)
                    continue
                digest = self._digest(data)
                if data:
                    contents.setdefault(digest, (data, source.path))
                done.hashed.append(hashed_row(source.path, status, digest, began_ns))
                done.bytes += len(data)
        done.files = len(done.hashed)
        self._stop.check()
        new = self._claims.take(list(contents)) if contents else set()
        small: list[bytes] = []
        for digest in contents:
            if digest in new:
                data = contents[digest][0]
                if len(data) < self._parameters.small_bytes:
                    small.append(digest)
                else:
                    done.rows.append(self._store_whole(digest, data))
        if small:
            done.rows += self._store_small({digest: contents[digest] for digest in small})
        return done

    def _store_small(self, contents: dict[bytes, tuple[bytes, str]]) -> list[ChunkRow]:
        encoder = Encoder(self._parameters.zstd_level)
        pack = self._packs.borrow()
        first = len(pack.entries)
        for digest, (data, path) in contents.items():
            codec, frame = encoder.encode(data, kind=os.path.splitext(path)[1])
            pack.append(digest, frame, size=len(data), codec=codec)
        rows = pack_rows(pack.key, pack.entries[first:])
        self._packs.give_back(pack)
        return rows

    def _store_whole(self, digest: bytes, data: bytes) -> ChunkRow:
        sums = checksums(data)
        with self._backend.stage() as staged:
            try:
                write_full(staged.fd, data, 0)
            except OSError as error:
                raise staged.failed(error) from error
            return self._published(staged, digest, len(data), sums)

    def _published(self, staged: Staged, digest: bytes, size: int, sums: bytes) -> ChunkRow:
        key = layout.whole(digest.hex(), self._session)
        staged.publish(key)
        self._journal.whole(key, digest, size, sums)
        return whole_row(key, digest, size, sums)

    def _store_large(self, source: SourceFile, *, hash_first: bool) -> _Done:
        """Copy a file into the store and hash it where it arrived (INV stored = hashed).

        With `hash_first` the source is read before, because its content may be stored already.
        """
        began_ns = time.time_ns()
        with opened(self._root, source) as fd:
            before = os.fstat(fd)
            size = before.st_size
            claimed: bytes | None = None
            if hash_first:
                claimed, _ = hash_open_file(
                    fd, source.path, algorithm=self._parameters.digest, stop=self._stop
                )
                if not self._claims.take([claimed]):
                    self._listener(Advanced(0, size))
                    return _Done([hashed_row(source.path, before, claimed, began_ns)], files=1)
            with self._backend.stage() as staged:
                digest, sums, copied = self._copy(fd, staged, source.path, limit=size)
                stable = copied == size and unchanged(before, os.fstat(fd))
                if not stable or claimed not in (None, digest):
                    if claimed is not None:
                        # Others may count on the content that was claimed: the add must end here.
                        raise changed(source.path)
                    raise ChangedWhileReadingError
                done = _Done([hashed_row(source.path, before, digest, began_ns)], files=1)
                if claimed is not None or self._claims.take([digest]):
                    done.rows.append(self._published(staged, digest, size, sums))
                return done

    def _copy(self, fd: int, staged: Staged, path: str, *, limit: int) -> tuple[bytes, bytes, int]:
        """Digest, checksums and size of what arrived, which may be more than `limit`."""
        hasher = new_hasher(self._parameters.digest)
        sums: list[bytes] = []

        def look(view: memoryview) -> None:
            hasher.update(view)
            sums.append(checksums(view))

        def copied(offset: int, length: int) -> None:
            staged.start_writeback(offset, length)
            self._listener(Advanced(0, length))

        try:
            size = copy_and_look(
                fd, staged.fd, look=look, copied=copied, limit=limit, stop=self._stop
            )
        except OSError as error:
            if isinstance(error, DatacatError):
                raise
            # One call reads here and writes there: what fails most is a full store.
            store_failed = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)
            raise (staged.failed(error) if store_failed else unreadable(path, error)) from error
        return hasher.digest(), b"".join(sums), size
