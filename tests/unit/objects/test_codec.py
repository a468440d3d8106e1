"""The codec gives back what it was given, and never more than it was told to expect."""

from __future__ import annotations

import random
import struct
import sys
import tracemalloc
from collections.abc import Sequence

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from datacat.errors import Corrupt
from datacat.objects import codec
from datacat.objects.codec import RAW, ZSTD, Encoder, Stored, decode, decode_many

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

NOISE = random.Random(7).randbytes(1 << 20)
PAGE = 16 * 1024
MAGIC = bytes.fromhex("28b52ffd")


def text(size: int) -> bytes:
    return (b"sub-0017,120,3.25,anonymised\n" * (size // 29 + 1))[:size]


contents = st.one_of(
    st.binary(max_size=300),
    st.builds(
        lambda size, noisy, extra: (NOISE[:noisy] + text(size))[: size + extra],
        size=st.integers(0, 3 * PAGE),
        noisy=st.integers(0, 2 * PAGE),
        extra=st.integers(0),
    ),
)


@given(data=contents, level=st.sampled_from([1, 3, 19]), as_view=st.booleans())
@settings(deadline=None)
@example(data=b"", level=1, as_view=False)
@example(data=b"x", level=1, as_view=True)
@example(data=text(PAGE - 1), level=1, as_view=False)
@example(data=text(PAGE), level=1, as_view=False)
@example(data=text(PAGE + 1), level=1, as_view=False)
@example(data=NOISE[:PAGE] + text(PAGE), level=1, as_view=False)
@example(data=NOISE, level=1, as_view=True)
def test_a_round_trip_gives_the_same_bytes(data: bytes, level: int, as_view: bool) -> None:
    given_data = memoryview(data) if as_view else data
    name, stored = Encoder(level).encode(given_data)
    assert bytes(decode(bytes(stored), codec=name, size=len(data))) == data
    assert bytes(decode(memoryview(bytes(stored)), codec=name, size=len(data))) == data
    assert len(stored) <= len(data), "storing never costs more than the plain bytes"
    assert (name == RAW) == (bytes(stored) == data)
    if name == ZSTD:
        assert zstd.decompress(bytes(stored)) == data, "any zstd can read it"
    for wrong in {len(data) - 1, len(data) + 1, 0} - {len(data)}:
        if wrong >= 0:
            with pytest.raises(Corrupt):
                decode(bytes(stored), codec=name, size=wrong)


@pytest.mark.parametrize("size", [PAGE, 4 * PAGE])
def test_what_compresses_is_compressed_and_noise_is_not(size: int) -> None:
    name, stored = Encoder(1).encode(text(size))
    assert name == ZSTD
    assert len(stored) < size / 20
    assert Encoder(1).encode(NOISE[:size]) == (RAW, NOISE[:size])


def test_a_part_that_compresses_is_enough() -> None:
    name, stored = Encoder(1).encode(NOISE[:PAGE] + text(PAGE * 10))
    assert name == ZSTD
    assert len(stored) < PAGE * 2
    assert Encoder(1).encode(text(PAGE) + NOISE)[0] == RAW, "so little does not pay"


def test_a_frame_is_kept_only_where_it_pays() -> None:
    """Just above and below 95 %: decoding costs time on every read."""
    for share in range(80, 101):
        noise = 1000 * share // 100
        data = NOISE[:noise] + bytes(1000 - noise)
        frame = zstd.compress(data, level=1)
        name, _ = Encoder(1).encode(data)
        assert name == (ZSTD if len(frame) < 950 else RAW), share


class Tries:
    """Counts what is given to the compressor."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        real = codec._compress

        def counted(contents: Sequence[bytes | memoryview], level: int) -> list[bytes | memoryview]:
            self.count += len(contents)
            return real(contents, level)

        monkeypatch.setattr(codec, "_compress", counted)


def test_the_encoder_samples_what_does_not_compress(monkeypatch: pytest.MonkeyPatch) -> None:
    tries = Tries(monkeypatch)
    encoder = Encoder(1)
    for _ in range(codec.GIVE_UP_AFTER):
        assert encoder.encode(NOISE[:100], kind=".gz")[0] == RAW
    assert tries.count == codec.GIVE_UP_AFTER
    for _ in range(10 * codec.TRY_EVERY):
        assert encoder.encode(NOISE[:100], kind=".gz")[0] == RAW
    assert tries.count == codec.GIVE_UP_AFTER + 10
    before = tries.count
    assert encoder.encode(text(100_000), kind=".csv")[0] == ZSTD, "another kind is not affected"
    assert tries.count == before + 1


def test_the_encoder_comes_back_when_a_kind_compresses_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    encoder = Encoder(1)
    for _ in range(codec.GIVE_UP_AFTER):
        encoder.encode(NOISE[:100], kind=".bin")
    waited = 0
    while encoder.encode(text(1000), kind=".bin")[0] == RAW:
        waited += 1
        assert waited < codec.TRY_EVERY
    assert waited == codec.TRY_EVERY - codec.GIVE_UP_AFTER
    tries = Tries(monkeypatch)
    for _ in range(codec.GIVE_UP_AFTER):
        assert encoder.encode(text(1000), kind=".bin")[0] == ZSTD
    assert tries.count == codec.GIVE_UP_AFTER
    for _ in range(codec.GIVE_UP_AFTER - 1):
        encoder.encode(NOISE[:100], kind=".bin")
    assert encoder.encode(text(1000), kind=".bin")[0] == ZSTD, "what was before is forgotten"


@given(
    chunks=st.lists(st.tuples(contents, st.sampled_from([".csv", ".gz"])), max_size=12),
    damaged=st.sets(st.integers(0, 11)),
)
@settings(deadline=None)
def test_many_are_as_many_times_one(chunks: list[tuple[bytes, str]], damaged: set[int]) -> None:
    """Also where some are damaged: the others come back."""
    stored = Encoder(1).encode_many(chunks)
    assert [(name, bytes(data)) for name, data in stored] == [
        (name, bytes(data)) for name, data in (Encoder(1).encode(data) for data, _ in chunks)
    ]
    asked = [
        Stored(bytes(data)[: len(data) // 2] if n in damaged else data, name, len(chunks[n][0]))
        for n, (name, data) in enumerate(stored)
    ]
    for n, found in enumerate(decode_many(asked)):
        if n in damaged and len(asked[n].data) < len(stored[n][1]):
            assert isinstance(found, Corrupt)
        else:
            assert not isinstance(found, Corrupt)
            assert bytes(found) == chunks[n][0]


def test_many_of_a_kind_that_does_not_compress_are_sampled(monkeypatch: pytest.MonkeyPatch) -> None:
    tries = Tries(monkeypatch)
    encoder = Encoder(1)
    noise = [(NOISE[:100], ".gz")] * codec.GIVE_UP_AFTER
    encoder.encode_many(noise)
    assert tries.count == codec.GIVE_UP_AFTER
    found = encoder.encode_many(noise * codec.TRY_EVERY + [(text(1000), ".csv")])
    assert tries.count == codec.GIVE_UP_AFTER + codec.GIVE_UP_AFTER + 1
    assert found[-1][0] == ZSTD
    encoder.encode_many([(text(1000), ".gz")] * codec.TRY_EVERY)
    assert encoder.encode(text(1000), kind=".gz")[0] == ZSTD, "one that compressed was noticed"


# Hostile frames


def raw_block(data: bytes, *, last: bool) -> bytes:
    return struct.pack("<I", len(data) << 3 | int(last))[:3] + data


def rle_block(size: int, *, last: bool) -> bytes:
    return struct.pack("<I", size << 3 | 1 << 1 | int(last))[:3] + b"\0"


def frame(*blocks: bytes, claims: int | None = None, window_log: int = 17) -> bytes:
    """A frame by hand: `claims` is the content size that its header states."""
    window = bytes([(window_log - 10) << 3])
    if claims is None:
        return MAGIC + b"\0" + window + b"".join(blocks)
    return MAGIC + b"\xc0" + window + struct.pack("<Q", claims) + b"".join(blocks)


def test_the_frames_by_hand_are_frames() -> None:
    assert decode(frame(raw_block(b"hello", last=True)), codec=ZSTD, size=5) == b"hello"
    stated = frame(raw_block(b"hello", last=True), claims=5)
    assert decode(stated, codec=ZSTD, size=5) == b"hello"
    zeros = frame(rle_block(100_000, last=True))
    assert decode(zeros, codec=ZSTD, size=100_000) == bytes(100_000)


MIB_64 = frame(*(rle_block(1 << 17, last=False) for _ in range(512)), rle_block(0, last=True))

HOSTILE = {
    "claims 1 TiB": frame(raw_block(b"hello", last=True), claims=1 << 40),
    "claims 16 EiB": frame(raw_block(b"hello", last=True), claims=(1 << 64) - 4),
    "64 MiB of zeros in 2 kB": MIB_64,
    "claims 5 and gives 64 MiB": MIB_64[:4] + b"\xc0\x38" + struct.pack("<Q", 5) + MIB_64[6:],
    "window of 16 MiB": frame(raw_block(b"hello", last=True), window_log=24),
    "window of 2 TiB": frame(raw_block(b"hello", last=True), window_log=41),
    "trailing bytes": frame(raw_block(b"hello", last=True)) + b"\0",
    "two frames": frame(raw_block(b"he", last=True)) + frame(raw_block(b"llo", last=True)),
    "an empty frame behind": frame(raw_block(b"hello", last=True)) + frame(rle_block(0, last=True)),
    "a skippable frame behind": (
        frame(raw_block(b"hello", last=True)) + bytes.fromhex("502a4d18") + struct.pack("<I", 0)
    ),
    "no end": frame(raw_block(b"hello", last=False)),
    "cut in its header": MAGIC,
    "nothing": b"",
    "not a frame": b"hello",
    "4 bytes": frame(raw_block(b"hell", last=True)),
    "6 bytes": frame(raw_block(b"hello!", last=True)),
    "a dictionary": zstd.compress(
        b"hello hello hello hello",
        zstd_dict=zstd.ZstdDict(b"hello, this is what was before" * 4, is_raw=True),
    ),
    "wrong content checksum": (
        zstd.compress(b"hello", options={zstd.CompressionParameter.checksum_flag: 1})[:-4]
        + bytes(4)
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_frame_is_refused_in_bounded_memory(name: str) -> None:
    stored = HOSTILE[name]
    tracemalloc.start()
    try:
        with pytest.raises(Corrupt):
            decode(stored, codec=ZSTD, size=5)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1 << 20


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_frame_among_others_harms_none(name: str) -> None:
    good = [Stored(zstd.compress(data), ZSTD, len(data)) for data in (text(9000), text(300))]
    tracemalloc.start()
    try:
        first, hostile, last = decode_many([good[0], Stored(HOSTILE[name], ZSTD, 5), good[1]])
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (bytes(first), bytes(last)) == (text(9000), text(300))
    # What follows a frame and adds nothing to it is not looked at.
    assert isinstance(hostile, Corrupt) or bytes(hostile) == b"hello"
    assert peak < 1 << 20


def test_an_8_mib_window_is_still_ours() -> None:
    """What `docs/format.md` allows a writer must be read."""
    stored = frame(raw_block(b"hello", last=True), window_log=23)
    assert decode(stored, codec=ZSTD, size=5) == b"hello"


@pytest.mark.parametrize("data", [text(500), text(40_000)])
def test_every_cut_of_a_frame_is_refused(data: bytes) -> None:
    _, stored = Encoder(1).encode(data)
    for length in range(len(stored)):
        with pytest.raises(Corrupt):
            decode(stored[:length], codec=ZSTD, size=len(data))


@given(offset=st.integers(0, 10**6), bit=st.integers(0, 7))
@settings(deadline=None, max_examples=300)
def test_a_flipped_bit_is_refused_or_gives_as_many_bytes(offset: int, bit: int) -> None:
    """The checksum finds the flip; the codec alone promises no more than the size."""
    data = text(3000)
    stored = bytearray(Encoder(1).encode(data)[1])
    stored[offset % len(stored)] ^= 1 << bit
    try:
        found = decode(bytes(stored), codec=ZSTD, size=len(data))
    except Corrupt:
        return
    assert len(found) == len(data)


@pytest.mark.parametrize("name", ["", "RAW", "lz4", "zstd ", "x" * 10_000_000])
def test_an_unknown_codec_is_refused_briefly(name: str) -> None:
    with pytest.raises(Corrupt) as caught:
        decode(b"hello", codec=name, size=5)
    assert len(str(caught.value)) < 100
