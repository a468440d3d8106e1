"""Pieces come back from wherever they lie, each verified, with few requests and bounded memory."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datacat import layout
from datacat.backend.memory import MemoryBackend
from datacat.digest import BLOCK_BYTES, checksum, checksums
from datacat.errors import Corrupt
from datacat.objects.codec import RAW, ZSTD, Encoder
from datacat.transfer.pieces import (
    REFERENCE_BYTES_MAX,
    SPLIT_BYTES,
    Piece,
    PieceReader,
    Read,
    split,
)
from tests.conftest import searching
from tests.unit.objects.shelf import blake, session

KIB = 1024


class Watched(MemoryBackend):
    """Remembers what was asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[tuple[str, int, int]] = []

    def read_range(self, key: str, offset: int, length: int) -> bytes:
        self.asked.append((key, offset, length))
        return super().read_range(key, offset, length)


def noise(size: int, seed: int) -> bytes:
    return random.Random(seed).randbytes(size)


class Frames:
    """Frames in containers, and the pieces that say where."""

    def __init__(self) -> None:
        self.backend = Watched()
        self.reader = PieceReader(self.backend)
        self.plain: dict[bytes, bytes] = {}
        self._bytes: dict[int, bytearray] = {}

    def put(self, data: bytes, *, pack: int = 0, gap: int = 0, like: Piece | None = None) -> Piece:
        """Append a frame; `like` is the piece that it is made against."""
        container = self._bytes.setdefault(pack, bytearray())
        container += bytes(gap)
        if like is None:
            codec, frame = Encoder(1).encode(data)
        else:
            made = Encoder(1).encode_against(data, self.plain[like.digest])
            assert made is not None
            codec, frame = ZSTD, made
        piece = Piece(
            blake(data),
            len(data),
            layout.pack(session(pack), 0),
            len(container),
            len(frame),
            codec,
            checksum(frame),
            like,
        )
        container += frame
        self.plain[piece.digest] = data
        return piece

    def store(self) -> None:
        for pack, container in self._bytes.items():
            self.backend.write(layout.pack(session(pack), 0), bytes(container))

    def damage(self, piece: Piece) -> None:
        data = bytearray(self.backend.read(piece.container))
        data[piece.offset + piece.stored_size // 2] ^= 1
        self.backend.delete(piece.container)
        self.backend.write(piece.container, bytes(data))


@pytest.fixture
def held() -> Frames:
    return Frames()


def plain(found: list[Read]) -> list[bytes | None]:
    return [None if isinstance(one, Corrupt) else bytes(one) for one in found]


@given(
    frames=st.lists(
        st.tuples(
            st.integers(1, 40_000), st.integers(0, 2), st.sampled_from([0, 0, 1, 65_536, 70_000])
        ),
        min_size=1,
        max_size=8,
    ),
    edits=st.lists(st.integers(0, 7), max_size=6),
    order=st.randoms(use_true_random=False),
)
@searching(60)
def test_any_pieces_in_any_order(
    frames: list[tuple[int, int, int]], edits: list[int], order: random.Random
) -> None:
    """Some made against others, some asked for twice: each comes back, in the order asked."""
    held = Frames()
    pieces = [
        held.put(noise(size, n), pack=pack, gap=gap) for n, (size, pack, gap) in enumerate(frames)
    ]
    for n, nth in enumerate(edits):
        like = pieces[nth % len(frames)]
        data = held.plain[like.digest]
        if len(data) >= 2000:
            new = data[:1000] + b"%d" % n + data[1000:]
            pieces.append(held.put(new, pack=n % 3, like=like))
    held.store()
    asked = [order.choice(pieces) for _ in range(2 * len(pieces))]
    assert plain(held.reader.read(asked)) == [held.plain[piece.digest] for piece in asked]
    read = sum(length for _, _, length in held.backend.asked)
    assert read <= sum(map(len, held._bytes.values())), "bytes were read twice"


def test_a_reference_is_read_with_the_same_request(held: Frames) -> None:
    like = held.put(noise(20_000, 1))
    pieces = [held.put(held.plain[like.digest] + b"%d" % n, like=like) for n in range(20)]
    held.store()
    assert None not in plain(held.reader.read(pieces))
    assert len(held.backend.asked) == 1


def test_damage_is_told_of_those_that_need_it(held: Frames) -> None:
    """A reference that is damaged takes with it what was made against it, and nothing else."""
    good, bad = held.put(noise(20_000, 1)), held.put(noise(20_000, 2))
    with_good = held.put(held.plain[good.digest] + b"x", like=good)
    with_bad = held.put(held.plain[bad.digest] + b"x", pack=1, like=bad)
    alone = held.put(noise(500, 3), pack=1)
    held.store()
    held.damage(bad)
    found = held.reader.read([with_good, with_bad, alone, bad])
    assert [one is None for one in plain(found)] == [False, True, False, True]
    assert isinstance(found[1], Corrupt)
    assert bad.container in found[1].message, "what has to be mended is the reference"
    held.backend.delete(bad.container)
    found = held.reader.read([with_bad, alone])
    assert [one is None for one in plain(found)] == [True, False]
    assert isinstance(found[0], Corrupt)
    assert found[0].kind == "container_missing"


def test_a_chain_of_references_is_not_followed(held: Frames) -> None:
    """A reference is plain: whoever says otherwise gives no content, right or wrong."""
    first = held.put(noise(20_000, 1))
    second = held.put(held.plain[first.digest] + b"x", like=first)
    third = held.put(held.plain[second.digest] + b"y", like=second)
    held.store()
    forged = replace(third, reference=replace(second, reference=None))
    assert plain(held.reader.read([forged])) == [None]


@pytest.mark.parametrize("size", [REFERENCE_BYTES_MAX + 1, 1 << 40])
def test_a_reference_that_is_too_large_is_not_read(held: Frames, size: int) -> None:
    """A whole container can be of any size, and an index can name it."""
    like = held.put(noise(20_000, 1))
    piece = held.put(held.plain[like.digest] + b"x", pack=1, like=like)
    other = held.put(noise(700, 2), pack=1)
    held.store()
    key = layout.whole("ab" * 32, session(5))
    held.backend.write(key, bytes(REFERENCE_BYTES_MAX + 1))
    sums = bytes(8 * -(-size // BLOCK_BYTES)) if size < 1 << 30 else b""
    forged = replace(piece, reference=Piece(b"d" * 32, size, key, 0, size, RAW, sums))
    found = held.reader.read([forged, other])
    assert plain(found) == [None, held.plain[other.digest]]
    assert all(length <= 64 * KIB for _, _, length in held.backend.asked)


def test_another_reference_gives_no_other_bytes_unnoticed(held: Frames) -> None:
    """The reader cannot know; what it gives has the size that was asked for, or is an error."""
    first, second = held.put(noise(20_000, 1)), held.put(noise(20_000, 2))
    piece = held.put(held.plain[first.digest] + b"x", like=first)
    held.store()
    (found,) = plain(held.reader.read([replace(piece, reference=second)]))
    assert found is None or (len(found) == piece.size and blake(found) != piece.digest)


@pytest.mark.parametrize(
    "size", [0, 1, SPLIT_BYTES, SPLIT_BYTES + 1, 3 * SPLIT_BYTES, 3 * SPLIT_BYTES + 77]
)
def test_what_is_large_is_read_in_parts(held: Frames, size: int) -> None:
    data = noise(size, 1)
    key = layout.whole(blake(data).hex(), session(1))
    held.backend.write(key, data)
    whole = Piece(blake(data), size, key, 0, size, RAW, checksums(data))
    parts = list(split(whole))
    assert all(part.size <= SPLIT_BYTES for part in parts)
    found = [held.reader.read([part])[0] for part in parts]
    assert b"".join(bytes(one) for one in found if not isinstance(one, Corrupt)) == data
    assert b"".join(part.checksums for part in parts) == whole.checksums
