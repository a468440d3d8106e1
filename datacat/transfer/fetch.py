"""Fetch: bring a version's content from the store to wherever it is wanted.

The plan is one SQL query, `manifest ⟕ recipes ⨝ chunks`, ordered by container and offset. Small
objects that lie side by side in a pack are read with one request, verified, decoded and handed to
a *sink*; whole containers on a local file system are handed over by path, so that the sink can
clone or link them. Every stored byte that is read here is compared with its checksum.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path

from datacat import layout
from datacat.backend import Backend
from datacat.digest import BLOCK_BYTES, checksums, digest_function, new_hasher
from datacat.errors import Corrupt, StorageMissing
from datacat.objects.codec import decode
from datacat.progress import StopSignal
from datacat.sql import Row, Workspace
from datacat.transfer.executor import run_bounded
from datacat.transfer.sink import Damaged, Sink, Wanted

TASK_BYTES = 8 * 1024 * 1024
"""Plain bytes of the small files that one task reads from a pack and holds in memory."""

TASK_FILES = 2048
GAP_BYTES = 64 * 1024
"""Two frames this close are read with one request: the gap costs less than a request."""

STREAM_BYTES = 4 * BLOCK_BYTES
"""Whole containers that have no local path are read in steps of this many bytes."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Where one chunk's bytes lie."""

    digest: bytes
    size: int
    container: str
    offset: int
    stored_size: int
    codec: str
    checksums: bytes


@dataclass(frozen=True, slots=True)
class _Beside:
    """Files of one chunk each that lie beside each other in one pack, in the order of offsets."""

    container: str
    items: list[tuple[Wanted, Piece]]


@dataclass(frozen=True, slots=True)
class _One:
    """One file of any number of chunks, in order."""

    wanted: Wanted
    pieces: list[Piece]


_Task = _Beside | _One

# Content is read from its own chunk if there is one: a whole container can be linked or cloned.
# Else from one recipe, a complete one if possible: those of two commits do not mix.
_PIECES = """
    create table pieces as
    with needed as (
        select distinct digest from wanted where size > 0
    ),
    made as (
        select distinct r.object, r.seq, r.ordinal, r.chunk
        from recipes r semi join needed n on n.digest = r.object
        where r.object not in (select u.digest from usable u semi join needed n using (digest))
    ),
    chosen as (
        select m.object, m.seq
        from made m
        left join (select distinct digest from usable) c on c.digest = m.chunk
        group by m.object, m.seq
        qualify row_number() over (
            partition by m.object order by count(*) = count(c.digest) desc, m.seq
        ) = 1
    ),
    parts as (
        select n.digest as object, 0::bigint as ordinal, n.digest as chunk
        from needed n where n.digest not in (select object from made)
        union all
        select m.object, m.ordinal, m.chunk from made m join chosen using (object, seq)
    ),
    places as (
        select c.* from usable c
        semi join parts p on p.chunk = c.digest
        qualify row_number() over (partition by c.digest order by c.container, c."offset") = 1
    )
    select p.object, p.ordinal, p.chunk, c.size, c.container, c."offset", c.stored_size, c.codec,
           c.checksums, count(*) over (partition by p.object) as parts
    from parts p left join places c on c.digest = p.chunk
"""


class Fetch:
    """Fetches the files in the workspace's table `wanted` into a sink.

    `wanted` has the columns of a manifest and `there_size`, `there_mtime_ns`, `there_ctime_ns`,
    `there_inode`, null where nothing may be replaced.
    """

    def __init__(
        self,
        backend: Backend,
        *,
        workspace: Workspace,
        algorithm: str,
        sink: Sink,
        stop: StopSignal,
    ) -> None:
        self._backend = backend
        self._workspace = workspace
        self._algorithm = algorithm
        self._digest = digest_function(algorithm)
        self._sink = sink
        self._stop = stop

    def plan(self) -> list[Damaged]:
        """Look up where everything lies (needs the views of `objects.index.prepare`).

        Returns the files whose content no live container holds, or whose parts do not add up.
        """
        self._workspace.execute(_PIECES)
        # What cannot be put together is not begun.
        self._workspace.execute(
            """
            create table lost as
            select w.* from wanted w
            left join (
                select object, sum(size) as total, bool_or(container is null) as absent
                from pieces group by object
            ) p on p.object = w.digest
            where w.size > 0 and (p.object is null or p.absent or p.total <> w.size)
            """
        )
        rows = self._workspace.rows(f"select {_WANTED} from lost w order by w.path")
        return [
            Damaged(_wanted(row), "its content is not in the store any more", True) for row in rows
        ]

    def run(
        self,
        executor: Executor,
        *,
        jobs: int,
        done: Callable[[int, int], None],
    ) -> list[Damaged]:
        """Fetch everything that `plan` found; calls `done(files, bytes)` as it goes.

        Returns the files whose stored bytes are damaged: the others have arrived all the same.
        """
        damaged: list[Damaged] = []
        results = run_bounded(executor, self._do, self._tasks(), jobs=jobs, stop=self._stop)
        for files, size, bad in results:
            done(files, size)
            damaged += bad
        return damaged

    def _tasks(self) -> Iterator[_Task]:
        yield from self._large_tasks()
        yield from self._pack_tasks()

    def _large_tasks(self) -> Iterator[_Task]:
        rows = self._workspace.rows(
            f"""
            select {_WANTED}, {_PIECE} from wanted w join pieces p on p.object = w.digest
            where w.size > 0 and (p.parts > 1 or starts_with(p.container, '{layout.WHOLE}'))
              and w.digest not in (select digest from lost)
            order by w.size desc, w.path, w.digest, p.ordinal
            """
        )
        current: _One | None = None
        for row in rows:
            wanted, piece = _wanted(row), Piece(*row[_WANTED_COLUMNS:])
            # verify asks for content, not for paths: a path may come with several.
            if current is None or current.wanted != wanted:
                if current is not None:
                    yield current
                current = _One(wanted, [])
            current.pieces.append(piece)
        if current is not None:
            yield current

    def _pack_tasks(self) -> Iterator[_Task]:
        rows = self._workspace.rows(
            f"""
            select {_WANTED}, {_PIECE} from wanted w join pieces p on p.object = w.digest
            where w.size > 0 and p.parts = 1 and starts_with(p.container, '{layout.PACKS}')
              and w.digest not in (select digest from lost)
            order by p.container, p."offset", w.path
            """
        )
        task: _Beside | None = None
        task_bytes = 0
        for row in rows:
            wanted, piece = _wanted(row), Piece(*row[_WANTED_COLUMNS:])
            if (
                task is None
                or task.container != piece.container
                or task_bytes + piece.size > TASK_BYTES
                or len(task.items) >= TASK_FILES
            ):
                if task is not None:
                    yield task
                task, task_bytes = _Beside(piece.container, []), 0
            task.items.append((wanted, piece))
            task_bytes += piece.size
        if task is not None:
            yield task

    def _do(self, task: _Task) -> tuple[int, int, list[Damaged]]:
        self._stop.check()
        if isinstance(task, _Beside):
            return self._fetch_beside(task)
        wanted = task.wanted
        try:
            self._fetch_one(task)
        except Corrupt as error:
            return 0, 0, [_damaged(wanted, error)]
        return 1, wanted.size, []

    def _fetch_beside(self, task: _Beside) -> tuple[int, int, list[Damaged]]:
        files = size = 0
        damaged: list[Damaged] = []
        for run in _runs(task.items):
            try:
                stored = self._read_run(task.container, run)
            except Corrupt as error:
                damaged += [_damaged(wanted, error) for wanted, _ in run]
                continue
            start = run[0][1].offset
            arrived: list[tuple[Wanted, bytes | memoryview]] = []
            for wanted, piece in run:
                frame = stored[piece.offset - start : piece.offset - start + piece.stored_size]
                try:
                    data = self._verified(frame, piece, wanted)
                except Corrupt as error:
                    damaged.append(_damaged(wanted, error))
                    continue
                arrived.append((wanted, data))
            self._stop.check()
            self._sink.write_many(arrived)
            files += len(arrived)
            size += sum(wanted.size for wanted, _ in arrived)
        return files, size, damaged

    def _read_run(self, container: str, run: Sequence[tuple[Wanted, Piece]]) -> memoryview:
        start = run[0][1].offset
        end = max(piece.offset + piece.stored_size for _, piece in run)
        return memoryview(self._read(container, start, end - start))

    def _verified(self, frame: memoryview, piece: Piece, wanted: Wanted) -> bytes | memoryview:
        data = _decoded(frame, piece)
        # The checksum guards against accidents; the digest also against a forged index.
        if self._digest(data) != wanted.digest:  # type: ignore[arg-type]
            raise Corrupt(f"{piece.container} holds other content", kind="container_damaged")
        return data

    def _fetch_one(self, task: _One) -> None:
        wanted, pieces = task.wanted, task.pieces
        first = pieces[0]
        if len(pieces) == 1 and first.container.startswith(layout.whole(wanted.digest.hex(), "")):
            source = self._backend.path_of(first.container)
            if source is not None:
                self._check_size(source, first)
                self._sink.place(wanted, source, first.checksums)
                return
        self._sink.write(wanted, self._parts(wanted, pieces))

    def _check_size(self, source: Path, piece: Piece) -> None:
        try:
            found = os.stat(source).st_size
        except FileNotFoundError as error:
            raise Corrupt(f"{piece.container} is missing", kind="container_missing") from error
        if found != piece.size:
            raise Corrupt(
                f"{piece.container} has {found} bytes instead of {piece.size}",
                kind="container_damaged",
            )

    def _parts(self, wanted: Wanted, pieces: Sequence[Piece]) -> Iterator[bytes | memoryview]:
        hasher = new_hasher(self._algorithm)
        for piece in pieces:
            for data in self._plain(piece):
                self._stop.check()
                hasher.update(data)
                yield data
        # Of the whole, so that also the choice of the pieces and their order is checked.
        if hasher.digest() != wanted.digest:
            raise Corrupt(f"{pieces[0].container} holds other content", kind="container_damaged")

    def _plain(self, piece: Piece) -> Iterator[bytes | memoryview]:
        if layout.is_whole(piece.container) and piece.stored_size > BLOCK_BYTES:
            yield from self._blocks(piece)
        else:
            stored = self._read(piece.container, piece.offset, piece.stored_size)
            yield _decoded(memoryview(stored), piece)

    def _blocks(self, piece: Piece) -> Iterator[bytes]:
        """A large piece of a whole container, verified block by block."""
        for start in range(0, piece.stored_size, STREAM_BYTES):
            length = min(STREAM_BYTES, piece.stored_size - start)
            data = self._read(piece.container, piece.offset + start, length)
            position = start // BLOCK_BYTES * 8
            sums = checksums(data)
            if len(data) != length or sums != piece.checksums[position : position + len(sums)]:
                raise Corrupt(f"{piece.container} is damaged", kind="container_damaged")
            yield data

    def _read(self, container: str, offset: int, length: int) -> bytes:
        try:
            return self._backend.read_range(container, offset, length)
        except StorageMissing as error:
            raise Corrupt(f"{container} is missing", kind="container_missing") from error


_WANTED = """w.path, w.size, w.executable, w.mtime_ns, w.digest,
    w.there_size, w.there_mtime_ns, w.there_ctime_ns, w.there_inode"""
_WANTED_COLUMNS = 9
_PIECE = 'p.chunk, p.size, p.container, p."offset", p.stored_size, p.codec, p.checksums'


def _decoded(frame: memoryview, piece: Piece) -> bytes | memoryview:
    if len(frame) != piece.stored_size or checksums(frame) != piece.checksums:
        raise Corrupt(f"{piece.container} is damaged", kind="container_damaged")
    try:
        return decode(frame, codec=piece.codec, size=piece.size)
    except Corrupt as error:
        raise Corrupt(f"{piece.container}: {error.message}", kind="container_damaged") from error


def _damaged(wanted: Wanted, error: Corrupt) -> Damaged:
    return Damaged(wanted, error.message, error.kind == "container_missing")


def _wanted(row: Row) -> Wanted:
    path, size, executable, mtime_ns, digest, *there = row[:_WANTED_COLUMNS]
    known = (there[0], there[1], there[2], there[3]) if there[3] is not None else None
    return Wanted(path, size, executable, mtime_ns, digest, known)


def _runs(
    items: Sequence[tuple[Wanted, Piece]],
) -> Iterator[list[tuple[Wanted, Piece]]]:
    """Cut items in the order of offsets where the gap to the next is not worth reading."""
    run: list[tuple[Wanted, Piece]] = []
    end = 0
    for item in items:
        piece = item[1]
        if run and piece.offset > end + GAP_BYTES:
            yield run
            run = []
        run.append(item)
        end = max(end, piece.offset + piece.stored_size)
    if run:
        yield run
