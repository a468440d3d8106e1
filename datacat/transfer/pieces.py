"""Read chunks from where they lie: few large requests, every byte verified, memory bounded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from datacat.backend import Backend
from datacat.digest import BLOCK_BYTES, CHECKSUM_BYTES, checksums
from datacat.errors import Corrupt, StorageMissing
from datacat.objects.codec import RAW, Stored, decode, decode_many
from datacat.sql import Workspace, identifier

GAP_BYTES = 64 * 1024
"""Two frames this close are read with one request: the gap costs less than a request."""

RUN_BYTES_MAX = 8 * 1024 * 1024
"""One request asks for no more than this, and one frame besides."""

SPLIT_BYTES = 4 * BLOCK_BYTES
"""What lies in a whole container can be of any size: it is read in parts of this size."""

REFERENCE_BYTES_MAX = BLOCK_BYTES
"""No chunk is larger. Who names a larger reference is not us, and it is not read."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Where one chunk's bytes lie. `reference` is the piece that its frame was made against."""

    digest: bytes
    size: int
    container: str
    offset: int
    stored_size: int
    codec: str
    checksums: bytes
    reference: Piece | None = None


def piece_columns(table: str) -> str:
    """The columns of a table of pieces, in the order that `piece_of` takes."""
    own = ("chunk", "size", "container", '"offset"', "stored_size", "codec", "checksums")
    return ", ".join(
        [f"{table}.{name}" for name in own] + [f"{table}.r_{name.strip(chr(34))}" for name in own]
    )


def piece_of(row: Sequence[Any]) -> Piece:
    """The piece that a row of `piece_columns` describes."""
    digest, size, container, offset, stored_size, codec, sums, *r = row
    reference = Piece(r[0], r[1], r[2], r[3], r[4], r[5], r[6]) if r[0] is not None else None
    return Piece(digest, size, container, offset, stored_size, codec, sums, reference)


def memory_bytes(piece: Piece) -> int:
    """What reading a piece takes: a forged frame may be far longer than what it holds."""
    source = piece.reference
    own = max(piece.size, piece.stored_size)
    return own + (max(source.size, source.stored_size) if source else 0)


def split(piece: Piece, part_bytes: int = SPLIT_BYTES) -> Iterator[Piece]:
    """The piece in parts small enough to hold: itself, unless it is a large one stored raw.

    `part_bytes` is a multiple of `BLOCK_BYTES`.
    """
    if piece.size <= part_bytes or piece.codec != RAW:
        yield piece
        return
    for start in range(0, piece.size, part_bytes):
        size = min(part_bytes, piece.size - start)
        first = start // BLOCK_BYTES * CHECKSUM_BYTES
        sums = piece.checksums[first : first + part_bytes // BLOCK_BYTES * CHECKSUM_BYTES]
        yield replace(
            piece, offset=piece.offset + start, size=size, stored_size=size, checksums=sums
        )


_PIECES = """
    create table {into} as
    with places as (
        select c.* from usable c semi join {parts} p on p.chunk = c.digest
        qualify row_number() over (
            partition by c.digest order by c.reference is not null, c.container, c."offset"
        ) = 1
    ),
    sources as (
        select c.* from usable c semi join places p on p.reference = c.digest
        where c.reference is null
        qualify row_number() over (partition by c.digest order by c.container, c."offset") = 1
    )
    select p.object, p.ordinal, p.chunk,
           c.size, c.container, c."offset", c.stored_size, c.codec, c.checksums,
           r.digest as r_chunk, r.size as r_size, r.container as r_container,
           r."offset" as r_offset, r.stored_size as r_stored_size, r.codec as r_codec,
           r.checksums as r_checksums,
           count(*) over (partition by p.object) as parts,
           -- A forged sum may be beyond what fits.
           least(
               sum(c.size) over (partition by p.object order by p.ordinal) - c.size,
               4611686018427387904
           )::bigint as start
    from {parts} p
    left join places c on c.digest = p.chunk
    left join sources r on r.digest = c.reference
    order by p.object, p.ordinal
"""


def make_pieces(workspace: Workspace, parts: str, *, into: str) -> None:
    """Make the table `into`: where each chunk of `parts(object, ordinal, chunk)` lies.

    `container` is null where it is nowhere; `parts` counts the chunks of the object and `start` is
    where this one begins in it. Needs the views of `objects.index.prepare`.
    """
    # In order, so that the pieces of one object are found without looking at all others.
    workspace.execute("set preserve_insertion_order = true")
    workspace.execute(_PIECES.format(into=identifier(into), parts=identifier(parts)))
    workspace.execute("set preserve_insertion_order = false")


Read = bytes | memoryview | Corrupt
"""The plain bytes of a piece, or why they cannot be had."""

Frames = dict[tuple[str, int], memoryview | Corrupt]
"""Stored bytes, by container and offset."""


class PieceReader:
    """Reads pieces of one store. Thread-safe."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    @property
    def local(self) -> bool:
        """Whether what is read lies in the file system of this machine."""
        return self._backend.capabilities.local

    def read(self, pieces: Sequence[Piece]) -> list[Read]:
        """The plain bytes of each piece, in the order of `pieces`, which went through `split`.

        What lies near each other is read with one request, whatever the order. The memory taken is
        that of the pieces, their references, and what lies between them.
        """
        return [plain for _, plain in self.read_stored(pieces)]

    def read_stored(self, pieces: Sequence[Piece]) -> list[tuple[memoryview | Corrupt, Read]]:
        """As `read`, each with its stored bytes before it; those have their checksums."""
        frames = self._frames(pieces)
        sources = {p.reference.digest: p.reference for p in pieces if p.reference is not None}
        alone = [*sources.values(), *(piece for piece in pieces if piece.reference is None)]
        stored = [_verified(frames, piece) for piece in alone]
        plain = _decoded(alone, stored)
        references = dict(zip(sources, plain, strict=False))
        rest = zip(stored[len(sources) :], plain[len(sources) :], strict=True)
        found: list[tuple[memoryview | Corrupt, Read]] = []
        for piece in pieces:
            if piece.reference is None:
                found.append(next(rest))
                continue
            frame = _verified(frames, piece)
            found.append((frame, _against(frame, piece, references[piece.reference.digest])))
        return found

    def _frames(self, pieces: Sequence[Piece]) -> Frames:
        """The stored bytes of the pieces and their references, by container and offset."""
        spans: dict[tuple[str, int], int] = {}
        for piece in pieces:
            for one in (piece, piece.reference):
                if one is None or (one is not piece and one.stored_size > REFERENCE_BYTES_MAX):
                    continue
                place = (one.container, one.offset)
                spans[place] = max(spans.get(place, 0), one.stored_size)
        frames: Frames = {}
        for container, start, end, places in _runs(spans):
            try:
                data = memoryview(self._read(container, start, end - start))
            except Corrupt as error:
                frames.update(dict.fromkeys(places, error))
                continue
            # What lies between them is not held until the last of them is decoded.
            sparse = sum(spans[place] for place in places) * 2 < len(data)
            for place in places:
                begin = place[1] - start
                frame = data[begin : begin + spans[place]]
                frames[place] = memoryview(bytes(frame)) if sparse else frame
        return frames

    def _read(self, container: str, offset: int, length: int) -> bytes:
        try:
            return self._backend.read_range(container, offset, length)
        except StorageMissing as error:
            raise Corrupt(f"{container} is missing", kind="container_missing") from error


def _runs(
    spans: dict[tuple[str, int], int],
) -> Iterator[tuple[str, int, int, list[tuple[str, int]]]]:
    """What to read at once: container, first and last offset, and the places in between."""
    places: list[tuple[str, int]] = []
    container, start, end = "", 0, 0
    for place in sorted(spans):
        near = place[0] == container and place[1] <= end + GAP_BYTES
        if not places or not near or end - start > RUN_BYTES_MAX:
            if places:
                yield container, start, end, places
            places = []
            container, start = place
            end = start
        places.append(place)
        end = max(end, place[1] + spans[place])
    if places:
        yield container, start, end, places


def _verified(frames: Frames, piece: Piece) -> memoryview | Corrupt:
    """The stored bytes of a piece, compared with their checksums."""
    frame = frames.get((piece.container, piece.offset))
    if frame is None:
        why = "made against what is too large to be a chunk"
        return Corrupt(f"{piece.container}: {why}", kind="container_damaged")
    if isinstance(frame, Corrupt):
        return frame
    frame = frame[: piece.stored_size]
    if len(frame) != piece.stored_size or checksums(frame) != piece.checksums:
        return Corrupt(f"{piece.container} is damaged", kind="container_damaged")
    return frame


def _decoded(pieces: Sequence[Piece], frames: Sequence[memoryview | Corrupt]) -> list[Read]:
    """The plain bytes of pieces that were made against nothing, all in one call."""
    good = [
        (piece, frame)
        for piece, frame in zip(pieces, frames, strict=True)
        if not isinstance(frame, Corrupt)
    ]
    plain = iter(decode_many([Stored(frame, p.codec, p.size) for p, frame in good]))
    return [
        frame if isinstance(frame, Corrupt) else _blamed(next(plain), piece)
        for piece, frame in zip(pieces, frames, strict=True)
    ]


def _against(frame: memoryview | Corrupt, piece: Piece, reference: Read) -> Read:
    """The plain bytes of a piece that was made against `reference`."""
    if isinstance(frame, Corrupt):
        return frame
    if isinstance(reference, Corrupt):
        return reference
    try:
        return decode(frame, codec=piece.codec, size=piece.size, reference=reference)
    except Corrupt as error:
        return _blamed(error, piece)


def _blamed(found: Read, piece: Piece) -> Read:
    """What was found; an error with the name of the container."""
    if isinstance(found, Corrupt):
        return Corrupt(f"{piece.container}: {found.message}", kind="container_damaged")
    return found
