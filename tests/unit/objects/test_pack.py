"""A pack says what it holds, and no damage to what it says is ever believed."""

from __future__ import annotations

import os
import random
import struct
import time
import tracemalloc
from collections.abc import Callable

import pytest
import xxhash
from hypothesis import given, settings
from hypothesis import strategies as st

from datacat import layout
from datacat.backend.memory import MemoryBackend
from datacat.digest import checksum, digest_of
from datacat.errors import Corrupt, StorageFull, StorageMissing
from datacat.objects import pack
from datacat.objects.codec import RAW, ZSTD, Encoder, decode
from datacat.objects.pack import PackEntry, PackWriter, read_footer

KEY = layout.pack("5d" * 16, 3)
ALGORITHM = {16: "xxh3-128", 32: "blake3"}


def packed(contents: list[bytes], *, digest_bytes: int = 32) -> tuple[bytes, list[PackEntry]]:
    """The bytes of a pack of these contents, and what its writer says of them."""
    backend = MemoryBackend()
    writer = PackWriter(backend, KEY, digest_bytes=digest_bytes)
    encoder = Encoder(1)
    for data in contents:
        codec, frame = encoder.encode(data)
        digest = digest_of(ALGORITHM[digest_bytes], data)
        writer.append(digest, frame, size=len(data), codec=codec)
    writer.finish()
    data = backend.read(KEY)
    assert len(data) == writer.size_bytes
    return data, writer.entries


def footer(data: bytes, *, size: int | None = None) -> list[PackEntry]:
    """What `read_footer` reads from these bytes, under the name `KEY`."""
    backend = MemoryBackend()
    backend.write(KEY, data)
    return read_footer(backend, KEY, size_bytes=len(data) if size is None else size)


def assert_corrupt(data: bytes, *, size: int | None = None) -> None:
    with pytest.raises(Corrupt) as caught:
        footer(data, size=size)
    assert KEY in caught.value.message
    assert caught.value.kind == "pack_damaged"


SMALL = [b"a" * 100, b"", b"x", random.Random(3).randbytes(60), b"b" * 70]


@given(
    contents=st.lists(st.binary(max_size=200), max_size=12),
    digest_bytes=st.sampled_from([16, 32]),
    write_bytes=st.sampled_from([1, 100, pack.WRITE_BYTES]),
)
@settings(deadline=None)
def test_a_round_trip(contents: list[bytes], digest_bytes: int, write_bytes: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pack, "WRITE_BYTES", write_bytes)
        data, entries = packed(contents, digest_bytes=digest_bytes)
    found = footer(data)
    assert found == entries
    assert [entry.digest for entry in found] == [
        digest_of(ALGORITHM[digest_bytes], content) for content in contents
    ]
    for entry, content in zip(found, contents, strict=True):
        frame = data[entry.offset : entry.offset + entry.stored_size]
        assert checksum(frame) == entry.checksum
        assert decode(frame, codec=entry.codec, size=entry.size) == content


@pytest.mark.parametrize("digest_bytes", [16, 32])
def test_every_flipped_bit_outside_the_frames_is_found(digest_bytes: int) -> None:
    data, entries = packed(SMALL, digest_bytes=digest_bytes)
    end_of_frames = entries[-1].offset + entries[-1].stored_size
    for offset in [*range(16), *range(end_of_frames, len(data))]:
        for bit in range(8):
            flipped = bytearray(data)
            flipped[offset] ^= 1 << bit
            assert_corrupt(bytes(flipped))
    assert footer(data) == entries


def test_every_truncation_is_found() -> None:
    data, _ = packed(SMALL)
    for length in range(len(data)):
        assert_corrupt(data[:length])
        # A pack that is shorter than its listing said, as when it is cut in between.
        assert_corrupt(data[:length], size=len(data))


@given(extra=st.binary(min_size=1, max_size=64), front=st.booleans())
def test_more_bytes_at_either_end_are_found(extra: bytes, front: bool) -> None:
    data, _ = packed(SMALL)
    assert_corrupt(extra + data if front else data + extra)


@given(data=st.binary(max_size=400))
def test_any_bytes_are_no_pack(data: bytes) -> None:
    assert_corrupt(data)
    assert_corrupt(b"DCATPACK" + data + b"DCATPEND")


def test_a_missing_pack_is_missing() -> None:
    with pytest.raises(StorageMissing):
        read_footer(MemoryBackend(), KEY, size_bytes=1000)


# Footers that fit their checksum and lie


def forged(
    frames: bytes,
    entries: list[PackEntry],
    *,
    pack_format: int = 1,
    digest_bytes: int = 32,
    codec: int | None = None,
    start: int | None = None,
    count: int | None = None,
) -> bytes:
    """A pack by hand, as `docs/format.md` describes it, whose checksum is right."""
    header = struct.pack("<8sHHI", b"DCATPACK", pack_format, digest_bytes, 0)
    listed = b"".join(
        struct.pack(
            "<32sQIIBBH8s32s",
            e.digest,
            e.offset,
            e.stored_size,
            e.size,
            {RAW: 0, ZSTD: 1}[e.codec] if codec is None else codec,
            e.reference is not None,
            0,
            e.checksum,
            e.reference or bytes(32),
        )
        for e in entries
    )
    trailer = struct.pack(
        "<QII",
        16 + len(frames) if start is None else start,
        len(entries) if count is None else count,
        0,
    )
    check = struct.pack("<Q", xxhash.xxh3_64_intdigest(header + listed + trailer))
    return header + frames + listed + trailer + check + b"DCATPEND"


A = PackEntry(b"\1" * 32, 16, 5, 5, RAW, checksum(b"hello"))
B = PackEntry(b"\2" * 32, 21, 3, 3, RAW, checksum(b"you"))
FRAMES = b"helloyou"


def test_the_layout_is_as_documented() -> None:
    assert footer(forged(FRAMES, [A, B])) == [A, B]
    referring = B._replace(reference=b"\1" * 32)
    assert footer(forged(FRAMES, [A, referring])) == [A, referring]
    assert footer(forged(b"", [])) == []
    backend = MemoryBackend()
    writer = PackWriter(backend, KEY, digest_bytes=32)
    writer.append(A.digest, b"hello", size=5, codec=RAW)
    writer.append(B.digest, b"you", size=3, codec=RAW)
    writer.finish()
    assert backend.read(KEY) == forged(FRAMES, [A, B])


LIES: dict[str, Callable[[], bytes]] = {
    "one entry less": lambda: forged(FRAMES, [A, B], count=1),
    "one entry more": lambda: forged(FRAMES, [A, B], count=3),
    "four billion entries": lambda: forged(FRAMES, [A, B], count=(1 << 32) - 1),
    "entries at the end of the universe": lambda: forged(FRAMES, [A, B], start=(1 << 64) - 1),
    "a frame beyond the entries": lambda: forged(FRAMES, [A, B._replace(stored_size=4, size=4)]),
    "a frame far away": lambda: forged(FRAMES, [A, B._replace(offset=(1 << 64) - 1)]),
    "a frame of 4 GiB": lambda: forged(FRAMES, [A, B._replace(stored_size=(1 << 32) - 1)]),
    "a frame in the header": lambda: forged(FRAMES, [A._replace(offset=0), B]),
    "overlapping frames": lambda: forged(FRAMES, [A, B._replace(offset=20)]),
    "the same frame twice": lambda: forged(FRAMES, [A, A]),
    "frames in another order": lambda: forged(FRAMES, [B, A]),
    "bytes between frames": lambda: forged(b"hello youx", [A, B._replace(offset=22)]),
    "bytes behind the frames": lambda: forged(FRAMES + b"more", [A, B]),
    "a raw frame of another size": lambda: forged(FRAMES, [A, B._replace(size=2)]),
    "a frame over one block": lambda: forged(
        bytes((1 << 20) + 1), [A._replace(stored_size=(1 << 20) + 1, size=(1 << 20) + 1)]
    ),
    "a chunk over one block": lambda: forged(
        FRAMES, [A, B._replace(codec=ZSTD, size=(1 << 20) + 1)]
    ),
    "an unknown codec": lambda: forged(FRAMES, [A, B], codec=2),
    "another format": lambda: forged(FRAMES, [A, B], pack_format=2),
    "digests of no bytes": lambda: forged(FRAMES, [A, B], digest_bytes=0),
    "digests of 64 kB": lambda: forged(FRAMES, [A, B], digest_bytes=(1 << 16) - 1),
    "digests of 16 bytes": lambda: forged(FRAMES, [A, B], digest_bytes=16),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_forged_footer_is_refused(lie: str) -> None:
    assert_corrupt(LIES[lie]())


class Sparse(MemoryBackend):
    """A pack of 100 GiB that is all zeros but for its ends; counts what is asked for."""

    size = 100 << 30

    def __init__(self, ends: bytes) -> None:
        super().__init__()
        self._ends = ends
        self.largest = 0

    def read_range(self, key: str, offset: int, length: int) -> bytes:
        self.largest = max(self.largest, length)
        if offset == 0:
            return self._ends[:length]
        if offset + length == self.size:
            return self._ends[-length:]
        raise AssertionError(f"asked for {length} bytes at {offset}")


def test_giant_numbers_cost_neither_time_nor_memory() -> None:
    """What does not add up is refused before anything is read or made because of it."""
    began = time.monotonic()
    for start, count in [(0, (1 << 32) - 1), (1 << 63, 1 << 31), (16, 0), (Sparse.size, 7)]:
        backend = Sparse(forged(FRAMES, [A, B], start=start, count=count))
        tracemalloc.start()
        try:
            with pytest.raises(Corrupt, match="does not fit"):
                read_footer(backend, KEY, size_bytes=Sparse.size)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert peak < 1 << 20
        assert backend.largest <= 32
    assert time.monotonic() - began < 5


def test_what_is_not_finished_is_not_there() -> None:
    backend = MemoryBackend()
    writer = PackWriter(backend, KEY, digest_bytes=32)
    writer.append(A.digest, b"hello", size=5, codec=RAW)
    assert backend.stat(KEY) is None
    writer.discard()
    assert list(backend.keys("")) == []


def test_a_full_disk_names_the_place(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(fd: int, data: object) -> int:
        raise OSError(28, "No space left on device")

    writer = PackWriter(MemoryBackend(), KEY, digest_bytes=32)
    writer.append(A.digest, b"hello", size=5, codec=RAW)
    monkeypatch.setattr(os, "write", full)
    monkeypatch.setattr(os, "writev", full, raising=False)
    with pytest.raises(StorageFull):
        writer.finish()
    writer.discard()


def test_short_writes_are_continued(monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: real(fd, memoryview(data)[:7]))
    monkeypatch.setattr(os, "writev", lambda fd, data: real(fd, data[0][:7]), raising=False)
    data, entries = packed(SMALL)
    assert footer(data) == entries
