"""A chunk that was made against another one comes back with it, and with nothing else."""

from __future__ import annotations

import random
import tracemalloc

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from datacat.errors import Corrupt
from datacat.objects import codec
from datacat.objects.codec import (
    DELTA_BYTES_MIN,
    RAW,
    REFERENCE_BYTES_MIN,
    WINDOW_LOG_MAX,
    ZSTD,
    Encoder,
    decode,
    zstd,
)
from tests.conftest import searching
from tests.unit.objects.test_codec import HOSTILE, text

KIB, MIB = 1024, 1024 * 1024
NOISE = random.Random(17).randbytes(MIB)


def edited(data: bytes, cuts: list[tuple[int, int, int]]) -> bytes:
    """`data` with parts replaced: at which thousandth, how much goes, how much comes."""
    for at, gone, come in cuts:
        place = len(data) * at // 1000
        data = data[:place] + NOISE[at * 7 : at * 7 + come] + data[place + gone :]
    return data


bodies = st.one_of(
    st.binary(max_size=3000),
    st.builds(lambda at, size: NOISE[at : at + size], st.integers(0, 9999), st.integers(0, 70_000)),
    st.builds(text, st.integers(0, 70_000)),
    st.builds(bytes, st.integers(0, 70_000)),
)
cuts = st.lists(
    st.tuples(st.integers(0, 999), st.integers(0, 2000), st.integers(0, 2000)), max_size=4
)


@given(reference=bodies, other=bodies, changed=cuts | st.none(), level=st.sampled_from([1, 3, 19]))
@searching(200)
@example(reference=NOISE, other=b"", changed=[], level=1)
@example(reference=NOISE, other=b"", changed=[(999, 0, 2000), (0, 0, 2000)], level=1)
@example(reference=b"", other=NOISE, changed=None, level=1)
@example(reference=NOISE[:1024], other=NOISE[:1024], changed=None, level=1)
@example(reference=NOISE[:1023], other=NOISE[:2000], changed=None, level=1)
def test_a_round_trip_gives_the_same_bytes(
    reference: bytes, other: bytes, changed: list[tuple[int, int, int]] | None, level: int
) -> None:
    """Whatever was made against whatever; and it is kept only where that saves half."""
    data = other if changed is None else edited(reference, changed)
    frame = Encoder(level).encode_against(memoryview(data), memoryview(reference))
    if frame is None:
        return
    assert min(len(data), len(reference)) >= DELTA_BYTES_MIN
    for given_as in (bytes, memoryview, lambda b: memoryview(bytearray(b))):
        back = decode(given_as(frame), codec=ZSTD, size=len(data), reference=given_as(reference))
        assert bytes(back) == data
    alone = Encoder(level).encode(data)[1]
    assert len(frame) * 2 <= len(alone) or len(frame) * codec.OBVIOUS <= len(data)
    for wrong in {len(data) - 1, len(data) + 1, 0}:
        with pytest.raises(Corrupt):
            decode(frame, codec=ZSTD, size=wrong, reference=reference)


@pytest.mark.parametrize("size", [16 * KIB, 64 * KIB, 256 * KIB, MIB])
@pytest.mark.parametrize("what", ["noise", "text"])
def test_an_edit_costs_its_difference_at_any_size(size: int, what: str) -> None:
    """Also where the reference is larger than what zstd remembers without being told."""
    plain = NOISE[:size] if what == "noise" else lines(size)
    data = edited(plain, [(10, 3, 5), (500, 100, 80), (990, 0, 40)])
    frame = Encoder(1).encode_against(data, plain)
    assert frame is not None
    assert len(frame) < 600 + size // 200
    assert decode(frame, codec=ZSTD, size=len(data), reference=plain) == data


def lines(size: int) -> bytes:
    made = random.Random(3)
    return b"".join(b"%d,%d\n" % (n, made.randrange(10**9)) for n in range(size // 10))[:size]


@pytest.mark.parametrize("half", [0.2, 0.45, 0.55, 0.8])
def test_it_is_kept_only_where_it_saves_half(half: float) -> None:
    size = 64 * KIB
    new = int(size * half)
    data = NOISE[:new] + NOISE[MIB - size : MIB - new]
    frame = Encoder(1).encode_against(data, NOISE[MIB - size :])
    assert (frame is not None) == (half < 0.5)


@pytest.mark.parametrize("alone", ["text", "zeros"])
def test_what_compresses_as_well_alone_is_kept_alone(alone: str) -> None:
    """It is read with one frame instead of two."""
    data = text(3000) if alone == "text" else bytes(1500)
    frame = Encoder(1).encode_against(data, data[:-7] + b"another")
    plain = Encoder(1).encode(data)[1]
    assert frame is None or len(frame) * 2 <= len(plain) or len(frame) * codec.OBVIOUS < len(data)


@pytest.mark.parametrize(("data", "reference"), [(1023, 5000), (5000, 1023), (0, 0), (0, 5000)])
def test_next_to_nothing_is_made_against_nothing(data: int, reference: int) -> None:
    assert Encoder(1).encode_against(NOISE[:data], NOISE[:reference]) is None


# Wrong references and hostile frames


FRAME_OF = NOISE[:40_000]
DATA = edited(FRAME_OF, [(100, 50, 60), (700, 10, 0)])


@pytest.fixture(scope="module")
def frame() -> bytes:
    made = Encoder(1).encode_against(DATA, FRAME_OF)
    assert made is not None
    return made


WRONG: dict[str, bytes | None] = {
    "none": None,
    "empty": b"",
    "one byte": b"x",
    "too short": NOISE[: REFERENCE_BYTES_MIN - 1],
    "just long enough": NOISE[:REFERENCE_BYTES_MIN],
    "cut at its start": FRAME_OF[20_000:],
    "zeros": bytes(40_000),
    "another": NOISE[50_000:90_000],
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_reference_is_noticed_or_gives_other_bytes_of_the_size(
    frame: bytes, wrong: str
) -> None:
    """The codec bounds what comes out; that it is right, the digest says."""
    tracemalloc.start()
    try:
        found = decode(frame, codec=ZSTD, size=len(DATA), reference=WRONG[wrong])
        assert len(found) == len(DATA)
        assert bytes(found) != DATA
    except Corrupt:
        pass
    finally:
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < MIB


@pytest.mark.parametrize("wrong", ["none", "empty", "one byte", "too short"])
def test_no_reference_where_one_was_needed(frame: bytes, wrong: str) -> None:
    with pytest.raises(Corrupt):
        decode(frame, codec=ZSTD, size=len(DATA), reference=WRONG[wrong])


def test_a_dictionary_of_zstd_is_taken_as_plain_bytes() -> None:
    """A reference is content: what looks like a dictionary of zstd is not obeyed as one."""
    reference = b"\x37\xa4\x30\xec" + NOISE[:30_000]
    data = reference[:20_000] + b"edit" + reference[20_000:]
    made = Encoder(1).encode_against(data, reference)
    assert made is not None
    assert decode(made, codec=ZSTD, size=len(data), reference=reference) == data


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_frame_is_refused_in_bounded_memory(name: str) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(Corrupt):
            decode(HOSTILE[name], codec=ZSTD, size=5, reference=FRAME_OF)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < MIB


def test_a_window_that_is_too_large_is_refused() -> None:
    options = {zstd.CompressionParameter.window_log: WINDOW_LOG_MAX + 1}
    compressor = zstd.ZstdCompressor(
        options=options, zstd_dict=zstd.ZstdDict(FRAME_OF, is_raw=True).as_prefix
    )
    # In two steps, so that the frame does not say how large its content is.
    made = compressor.compress(DATA) + compressor.flush()
    with pytest.raises(Corrupt):
        decode(made, codec=ZSTD, size=len(DATA), reference=FRAME_OF)


@pytest.mark.parametrize("size", [16 * KIB, 256 * KIB, MIB])
def test_our_own_windows_are_small_enough(size: int) -> None:
    """Nothing that is made here is refused by who reads it, up to the largest chunks allowed."""
    data = edited(NOISE[:size], [(500, 10, 10)])[:MIB]
    made = Encoder(1).encode_against(data, NOISE[:size])
    assert made is not None
    assert decode(made, codec=ZSTD, size=len(data), reference=NOISE[:size]) == data


def test_every_cut_and_a_longer_frame_are_refused(frame: bytes) -> None:
    for length in range(0, len(frame), 7):
        with pytest.raises(Corrupt):
            decode(frame[:length], codec=ZSTD, size=len(DATA), reference=FRAME_OF)
    with pytest.raises(Corrupt):
        decode(frame + b"\0", codec=ZSTD, size=len(DATA), reference=FRAME_OF)


def test_raw_bytes_need_no_reference() -> None:
    assert decode(b"hello", codec=RAW, size=5, reference=b"") == b"hello"
