"""Where the bytes of one content lie, in a form that is small and found fast.

A terabyte is sixteen million chunks: as Python objects they would not fit in memory. Here each
takes about a hundred bytes, and becomes a `Piece` only while it is read.
"""

from __future__ import annotations

import struct
from array import array
from bisect import bisect_right
from collections.abc import Iterable

from datacat.digest import BLOCK_BYTES, CHECKSUM_BYTES
from datacat.objects.codec import RAW, ZSTD
from datacat.transfer.pieces import GAP_BYTES, Piece, split
from datacat.transfer.stretch import Frame

_RECORD = struct.Struct("<qiiii?8s")
_CODECS = {False: RAW, True: ZSTD}
_NONE = -1


class Located:
    """The pieces of one content in order, none larger than `BLOCK_BYTES`.

    `size` is the content's. What lies in a whole container is taken apart at its checksums, so
    that a short read checks no more than it must; such a part has no digest of its own.
    """

    def __init__(self, pieces: Iterable[Piece]) -> None:
        self._starts = array("q")
        self._records = bytearray()
        self._digests: list[bytes] = []
        self._containers: dict[str, int] = {}
        self._references: dict[bytes, int] = {}
        self._sources: list[Piece] = []
        self._made_of = 0
        self.size = 0
        for whole in pieces:
            self._made_of += 1
            for piece in split(whole, BLOCK_BYTES):
                self._append(piece, own_digest=piece is whole)
        self._names = list(self._containers)

    def _append(self, piece: Piece, *, own_digest: bool) -> None:
        reference = _NONE
        if piece.reference is not None:
            reference = self._references.setdefault(piece.reference.digest, len(self._sources))
            if reference == len(self._sources):
                self._sources.append(piece.reference)
        self._starts.append(self.size)
        self._digests.append(piece.digest if own_digest else b"")
        self._records += _RECORD.pack(
            piece.offset,
            piece.size,
            piece.stored_size,
            self._containers.setdefault(piece.container, len(self._containers)),
            reference,
            piece.codec == ZSTD,
            piece.checksums[:CHECKSUM_BYTES],
        )
        self.size += piece.size

    def __len__(self) -> int:
        return len(self._starts)

    def index_at(self, offset: int) -> int:
        """The number of the piece that holds the byte at `offset`, which is not past the end."""
        return bisect_right(self._starts, offset) - 1

    def start(self, index: int) -> int:
        """Where a piece begins in the content; for the number after the last, the end."""
        return self._starts[index] if index < len(self._starts) else self.size

    def piece(self, index: int) -> Piece:
        """A piece. Its digest is empty when it is a part of something larger."""
        offset, size, stored, container, reference, packed, checksum = _RECORD.unpack_from(
            self._records, index * _RECORD.size
        )
        return Piece(
            self._digests[index],
            size,
            self._names[container],
            offset,
            stored,
            _CODECS[packed],
            checksum,
            self._sources[reference] if reference != _NONE else None,
        )

    def place(self, index: int) -> tuple[str, int]:
        """Container and offset of a piece, without the rest of it."""
        offset, _, _, container, *_ = _RECORD.unpack_from(self._records, index * _RECORD.size)
        return self._names[container], offset

    def row(self, first: int, last: int) -> tuple[str, list[Frame]] | None:
        """The pieces `first` to `last` (not included), as frames that lie in a row in a container.

        None where they do not, or one was made against another piece.
        """
        records = memoryview(self._records)[first * _RECORD.size : last * _RECORD.size]
        frames: list[Frame] = []
        end = place = -1
        for number, record in enumerate(_RECORD.iter_unpack(records), first):
            offset, size, stored, container, reference, packed, checksum = record
            if not frames:
                end, place = offset, container
            usual = reference == _NONE and container == place and 0 < stored <= size
            if not usual or not 0 <= offset - end <= GAP_BYTES:
                return None
            end = offset + stored
            check = int.from_bytes(checksum, "little")
            frames.append(Frame(self._digests[number], offset, stored, size, packed, check))
        return (self._names[place], frames) if frames else None

    def is_plain(self, index: int) -> bool:
        """Whether a piece lies as it is."""
        _, _, _, _, reference, packed, _ = _RECORD.unpack_from(self._records, index * _RECORD.size)
        return not packed and reference == _NONE

    def plain_row(self, first: int, last: int) -> tuple[str, list[Frame]]:
        """As many pieces from `first` on as lie as they are, one directly behind the other, in one
        container: the container and these pieces, perhaps none. Ends before `last`."""
        records = memoryview(self._records)[first * _RECORD.size : last * _RECORD.size]
        frames: list[Frame] = []
        end = place = -1
        for number, record in enumerate(_RECORD.iter_unpack(records), first):
            offset, size, _, container, reference, packed, checksum = record
            if packed or reference != _NONE:
                break
            if not frames:
                end, place = offset, container
            if container != place or offset != end:
                break
            end = offset + size
            check = int.from_bytes(checksum, "little")
            frames.append(Frame(self._digests[number], offset, size, size, False, check))
        return (self._names[place], frames) if frames else ("", [])

    @property
    def one_piece_in(self) -> str | None:
        """The container, if the content was stored as one piece; None if it is made of several."""
        return self._names[0] if self._made_of == 1 else None
