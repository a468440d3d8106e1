"""Ingest whose reading, compressing and uploading happens in other processes, perhaps elsewhere.

Two passes: workers read and hash, and say where files are to be cut; what of that is new is found
out here, for all at once; then workers store the new pieces, which they read again. Files that were
other content in the version before are stored here, as differences. The record stays one, made by
whoever runs the add.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from functools import partial
from typing import TypeVar

from datacat.progress import Advanced, Finished, Started
from datacat.transfer import spread_work
from datacat.transfer.arrangement import Arrangement
from datacat.transfer.executor import run_bounded
from datacat.transfer.files import LocalFiles
from datacat.transfer.ingest import Ingest
from datacat.transfer.provider_files import ProviderFiles
from datacat.transfer.reading import SourceFile
from datacat.transfer.spread_work import Assignment, Looked, Wanted
from datacat.transfer.tree import TO_READ, Large, count_unreadable, tasks

TASK_BYTES = 64 * 1024 * 1024
"""Plain bytes of one task that stores: about a pack."""

TASK_FILES = 4096
_Task = TypeVar("_Task")
_Result = TypeVar("_Result")

WORKERS_ASSUMED = 8
"""How many tasks are in flight for an executor that does not say how many workers it has."""


class SpreadIngest(Ingest):
    """An `Ingest` that has its work done by `workers`, any executor whose tasks can be pickled."""

    def assign(
        self, workers: Executor, *, options: Mapping[str, str], arrangement: Arrangement
    ) -> None:
        """Say who works, and what they have to know. `options` are those of the store."""
        files = self._files
        provided = files if isinstance(files, ProviderFiles) else None
        self.workers = workers
        self.assignment = Assignment(
            program=spread_work.program(),
            root=files.root if isinstance(files, LocalFiles) else None,
            url=provided.provider.secret_url if provided else None,
            alone=provided.alone if provided else "",
            store=self._backend.url,
            options=tuple(sorted(options.items())),
            parameters=self._parameters,
            arrangement=arrangement,
        )

    def _work(self, executor: Executor, jobs: int) -> None:
        run = self._workspace.execute
        with count_unreadable(self._workspace, self._files, saving=True):
            run("create table spread_out as select * from to_read where old is null")
            run("create table found_new (path varchar, object blob, o bigint, n bigint, c blob)")
            self._look_at_all()
            self._listener(Finished("Reading"))
            self._store_new()
            run("delete from to_read where old is null")
            grown = self._run_tasks(executor, jobs, tasks(self._workspace))
            self._run_tasks(executor, jobs, (Large(source, True) for source in grown))

    def _look_at_all(self) -> None:
        work = partial(spread_work.look, self.assignment)
        for looked in self._spread(work, self._batches("spread_out")):
            self._take(looked)
            self._listener(Advanced(len(looked), sum(one.row[1] for one in looked)))

    def _batches(self, table: str) -> Iterator[list[SourceFile]]:
        """Files of about a task's work; a large one is a task by itself, and comes first."""
        batch: list[SourceFile] = []
        size = 0
        rows = self._workspace.rows(
            f"select {TO_READ.replace('linked_to is not null as linked', 'linked')}, null::blob"
            f" from {table} order by size desc, path"
        )
        for source in map(SourceFile._make, rows):
            full = size + source.size_bytes > TASK_BYTES // 4 or len(batch) >= TASK_FILES
            if batch and full:
                yield batch
                batch, size = [], 0
            batch.append(source)
            size += source.size_bytes
        if batch:
            yield batch

    def _take(self, looked: Sequence[Looked]) -> None:
        """Note digests and recipes, and claim what nobody has stored: for that, ask at once."""
        self._workspace.load("hashed", [one.row for one in looked])
        files = {one.row[6]: one for one in looked if one.row[1]}
        new = self._claims.take(list(files)) if files else set()
        mine = [one for digest, one in files.items() if digest in new]
        cut = [one for one in mine if len(one.spans) > 1]
        asked = {digest for one in cut for _, _, digest in one.spans}
        fresh = self._claims.take_chunks(list(asked)) if asked else set()
        rows: list[tuple[str, bytes, int, int, bytes | None]] = []
        for one in mine:
            path, digest = one.source.path, one.row[6]
            if not one.spans:
                rows.append((path, digest, 0, one.row[1], None))
            for offset, size, piece in one.spans:
                if len(one.spans) == 1:
                    rows.append((path, digest, offset, size, piece))
                elif piece in fresh:
                    fresh.remove(piece)
                    rows.append((path, digest, offset, size, piece))
        self._workspace.load("found_new", rows)
        self._workspace.load(
            "new_recipes",
            ((one.row[6], n, piece) for one in cut for n, (_, _, piece) in enumerate(one.spans)),
        )

    def _store_new(self) -> None:
        (size,) = self._workspace.row("select coalesce(sum(n), 0)::bigint from found_new")
        self._listener(Started("Storing", bytes_total=size))
        work = partial(spread_work.store, self.assignment)
        for rows in self._spread(work, self._wanted()):
            self._workspace.load("new_chunks", rows)
            self._listener(Advanced(0, sum(row[1] for row in rows)))

    def _wanted(self) -> Iterator[list[Wanted]]:
        """Pieces to store, about a pack of them at a time, in the order of the files."""
        rows = self._workspace.rows(
            """
            select f.path, f.object, f.o, f.n, f.c, h.size, s.linked, h.mtime_ns, h.ctime_ns,
                   h.inode
            from found_new f join hashed h using (path) join spread_out s using (path)
            order by f.path, f.o
            """
        )
        task: list[Wanted] = []
        size = 0
        for path, digest, offset, length, piece, *was in rows:
            if task and size + length > TASK_BYTES:
                yield task
                task, size = [], 0
            if not task or task[-1].source.path != path:
                task.append(Wanted(SourceFile(path, *was), digest, []))
            if piece is not None:
                task[-1].spans.append((offset, length, piece))
            size += length
        if task:
            yield task

    def _spread(
        self, work: Callable[[_Task], _Result], tasks: Iterable[_Task]
    ) -> Iterator[_Result]:
        jobs = getattr(self.workers, "_max_workers", None) or WORKERS_ASSUMED
        return run_bounded(self.workers, work, tasks, jobs=jobs, stop=self._stop)
