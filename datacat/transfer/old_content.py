"""What lay at the path of an edited file before: its chunks, where they lie, and their bytes.

The old content of a file that was stored whole is cut when it is first needed: its chunks are
indexed where they lie inside the container, so that the edit costs only its new bytes and the old
file stays as it is.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from datacat import layout
from datacat.digest import checksum, digest_of
from datacat.errors import Corrupt
from datacat.objects.chunker import Chunker
from datacat.objects.codec import RAW
from datacat.objects.parts import choose_parts
from datacat.progress import StopSignal
from datacat.sql import Workspace
from datacat.transfer.alignment import Span
from datacat.transfer.claims import Claims
from datacat.transfer.executor import batched
from datacat.transfer.pieces import Piece, PieceReader, make_pieces, piece_columns, piece_of, split

MARGIN_BYTES = 2 * 1024 * 1024
"""So far around the place where an old chunk is expected it is looked for."""

NOTED_CHUNKS = 4096
"""Chunks of a large content that are held before they are noted."""


class OldChunk(NamedTuple):
    """A chunk of old content, and the piece that a new chunk can be made against: the chunk
    itself, or what it was made against, so that chains are one link long."""

    span: Span
    plain: Piece


class OldContents:
    """The old contents that the workspace's table `edits(path, object)` names. Thread-safe."""

    def __init__(
        self,
        workspace: Workspace,
        reader: PieceReader,
        *,
        chunker: Chunker,
        claims: Claims,
        algorithm: str,
        stop: StopSignal,
    ) -> None:
        self._workspace = workspace
        self._reader = reader
        self._chunker = chunker
        self._claims = claims
        self._algorithm = algorithm
        self._stop = stop
        self._lock = threading.Lock()
        self._cutting = threading.Lock()
        self._prepared = threading.Event()
        self._noted: set[bytes] = set()

    def chunks_of(self, objects: Iterable[bytes]) -> dict[bytes, list[OldChunk]]:
        """The chunks of each of these contents, in order. Contents that are lost are left out."""
        self._prepare()
        rows = self._workspace.all(
            f"""
            select o.object, o.start, {piece_columns("o")} from old_pieces o
            where o.object in (select unnest($1::blob[])) order by o.object, o.start
            """,
            [list(objects)],
        )
        found: dict[bytes, list[OldChunk]] = {}
        for digest, start, *piece in rows:
            found.setdefault(digest, []).append(_old_chunk(start, piece_of(piece)))
        cut = [digest for digest, chunks in found.items() if self._is_uncut(chunks)]
        complete: list[tuple[bytes, list[OldChunk]]] = []
        for digest in cut:
            (whole,) = found[digest]
            found[digest] = inside = list(self._cut(whole.plain))
            if inside and inside[-1].span.end == whole.span.end and self._is_first(digest):
                complete.append((digest, inside))
        self._note_chunks([chunk for digest in cut for chunk in found[digest]])
        self._note_recipes(complete)
        return found

    def cut(self, digest: bytes) -> None:
        """See to it that `window` finds the chunks of a content that may be large."""
        self._prepare()
        with self._cutting:
            rows = self._workspace.all(
                f"select {piece_columns('o')} from old_pieces o where o.object = $1 limit 2",
                [digest],
            )
            chunks = [_old_chunk(0, piece_of(row)) for row in rows]
            if not self._is_uncut(chunks):
                return
            (whole,) = chunks
            self._workspace.execute("delete from old_pieces where object = $1", [digest])
            is_first = self._is_first(digest)
            done = ordinal = 0
            for inside in batched(self._cut(whole.plain), NOTED_CHUNKS):
                self._note_chunks(inside)
                if is_first:
                    self._note_recipes([(digest, inside)], first=ordinal)
                self._workspace.load("old_pieces", _piece_rows(digest, inside, ordinal))
                ordinal += len(inside)
                done = inside[-1].span.end
            if is_first and done != whole.span.end:
                # A recipe that lacks its end would be taken for other content.
                self._workspace.execute("delete from found_recipes where object = $1", [digest])

    def window(self, digest: bytes, begin: int, end: int) -> list[OldChunk]:
        """The chunks of a content that lie between these offsets, or not far from them."""
        rows = self._workspace.all(
            f"""
            select o.start, {piece_columns("o")} from old_pieces o
            where o.object = $1 and o.start + o.size > $2 and o.start < $3 order by o.start
            """,
            [digest, begin - MARGIN_BYTES, end + MARGIN_BYTES],
        )
        return [_old_chunk(row[0], piece_of(row[1:])) for row in rows]

    def _prepare(self) -> None:
        """Look all of them up when the first is needed: often none of the files was changed."""
        if self._prepared.is_set():
            return
        with self._lock:
            if self._prepared.is_set():
                return
            run = self._workspace.execute
            run("create view edited as select distinct object as digest from edits")
            # What was cut before, in any commit, is not cut again.
            run(
                """
                create table cut_before as
                with made as (
                    select r.object, r.seq, r.chunk
                    from usable_recipes r semi join edited e on e.digest = r.object
                )
                select m.object as digest from made m
                left join (
                    select distinct digest from usable c semi join made on made.chunk = c.digest
                ) c on c.digest = m.chunk
                group by m.object, m.seq having count(*) = count(c.digest)
                """
            )
            run(
                """
                create view uncut as
                select digest from usable u
                where not exists (select 1 from cut_before c where c.digest = u.digest)
                """
            )
            choose_parts(self._workspace, "edited", into="old_parts", chunks="uncut")
            make_pieces(self._workspace, "old_parts", into="old_pieces")
            run(
                "delete from old_pieces where object in"
                " (select object from old_pieces where container is null)"
            )
            self._prepared.set()

    def _is_uncut(self, chunks: Sequence[OldChunk]) -> bool:
        """True for a whole container. A frame of a pack is not cut: it is small, and compressed."""
        return (
            len(chunks) == 1
            and chunks[0].span.size > self._chunker.max_bytes
            and layout.is_whole(chunks[0].plain.container)
        )

    def _cut(self, whole: Piece) -> Iterator[OldChunk]:
        """The chunks of a content that is one piece; none after a place that is damaged."""
        pending = b""
        start = 0
        for part in split(whole):
            self._stop.check()
            (data,) = self._reader.read([part])
            if isinstance(data, Corrupt):
                return
            buffer = memoryview(pending + data)
            final = part.offset + part.size == whole.offset + whole.size
            begin = 0
            for end in self._chunker.cut(buffer, final=final):
                chunk = buffer[begin:end]
                yield _old_chunk(
                    start,
                    Piece(
                        digest_of(self._algorithm, chunk),
                        len(chunk),
                        whole.container,
                        whole.offset + start,
                        len(chunk),
                        RAW,
                        checksum(chunk),
                    ),
                )
                start += len(chunk)
                begin = end
            pending = bytes(buffer[begin:])

    def _is_first(self, digest: bytes) -> bool:
        """True once for each content: other files may have had the same before."""
        with self._lock:
            known = digest in self._noted
            self._noted.add(digest)
            return not known

    def _note_chunks(self, chunks: Sequence[OldChunk]) -> None:
        """Remember where these lie, for the index: they are not stored again, for no file."""
        if not chunks:
            return
        pieces = [chunk.plain for chunk in chunks]
        self._workspace.load(
            "found_chunks",
            (
                (p.digest, p.size, p.container, p.offset, p.stored_size, p.codec, None, p.checksums)
                for p in pieces
            ),
        )
        self._claims.found([piece.digest for piece in pieces])

    def _note_recipes(
        self, contents: Sequence[tuple[bytes, Sequence[OldChunk]]], *, first: int = 0
    ) -> None:
        """Remember what contents are made of, so that they are not cut again; `first` is the
        ordinal of the first of these chunks."""
        self._workspace.load(
            "found_recipes",
            (
                (digest, first + n, chunk.plain.digest)
                for digest, chunks in contents
                for n, chunk in enumerate(chunks)
            ),
        )


def _old_chunk(start: int, piece: Piece) -> OldChunk:
    return OldChunk(Span(start, piece.size, piece.digest), piece.reference or piece)


def _piece_rows(
    digest: bytes, chunks: Sequence[OldChunk], first: int
) -> Iterator[tuple[object, ...]]:
    """Rows of `old_pieces` for chunks that lie in a whole container."""
    for n, (span, p) in enumerate(chunks):
        place = (p.digest, p.size, p.container, p.offset, p.stored_size, p.codec, p.checksums)
        yield (digest, first + n, *place, *(None,) * len(place), 0, span.start)
