"""Bring chunks of one store into another: as they are stored, and only after they were checked.

What is kept whole stays whole, and a compressed chunk is not compressed again. Each is read, its
checksums and its digest are compared, and only then is it written: damage is never copied
(INV checked, INV stored = hashed).
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Final

from datacat.backend import Backend, Staged
from datacat.digest import digest_of, new_hasher
from datacat.errors import Corrupt
from datacat.model import Parameters
from datacat.objects.codec import RAW, Encoder
from datacat.progress import Advanced, Listener, StopSignal
from datacat.sql import Loader, Row, Workspace
from datacat.transfer.executor import run_bounded
from datacat.transfer.following import write_full
from datacat.transfer.journal import ChunkRow, Journal
from datacat.transfer.packing import Packing
from datacat.transfer.pieces import (
    Piece,
    PieceReader,
    memory_bytes,
    piece_columns,
    piece_of,
    split,
)
from datacat.transfer.whole import Copied, WholeContainers

GROUP_BYTES = 8 * 1024 * 1024
GROUP_PIECES = 2048
"""What one task holds in memory: so many bytes, of so many pieces."""

WHOLE: Final = "whole"
FRAME: Final = "frame"
AGAIN: Final = "again"
INSIDE: Final = "inside"
"""How a chunk gets there: as a container of its own, as the frame that it is, as a frame that is
made anew, or not at all, since it lies inside a whole container that is there."""


@dataclass(frozen=True, slots=True)
class Travelling:
    """A chunk to bring: `how`, and for `INSIDE` the container there that holds it."""

    piece: Piece
    how: str
    inside: str | None


@dataclass
class _Done:
    """What one task did."""

    sent_bytes: int = 0
    rows: list[ChunkRow] = field(default_factory=list)
    found: list[ChunkRow] = field(default_factory=list)
    damaged: list[tuple[bytes, str]] = field(default_factory=list)


class Relay:
    """Brings what the table `travelling` of `workspace` names from `source` to `target`.

    `travelling` has the columns of pieces, `how` and `inside`. The rows of the index go to the
    tables `new_chunks` and `found_chunks`, and what is damaged at the source to
    `spoilt(chunk, reason)`. `sent_bytes` counts what was written there.
    """

    def __init__(
        self,
        source: Backend,
        target: Backend,
        *,
        workspace: Workspace,
        parameters: Parameters,
        session: str,
        journal: Journal,
        listener: Listener,
        stop: StopSignal,
    ) -> None:
        self._source = source
        self._target = target
        self._reader = PieceReader(source)
        self._workspace = workspace
        self._algorithm = parameters.digest
        self._level = parameters.zstd_level
        self._packing = Packing(target, parameters, session, journal)
        # Its progress is counted here, in plain bytes of chunks.
        self._whole = WholeContainers(
            target,
            algorithm=parameters.digest,
            session=session,
            journal=journal,
            listener=lambda _: None,
            stop=stop,
        )
        self._listener = listener
        self._stop = stop
        self._encoders = threading.local()
        self.sent_bytes = 0

    def run(self, executor: Executor, *, jobs: int) -> None:
        """Bring all of it; what was brought is durable when it returns.

        Raises `StorageError` when the store there cannot be written. Damage does not end it: the
        rest arrives, so that it need not travel again.
        """
        run = self._workspace.execute
        run("create table spoilt (chunk blob, reason varchar)")
        try:
            with (
                Loader(self._workspace, "new_chunks") as chunks,
                Loader(self._workspace, "found_chunks") as there,
                Loader(self._workspace, "spoilt") as spoilt,
            ):
                for done in run_bounded(
                    executor, self._do, self._tasks(), jobs=jobs, stop=self._stop
                ):
                    self.sent_bytes += done.sent_bytes
                    chunks.add(done.rows)
                    chunks.add(self._packing.take_rows())
                    there.add(done.found)
                    spoilt.add(done.damaged)
            self._packing.finish(executor, jobs=jobs, stop=self._stop)
        except BaseException:
            self._packing.discard()
            raise
        self._workspace.load("new_chunks", self._packing.take_rows())
        # INV order: all content is durable before the segment that names it is written.
        self._target.sync()

    def _tasks(self) -> Iterator[list[Travelling]]:
        """Large ones first and alone; the rest in the order in which it lies there."""
        yield from (
            [_travelling(row)] for row in self._rows(f"how = '{WHOLE}'", "size desc, chunk")
        )
        group: list[Travelling] = []
        size = 0
        for row in self._rows(f"how <> '{WHOLE}'", 'container, "offset"'):
            one = _travelling(row)
            if group and (
                size + memory_bytes(one.piece) > GROUP_BYTES or len(group) >= GROUP_PIECES
            ):
                yield group
                group, size = [], 0
            group.append(one)
            size += memory_bytes(one.piece)
        if group:
            yield group

    def _rows(self, condition: str, order: str) -> Iterator[Row]:
        return self._workspace.rows(
            f"select {piece_columns('t')}, how, inside from travelling t"
            f" where {condition} order by {order}"
        )

    def _do(self, group: list[Travelling]) -> _Done:
        self._stop.check()
        done = _Done()
        if group[0].how == WHOLE:
            piece = group[0].piece
            try:
                done.rows.append(self._bring_whole(piece))
                done.sent_bytes += piece.size
            except Corrupt as error:
                done.damaged.append((piece.digest, error.message))
        else:
            self._bring(group, done)
        self._listener(Advanced(len(group), sum(one.piece.size for one in group)))
        return done

    def _bring(self, group: list[Travelling], done: _Done) -> None:
        good: list[tuple[Travelling, str, bytes | memoryview]] = []
        for one, (stored, plain) in zip(
            group, self._reader.read_stored([one.piece for one in group]), strict=True
        ):
            piece = one.piece
            if isinstance(stored, Corrupt) or isinstance(plain, Corrupt):
                error = stored if isinstance(stored, Corrupt) else plain
                done.damaged.append((piece.digest, str(error)))
            elif digest_of(self._algorithm, plain) != piece.digest:
                done.damaged.append((piece.digest, f"{piece.container} holds other content"))
            elif one.inside is not None:
                place = (one.inside, piece.offset, piece.size, RAW, None, piece.checksums)
                done.found.append((piece.digest, piece.size, *place))
            elif one.how == AGAIN:
                good.append((one, *self._encoder.encode(plain)))
            else:
                good.append((one, piece.codec, stored))
        if not good:
            return
        self._stop.check()
        with self._packing.borrow() as pack:
            for one, codec, data in good:
                reference = one.piece.reference if one.how == FRAME else None
                pack.append(
                    one.piece.digest,
                    data,
                    size=one.piece.size,
                    codec=codec,
                    reference=None if reference is None else reference.digest,
                )
                done.sent_bytes += len(data)

    def _bring_whole(self, piece: Piece) -> ChunkRow:
        path = self._source.path_of(piece.container) if piece.offset == 0 else None
        with self._target.stage() as staged:
            if path is None:
                digest = self._streamed(piece, staged)
                copied = Copied(staged, digest, piece.checksums, piece.size)
            else:
                try:
                    fd = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
                except FileNotFoundError:
                    raise Corrupt(f"{piece.container} is missing") from None
                try:
                    copied = self._whole.copy(fd, staged, piece.container, limit=piece.size)
                finally:
                    os.close(fd)
            if (copied.digest, copied.size) != (piece.digest, piece.size):
                raise Corrupt(f"{piece.container} holds other content")
            return self._whole.publish(copied)

    def _streamed(self, piece: Piece, staged: Staged) -> bytes:
        """The digest of a large piece, which is read and written in parts."""
        hasher = new_hasher(self._algorithm)
        start = 0
        for part in split(piece):
            self._stop.check()
            (data,) = self._reader.read([part])
            if isinstance(data, Corrupt):
                raise data
            hasher.update(data)
            try:
                write_full(staged.fd, data, start)
            except OSError as error:
                raise staged.failed(error) from error
            start += len(data)
        return hasher.digest()

    @property
    def _encoder(self) -> Encoder:
        """That of this thread: it learns, and so is not shared."""
        found: Encoder | None = getattr(self._encoders, "own", None)
        if found is None:
            found = self._encoders.own = Encoder(self._level)
        return found


def _travelling(row: Row) -> Travelling:
    *piece, how, inside = row
    return Travelling(piece_of(piece), how, inside)
