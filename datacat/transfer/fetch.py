"""Fetch: bring a version's content from the store to wherever it is wanted.

The plan is one SQL query, `manifest ⟕ recipes ⨝ chunks`; the work is cut into groups of files that
fit in memory and single large files, run on an executor. Chunks that lie side by side are read with
one request, verified, decoded and handed to a *sink*; whole containers on a local file system are
handed over by path, so that the sink can clone or link them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future
from dataclasses import dataclass

from datacat import layout
from datacat.backend import Backend, Stat
from datacat.digest import digest_function, new_hasher
from datacat.errors import Corrupt
from datacat.objects.parts import choose_parts, drop_endless
from datacat.progress import StopSignal
from datacat.sql import Row, Workspace
from datacat.transfer.executor import run_bounded, threads
from datacat.transfer.pieces import (
    Piece,
    PieceReader,
    Read,
    make_pieces,
    memory_bytes,
    piece_columns,
    piece_of,
    split,
)
from datacat.transfer.sink import Damaged, Sink, Wanted

GROUP_BYTES = 8 * 1024 * 1024
"""Plain bytes of the files that one task holds in memory; a larger file is read in steps."""

GROUP_PIECES = 2048
"""Pieces of one task, and of one step of a large file: many small ones take memory as well."""

BESIDES = 3
"""A file whose frames and their references take so many times `GROUP_BYTES` is read in steps."""

STEP_BYTES = 4 * 1024 * 1024
LOOKAHEAD = 3
"""Steps of a large file that are read and decoded before they are asked for."""


@dataclass(frozen=True, slots=True)
class _Whole:
    """A file whose content is a whole container."""

    wanted: Wanted
    piece: Piece


@dataclass(frozen=True, slots=True)
class _Group:
    """Files that fit in memory together, each with its pieces in order."""

    files: list[tuple[Wanted, list[Piece]]]


@dataclass(frozen=True, slots=True)
class _Large:
    """One file of many pieces, which are looked up while it is written."""

    wanted: Wanted


_Task = _Whole | _Group | _Large


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
        self._reader = PieceReader(backend)
        self._workspace = workspace
        self._algorithm = algorithm
        self._digest = digest_function(algorithm)
        self._sink = sink
        self._stop = stop

    def plan(self) -> list[Damaged]:
        """Look up where everything lies (needs the views of `objects.index.prepare`).

        Returns the files whose content no live container holds, or whose parts do not add up.
        """
        self._workspace.execute(
            "create view to_fetch as"
            " select digest, max(size) as size from wanted where size > 0 group by digest"
        )
        choose_parts(self._workspace, "to_fetch", into="parts")
        drop_endless(self._workspace, "to_fetch", parts="parts")
        make_pieces(self._workspace, "parts", into="pieces")
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
        # Also small content may be made of a great many pieces, or against large ones.
        self._workspace.execute(
            f"""
            create table large as
            select object as digest from pieces where parts > 1
            group by object
            having sum(size) > {GROUP_BYTES} or count(*) > {GROUP_PIECES}
                or sum(
                    greatest(size, stored_size)
                    + coalesce(greatest(r_size, r_stored_size), 0)
                ) > {BESIDES * GROUP_BYTES}
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
        """Large files first, so that the last task to end is a short one."""
        in_whole = f"p.parts = 1 and starts_with(p.container, '{layout.WHOLE}')"
        for row in self._rows(in_whole, "w.size desc, w.path"):
            wanted, piece = _wanted(row), piece_of(row[_WANTED_COLUMNS:])
            own = piece.container.startswith(layout.whole(wanted.digest.hex(), ""))
            # Else it is a piece of something larger that was stored whole.
            yield _Whole(wanted, piece) if own else _Large(wanted)
        large = self._workspace.rows(
            f"""
            select {_WANTED} from wanted w
            where w.digest not in (select digest from lost) and w.digest in (from large)
            order by w.size desc, w.path
            """
        )
        yield from (_Large(_wanted(row)) for row in large)
        # The rows of one file follow each other. verify asks for content, not for paths: a path
        # may come with several.
        yield from self._groups(
            "p.parts > 1 and w.digest not in (from large)", "w.path, w.digest, p.ordinal"
        )
        # Files of one piece in the order in which they lie in the packs.
        yield from self._groups(
            f"p.parts = 1 and starts_with(p.container, '{layout.PACKS}')",
            'p.container, p."offset", w.path',
        )

    def _rows(self, condition: str, order: str) -> Iterator[Row]:
        return self._workspace.rows(
            f"""
            select {_WANTED}, {piece_columns("p")}
            from wanted w join pieces p on p.object = w.digest
            where w.size > 0 and {condition} and w.digest not in (select digest from lost)
            order by {order}
            """
        )

    def _groups(self, condition: str, order: str) -> Iterator[_Group]:
        group = _Group([])
        size = count = 0
        for row in self._rows(condition, order):
            wanted, piece = _wanted(row), piece_of(row[_WANTED_COLUMNS:])
            if not group.files or group.files[-1][0] != wanted:
                if group.files and (size + wanted.size > GROUP_BYTES or count >= GROUP_PIECES):
                    yield group
                    group, size, count = _Group([]), 0, 0
                group.files.append((wanted, []))
            group.files[-1][1].append(piece)
            size += memory_bytes(piece)
            count += 1
        if group.files:
            yield group

    def _do(self, task: _Task) -> tuple[int, int, list[Damaged]]:
        self._stop.check()
        if isinstance(task, _Group):
            return self._fetch_group(task)
        wanted = task.wanted
        try:
            if isinstance(task, _Whole):
                self._fetch_whole(wanted, task.piece)
            else:
                self._fetch_large(wanted)
        except Corrupt as error:
            return 0, 0, [_damaged(wanted, error)]
        return 1, wanted.size, []

    def _fetch_group(self, group: _Group) -> tuple[int, int, list[Damaged]]:
        flat = [part for _, pieces in group.files for piece in pieces for part in split(piece)]
        plain = iter(self._reader.read(flat))
        arrived: list[tuple[Wanted, bytes | memoryview]] = []
        damaged: list[Damaged] = []
        for wanted, pieces in group.files:
            parts = [next(plain) for piece in pieces for _ in split(piece)]
            try:
                arrived.append((wanted, self._verified(wanted, pieces, parts)))
            except Corrupt as error:
                damaged.append(_damaged(wanted, error))
        self._stop.check()
        self._sink.write_many(arrived)
        return len(arrived), sum(wanted.size for wanted, _ in arrived), damaged

    def _verified(
        self, wanted: Wanted, pieces: list[Piece], parts: list[Read]
    ) -> bytes | memoryview:
        good = _good(parts)
        data = good[0] if len(good) == 1 else b"".join(good)
        # The checksums guard against accidents; the digest also against a forged index.
        if self._digest(data) != wanted.digest:  # type: ignore[arg-type]
            raise _other_content(pieces[0].container)
        return data

    def _fetch_whole(self, wanted: Wanted, piece: Piece) -> None:
        source = self._backend.path_of(piece.container)
        if source is None:
            self._fetch_large(wanted)
        else:
            _check_size(self._backend.stat(piece.container), piece)
            self._sink.place(wanted, source, piece.checksums)

    def _fetch_large(self, wanted: Wanted) -> None:
        rows = self._workspace.rows(
            f"select {piece_columns('p')} from pieces p where p.object = $1 order by p.ordinal",
            [wanted.digest],
        )
        pieces = (part for row in rows for part in split(piece_of(row)))
        self._sink.write(wanted, self._checked(wanted, _steps(pieces)))

    def _checked(
        self, wanted: Wanted, steps: Iterator[list[Piece]]
    ) -> Iterator[bytes | memoryview]:
        """The content in order, compared with its digest at the end: so that also the choice of
        the pieces and their order is checked."""
        hasher = new_hasher(self._algorithm)
        container = "the store"
        for container, parts in self._ahead(steps):  # noqa: B007 - of the last step
            self._stop.check()
            for part in parts:
                hasher.update(part)
                yield part
        if hasher.digest() != wanted.digest:
            raise _other_content(container)

    def _ahead(
        self, steps: Iterator[list[Piece]]
    ) -> Iterator[tuple[str, list[bytes | memoryview]]]:
        """The content of each step, and a container of it, while the next ones are being read."""
        waiting: deque[Future[tuple[str, list[bytes | memoryview]]]] = deque()
        # Threads of its own: those of the executor may all be waiting for a step.
        pool = threads(LOOKAHEAD)
        try:
            for step in steps:
                waiting.append(pool.submit(self._read_step, step))
                if len(waiting) > LOOKAHEAD:
                    yield waiting.popleft().result()
            for future in waiting:
                yield future.result()
        finally:
            pool.shutdown(cancel_futures=True)

    def _read_step(self, step: list[Piece]) -> tuple[str, list[bytes | memoryview]]:
        return step[0].container, _good(self._reader.read(step))


_WANTED = """w.path, w.size, w.executable, w.mtime_ns, w.digest,
    w.there_size, w.there_mtime_ns, w.there_ctime_ns, w.there_inode"""
_WANTED_COLUMNS = 9


def _steps(pieces: Iterable[Piece]) -> Iterator[list[Piece]]:
    """Pieces in order, so many at a time as take about `STEP_BYTES` of memory."""
    step: list[Piece] = []
    size = 0
    for piece in pieces:
        if step and (size + memory_bytes(piece) > STEP_BYTES or len(step) >= GROUP_PIECES):
            yield step
            step, size = [], 0
        step.append(piece)
        size += memory_bytes(piece)
    if step:
        yield step


def _good(parts: list[Read]) -> list[bytes | memoryview]:
    """The parts; raises the first `Corrupt` among them."""
    good: list[bytes | memoryview] = []
    for part in parts:
        if isinstance(part, Corrupt):
            raise part
        good.append(part)
    return good


def _other_content(container: str) -> Corrupt:
    return Corrupt(f"{container} holds other content", kind="container_damaged")


def _check_size(found: Stat | None, piece: Piece) -> None:
    if found is None:
        raise Corrupt(f"{piece.container} is missing", kind="container_missing")
    if found.size_bytes != piece.size:
        raise Corrupt(
            f"{piece.container} has {found.size_bytes} bytes instead of {piece.size}",
            kind="container_damaged",
        )


def _damaged(wanted: Wanted, error: Corrupt) -> Damaged:
    return Damaged(wanted, error.message, error.kind == "container_missing")


def _wanted(row: Row) -> Wanted:
    path, size, executable, mtime_ns, digest, *there = row[:_WANTED_COLUMNS]
    known = (there[0], there[1], there[2], there[3]) if there[3] is not None else None
    return Wanted(path, size, executable, mtime_ns, digest, known)
