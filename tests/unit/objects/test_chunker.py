"""Cuts depend on the content alone, and an edit moves only those near it."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from datacat.model import Parameters
from datacat.objects.chunker import Chunker
from tests.conftest import searching

TINY = Parameters(chunk_min_bytes=64, chunk_mean_bytes=256, chunk_max_bytes=1024)
ODD = Parameters(chunk_min_bytes=101, chunk_mean_bytes=257, chunk_max_bytes=1025)
EQUAL = Parameters(chunk_min_bytes=1024, chunk_mean_bytes=1024, chunk_max_bytes=1024)
LARGEST = Parameters(chunk_min_bytes=1 << 20, chunk_mean_bytes=1 << 20, chunk_max_bytes=1 << 20)
SYNC_BYTES = 40 * TINY.chunk_mean_bytes
"""So far behind an edit the cuts of noise are where they were: each chunk has an even chance."""


def noise(size: int, seed: int) -> bytes:
    return random.Random(seed).randbytes(size)


SIZES, SEEDS = st.integers(0, 5000), st.integers()
parts = st.one_of(
    st.builds(noise, SIZES, SEEDS),
    st.builds(lambda size, byte: bytes([byte]) * size, SIZES, st.integers(0, 255)),
    st.builds(lambda seed, times: noise(37, seed) * times, SEEDS, st.integers(0, 99)),
)
contents = st.lists(parts, max_size=5).map(b"".join)
parameters = st.sampled_from([TINY, TINY, ODD, EQUAL])


def cuts(chunker: Chunker, data: bytes) -> list[int]:
    return chunker.cut(data, final=True)


def streamed(chunker: Chunker, buffers: Iterable[bytes]) -> list[int]:
    """The cuts of content that comes in buffers, as a caller that holds little has to ask."""
    found: list[int] = []
    pending = b""
    start = 0
    for buffer, final in itertools.chain(((b, False) for b in buffers), [(b"", True)]):
        pending += buffer
        ends = chunker.cut(memoryview(pending), final=final)
        found += [start + end for end in ends]
        start, pending = (found[-1], pending[ends[-1] :]) if ends else (start, pending)
    return found


@given(data=contents, sizes=st.lists(st.integers(0, 3000), max_size=30), given_sizes=parameters)
@searching(150)
@example(data=bytes(5000), sizes=[1024, 1, 1023, 1025], given_sizes=TINY)
def test_cuts_do_not_depend_on_how_content_was_handed_over(
    data: bytes, sizes: list[int], given_sizes: Parameters
) -> None:
    chunker = Chunker(given_sizes)
    at = [0, *itertools.accumulate(sizes)]
    buffers = [data[a:b] for a, b in itertools.pairwise([*at, max(len(data), at[-1])])]
    assert b"".join(buffers) == data
    assert streamed(chunker, buffers) == cuts(chunker, data)


def test_byte_by_byte() -> None:
    chunker = Chunker(TINY)
    data = noise(4000, 3) + bytes(3000)
    assert streamed(chunker, (data[n : n + 1] for n in range(len(data)))) == cuts(chunker, data)


@given(data=contents, given_sizes=parameters)
@searching(150)
def test_chunks_are_of_the_sizes_that_were_asked_for(data: bytes, given_sizes: Parameters) -> None:
    ends = cuts(Chunker(given_sizes), data)
    sizes = [end - begin for begin, end in itertools.pairwise([0, *ends])]
    assert sum(sizes) == len(data)
    assert all(size > 0 for size in sizes)
    assert all(size <= given_sizes.chunk_max_bytes for size in sizes)
    # The hash looks at two bytes a step: an odd minimum is rounded down.
    assert all(size >= given_sizes.chunk_min_bytes // 2 * 2 for size in sizes[:-1])


def test_sizes_gather_around_the_mean() -> None:
    """What the normalisation is for; without it a third is beyond twice the mean or below half."""
    data = noise(2 << 20, 5)
    ends = cuts(Chunker(TINY), data)
    sizes = [end - begin for begin, end in itertools.pairwise([0, *ends])]
    mean = TINY.chunk_mean_bytes
    assert 0.9 * mean < len(data) / len(sizes) < 1.4 * mean
    assert sum(mean // 2 < size < 2 * mean for size in sizes) > 0.9 * len(sizes)


@given(
    seed=st.integers(0, 99),
    at=st.integers(0, 60_000),
    removed=st.integers(0, 3000),
    added=st.integers(0, 3000),
)
@searching(60)
def test_an_edit_moves_only_cuts_near_it(seed: int, at: int, removed: int, added: int) -> None:
    chunker = Chunker(TINY)
    old = noise(60_000, seed)
    end = min(at + removed, len(old))
    new = old[:at] + noise(added, seed + 1) + old[end:]
    before, after = cuts(chunker, old), cuts(chunker, new)
    shift = len(new) - len(old)
    # Whether there is a cut at the edit itself is for the byte behind it to say.
    assert [c for c in after if c < min(at, len(new))] == [
        c for c in before if c < min(at, len(old))
    ], "a cut before the edit moved"
    safe = end + SYNC_BYTES
    assert [c for c in before if c > safe] == [c - shift for c in after if c - shift > safe]


@pytest.mark.parametrize("given_sizes", [TINY, LARGEST])
def test_what_is_not_certain_is_left_out(given_sizes: Parameters) -> None:
    """Not one chunk that other bytes behind it would cut elsewhere, and all that they could not."""
    chunker = Chunker(given_sizes)
    high = given_sizes.chunk_max_bytes
    assert chunker.cut(b"", final=False) == []
    assert chunker.cut(bytes(high - 1), final=False) == []
    assert chunker.cut(bytes(high), final=False) == [high]
    assert chunker.cut(bytes(2 * high - 1), final=False) == [high]
    assert chunker.cut(bytes(2 * high), final=False) == [high, 2 * high]


def test_any_buffer_can_be_cut() -> None:
    data = noise(9_000, 7)
    chunker = Chunker(TINY)
    expected = cuts(chunker, data)
    assert chunker.cut(bytearray(data), final=True) == expected
    assert chunker.cut(memoryview(b"x" + data)[1:], final=True) == expected
    assert chunker.cut(memoryview(bytearray(data)).toreadonly(), final=True) == expected
