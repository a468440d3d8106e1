"""Ingest: read the files of a tree, store what is new, and say what every file's digest is.

The plan is SQL over the workspace's `tree` and the index; the work is cut into batches of files
that fit in memory and single large files, run on an executor. Content is *claimed* before it is
stored, so that each piece is stored once however often it occurs. Small files share packs; others
are kept whole or as chunks (`arrangement`).
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field

from datacat.backend import Backend
from datacat.digest import digest_function
from datacat.model import Parameters
from datacat.objects.index import CHUNKS_DDL, RECIPES_DDL
from datacat.progress import Advanced, Finished, Listener, Started, StopSignal
from datacat.sql import Loader, Workspace
from datacat.transfer.arrangement import Arrangement, Arranger
from datacat.transfer.chunking import Chunking, NewContent
from datacat.transfer.claims import Claims
from datacat.transfer.executor import run_bounded, threads
from datacat.transfer.files import ENDLESS, Files, OpenFile, as_unreadable
from datacat.transfer.journal import ChunkRow, Journal
from datacat.transfer.packing import Packing
from datacat.transfer.pieces import PieceReader
from datacat.transfer.reading import (
    ATTEMPTS,
    ChangedWhileReadingError,
    SourceFile,
    changed,
)
from datacat.transfer.tree import (
    IN_MEMORY_BYTES,
    TO_READ,
    Batch,
    HashResult,
    Large,
    begin_hashing,
    count_unreadable,
    hashed_row,
    note_digests,
    note_same_size,
    tasks,
)
from datacat.transfer.whole import WholeContainers


@dataclass
class _Done(HashResult):
    """What one task did, and the index rows of the whole containers that it made."""

    rows: list[ChunkRow] = field(default_factory=list)


class Ingest:
    """One session's reading and storing of the `files` of a tree."""

    def __init__(
        self,
        backend: Backend,
        *,
        workspace: Workspace,
        parameters: Parameters,
        session: str,
        files: Files,
        journal: Journal,
        arrangement: Arrangement,
        listener: Listener,
        stop: StopSignal,
    ) -> None:
        self._backend = backend
        self._workspace = workspace
        self._parameters = parameters
        self._files = files
        self._listener = listener
        self._stop = stop
        self._digest = digest_function(parameters.digest)
        self._claims = Claims(workspace)
        self._arranger = Arranger(backend, parameters, arrangement)
        self._packing = Packing(backend, parameters, session, journal)
        self._whole = WholeContainers(
            backend,
            algorithm=parameters.digest,
            session=session,
            journal=journal,
            listener=listener,
            stop=stop,
        )

    def run(self, executor: Executor, *, jobs: int, adopted: Sequence[ChunkRow]) -> None:
        """Give every file of the workspace's table `tree` its digest, and store what is new.

        Needs the views of `objects.index.prepare` and the table `edits(path, object)`: which files
        had other content in the version before. Leaves what this commit adds to the index:
        `new_chunks` and `new_recipes`, and of contents that were stored before `found_chunks` and
        `found_recipes`. Everything it published is durable when it returns. Raises `Failed` naming
        the file that cannot be read or keeps changing, and `StorageError` when the store cannot
        be written.
        """
        self._plan(adopted)
        files, size = self._workspace.row("select count(*), coalesce(sum(size), 0) from to_read")
        self._listener(Started("Reading", files_total=files, bytes_total=int(size)))
        self._jobs = jobs
        # The parts of large files have threads of their own: those of the executor wait for them.
        with threads(jobs) as helpers:
            self._chunking = Chunking(
                self._workspace,
                PieceReader(self._backend),
                parameters=self._parameters,
                claims=self._claims,
                packing=self._packing,
                stop=self._stop,
                helpers=helpers,
            )
            try:
                self._work(executor, jobs)
                self._packing.finish(executor, jobs=jobs, stop=self._stop)
            except BaseException:
                self._packing.discard()
                raise
            finally:
                note_digests(self._workspace)
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
        self._set_aside()
        begin_hashing(self._workspace)
        note_same_size(self._workspace)
        run(
            """
            create table known as
            select distinct digest from (
                select digest from same_size
                union all
                select digest from new_chunks
            )
            """
        )
        # An empty file has no bytes to store; a digest that is known already need not be computed
        # again when its content is in the store. `alike`: the content may be in the store or occur
        # twice here, so the file is hashed before it is copied.
        run(
            f"""
            create or replace table to_read as
            select {TO_READ}, e.object as old,
                   case when digest is not null
                        then count(*) over (partition by digest) > 1
                        else count(*) over (partition by size) > 1
                             or size in (select size from same_size)
                             or size in (select size from new_chunks) end as alike
            from tree t left join edits e using (path)
            where kind = 'file'
              and (digest is null
                   or (size > 0 and not exists (select 1 from known k where k.digest = t.digest)))
            """
        )

    def _set_aside(self) -> None:
        """Move to `set_aside` the adopted chunks that nobody can read: what they were made against
        is in the index no more, or not yet."""
        self._workspace.execute(
            """
            create table set_aside as
            select * from new_chunks where reference is not null
                and reference not in (select digest from new_chunks where reference is null)
                and reference not in (select digest from usable where reference is null)
            """
        )
        self._workspace.execute(
            """
            delete from new_chunks n where exists (
                from set_aside s where s.container = n.container and s."offset" = n."offset"
            )
            """
        )

    def _work(self, executor: Executor, jobs: int) -> None:
        with count_unreadable(self._workspace, self._files, saving=True):
            grown = self._run_tasks(executor, jobs, tasks(self._workspace))
            # What grew past the limit meanwhile is read again as a large file.
            self._run_tasks(executor, jobs, (Large(source, True) for source in grown))

    def _run_tasks(
        self, executor: Executor, jobs: int, work: Iterator[Batch | Large]
    ) -> list[SourceFile]:
        grown: list[SourceFile] = []
        with (
            Loader(self._workspace, "hashed") as hashed,
            Loader(self._workspace, "new_chunks") as chunks,
        ):
            for done in run_bounded(executor, self._do, work, jobs=jobs, stop=self._stop):
                hashed.add(done.hashed)
                chunks.add(done.rows)
                chunks.add(self._packing.take_rows())
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
        contents: dict[bytes, tuple[bytes, SourceFile]] = {}
        began_ns = time.time_ns()
        with self._files.reading(batch, limit=IN_MEMORY_BYTES, stop=self._stop) as read:
            for source, data, seen in read:
                if data is None:
                    done.grown.append(source)
                    continue
                digest = self._digest(data)
                if data:
                    contents.setdefault(digest, (data, source))
                done.hashed.append(hashed_row(source.path, seen, digest, began_ns))
                done.bytes += len(data)
        done.files = len(done.hashed)
        self._stop.check()
        new = self._claims.take(list(contents)) if contents else set()
        small: list[NewContent] = []
        chunked: list[NewContent] = []
        whole: list[tuple[bytes, bytes]] = []
        for digest, (data, source) in contents.items():
            if digest not in new:
                continue
            kind = _kind(source.path)
            # A file that is as it was is no edit: its content was condemned.
            old = source.old if source.old != digest else None
            content = NewContent(digest, data, kind, old)
            if len(data) < self._parameters.small_bytes:
                small.append(content)
            elif self._arranger.is_chunked(
                kind, len(data), edited=old is not None, read=_reader_of(data)
            ):
                chunked.append(content)
            else:
                whole.append((digest, data))
        if small:
            self._chunking.store_small(small)
        if chunked:
            self._chunking.store(chunked)
        done.rows += self._whole.store(whole, jobs=self._jobs)
        return done

    def _store_large(self, source: SourceFile, *, hash_first: bool) -> _Done:
        """Store a file that is not held in memory.

        With `hash_first` the source is read before, because its content may be stored already.
        """
        began_ns = time.time_ns()
        with self._files.opened(source, stop=self._stop) as file:
            claimed: bytes | None = None
            # What comes over a network is not read twice to find out that it is known: chunks
            # that are known are not stored anyway.
            if hash_first and not self._files.costly:
                claimed, seen = file.hash(self._parameters.digest, stop=self._stop)
                if not self._claims.take([claimed]):
                    self._listener(Advanced(0, seen.size_bytes))
                    return _Done([hashed_row(source.path, seen, claimed, began_ns)], files=1)
                if source.old == claimed:
                    source = source._replace(old=None)

            def check(digest: bytes, size: int) -> bool:
                """True if this content, which is what the file held, has to be kept."""
                seen = file.seen(size)
                if seen is None or claimed not in (None, digest):
                    if claimed is not None:
                        # Others may count on the content that was claimed: the add must end here.
                        raise changed(source.path)
                    raise ChangedWhileReadingError
                done.hashed.append(hashed_row(source.path, seen, digest, began_ns))
                return claimed is not None or bool(self._claims.take([digest]))

            done = _Done(files=1)
            size = ENDLESS if file.size_bytes is None else file.size_bytes
            if self._is_chunked(source, file, size):
                self._store_chunked(source, file, size, check)
            else:
                with self._backend.stage() as staged:
                    copied = self._whole.copy(file, staged, source.path, limit=size)
                    if check(copied.digest, copied.size):
                        done.rows.append(self._whole.publish(copied))
            return done

    def _is_chunked(self, source: SourceFile, file: OpenFile, size: int) -> bool:
        try:
            return self._arranger.is_chunked(
                _kind(source.path), size, edited=source.old is not None, read=file.sample
            )
        except OSError as error:
            raise as_unreadable(source.path, error) from error

    def _store_chunked(
        self,
        source: SourceFile,
        file: OpenFile,
        size: int,
        check: Callable[[bytes, int], bool],
    ) -> None:
        try:
            digest, stored, draft = self._chunking.store_file(
                file,
                kind=_kind(source.path),
                old=source.old,
                limit=size,
                read=lambda length: self._listener(Advanced(0, length)),
            )
        except OSError as error:
            raise as_unreadable(source.path, error) from error
        if check(digest, stored):
            self._chunking.keep(draft, digest)


def _reader_of(data: bytes) -> Callable[[int, int], bytes]:
    return lambda offset, length: data[offset : offset + length]


def _kind(path: str) -> str:
    """What compresses alike: files with the same suffix."""
    return os.path.splitext(path)[1]
