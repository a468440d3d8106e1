"""Content is cut in the same places as ever, by any release of the library and on any machine.

Else an edit would share nothing with what is stored: no error, but every chunk stored once more.
The boundaries here are part of the format; if a test fails, the library or the code is wrong.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import pytest
from pyfastcdc.py import FastCDC as PlainPython

from datacat.model import Parameters
from datacat.objects.chunker import NORMALISATION, Chunker

KIB, MIB = 1024, 1024 * 1024

DEFAULT = Parameters()
TINY = Parameters(chunk_min_bytes=64, chunk_mean_bytes=256, chunk_max_bytes=1024)
SKEWED = Parameters(chunk_min_bytes=1000, chunk_mean_bytes=3001, chunk_max_bytes=20_000)


def noise(size: int) -> bytes:
    """Bytes that follow from SHA-256 alone, not from the random numbers of some Python."""
    blocks = (hashlib.sha256(b"%d" % n).digest() for n in range(size // 32 + 1))
    return b"".join(blocks)[:size]


def lines(size: int) -> bytes:
    rows = (b"sub-%05d,%d,%.3f,good\n" % (n, n * n % 977, n / 7) for n in range(size // 20 + 1))
    return b"".join(rows)[:size]


def zeros(size: int) -> bytes:
    return bytes(size)


def periodic(size: int) -> bytes:
    block = noise(50_000)
    return (block * (size // len(block) + 1))[:size]


def mixed(size: int) -> bytes:
    """Noise, a hole longer than any chunk, lines, and a counter of two bytes."""
    counter = b"".join((n % 65_536).to_bytes(2, "little") for n in range(size // 8))
    parts = noise(size // 4), zeros(size // 4), lines(size // 4), counter
    return b"".join(parts)[:size]


def cuts(parameters: Parameters, data: bytes) -> list[int]:
    return Chunker(parameters).cut(data, final=True)


def fingerprint(ends: list[int]) -> str:
    return hashlib.sha256(" ".join(map(str, ends)).encode()).hexdigest()[:16]


# fmt: off
FIRST = {
    "noise": [81132, 171570, 196003, 272912, 342587, 436986, 515243, 588039, 655000, 721161],
    "lines": [68894, 151509, 225339, 312603, 348742, 465581, 544759, 611347, 683162, 760625],
    "mixed": [81132, 171570, 196003, 272912, 342587, 436986, 515243, 777387, 1039531, 1117470],
}
TINY_FIRST = {
    "noise": [289, 462, 724, 1010, 1411, 1745, 2013, 2313, 2391, 2729],
    "lines": [309, 629, 893, 1200, 1411, 1639, 1923, 2269, 2525, 2790],
    "mixed": [289, 462, 724, 1010, 1411, 1745, 2013, 2313, 2391, 2729],
}
# parameters, content, size, number of chunks, fingerprint of all ends
GOLDEN: list[tuple[Parameters, Callable[[int], bytes], int, int, str]] = [
    (DEFAULT, noise, 65536, 1, "0f255ec16482c343"),
    (DEFAULT, lines, 65536, 1, "0f255ec16482c343"),
    (DEFAULT, zeros, 65536, 1, "0f255ec16482c343"),
    (DEFAULT, periodic, 65536, 1, "0f255ec16482c343"),
    (DEFAULT, mixed, 65536, 1, "0f255ec16482c343"),
    (DEFAULT, noise, 262144, 4, "4f1cf65b1eab6ddd"),
    (DEFAULT, lines, 262144, 4, "a19747c7b2b306c4"),
    (DEFAULT, zeros, 262144, 1, "54faea9b3eeffce2"),
    (DEFAULT, periodic, 262144, 4, "fcf309f9ce877578"),
    (DEFAULT, mixed, 262144, 3, "f1f1a8b0eabb90a1"),
    (DEFAULT, noise, 262145, 4, "b07bc828c48773c6"),
    (DEFAULT, lines, 262145, 4, "24b25d2f74fbe21c"),
    (DEFAULT, zeros, 262145, 2, "4a8b41f7cf5e0e65"),
    (DEFAULT, periodic, 262145, 4, "fd0b7c01e4877a4b"),
    (DEFAULT, mixed, 262145, 3, "f1f1a8b0eabb90a1"),
    (DEFAULT, noise, 1048576, 16, "06603ffed25a102d"),
    (DEFAULT, lines, 1048576, 15, "992f8352db17a90c"),
    (DEFAULT, zeros, 1048576, 4, "22edc52806265bd4"),
    (DEFAULT, periodic, 1048576, 15, "cfe903bf2115d83d"),
    (DEFAULT, mixed, 1048576, 13, "2da169cad4a337db"),
    (DEFAULT, noise, 8388607, 116, "f52a65135d3a4c8a"),
    (DEFAULT, lines, 8388607, 113, "efec29b25e5a01fd"),
    (DEFAULT, zeros, 8388607, 32, "32f682080daadf59"),
    (DEFAULT, periodic, 8388607, 112, "63d8b106080a05e3"),
    (DEFAULT, mixed, 8388607, 95, "a076726515c434cb"),
    (DEFAULT, noise, 8650752, 119, "c0e1c74b960a73b3"),
    (DEFAULT, lines, 8650752, 117, "e6b156bd8c10b1f5"),
    (DEFAULT, zeros, 8650752, 33, "36795b66834136e5"),
    (DEFAULT, periodic, 8650752, 116, "eb64657c9afe6b09"),
    (DEFAULT, mixed, 8650752, 99, "492b5a403f78bc24"),
    (TINY, noise, 255, 1, "9556b82499cc0aaf"),
    (TINY, lines, 255, 1, "9556b82499cc0aaf"),
    (TINY, zeros, 255, 1, "9556b82499cc0aaf"),
    (TINY, noise, 256, 1, "51e8ea280b44e169"),
    (TINY, lines, 256, 1, "51e8ea280b44e169"),
    (TINY, zeros, 256, 1, "51e8ea280b44e169"),
    (TINY, noise, 257, 1, "4c970004b0678d43"),
    (TINY, lines, 257, 1, "4c970004b0678d43"),
    (TINY, zeros, 257, 1, "4c970004b0678d43"),
    (TINY, noise, 1023, 5, "e6b42f9322207ae1"),
    (TINY, lines, 1023, 4, "77c30109db3eb0db"),
    (TINY, zeros, 1023, 1, "6629ddae3736e894"),
    (TINY, noise, 1024, 5, "0257f97d5efce353"),
    (TINY, lines, 1024, 4, "e5d2db859f8b3184"),
    (TINY, zeros, 1024, 1, "e39eef82f61b21e2"),
    (TINY, noise, 1025, 5, "0a117728c0d726d5"),
    (TINY, lines, 1025, 4, "623d4527cc580d47"),
    (TINY, zeros, 1025, 2, "3106a4d53f11baec"),
    (TINY, noise, 65536, 225, "a35f9e743140c183"),
    (TINY, lines, 65536, 229, "d2b0f296bc20a74b"),
    (TINY, zeros, 65536, 64, "79b5735afac713da"),
    (TINY, periodic, 65536, 222, "378bceb7ff38b6dc"),
    (TINY, mixed, 65536, 183, "b94b6369ecb0d9ec"),
    (TINY, noise, 1048576, 3621, "a5786c4d9753dc18"),
    (TINY, lines, 1048576, 3595, "60ec44109238a199"),
    (TINY, zeros, 1048576, 1024, "4586c308909789ba"),
    (TINY, periodic, 1048576, 3545, "418e4c9b4ec1b3c6"),
    (TINY, mixed, 1048576, 2962, "328373efb3a1db3e"),
    (SKEWED, noise, 3001, 1, "a20c25627ed7bbb6"),
    (SKEWED, lines, 3001, 2, "e0ac6409a5255d07"),
    (SKEWED, zeros, 3001, 1, "a20c25627ed7bbb6"),
    (SKEWED, periodic, 3001, 1, "a20c25627ed7bbb6"),
    (SKEWED, mixed, 3001, 1, "a176eeb31e601c38"),
    (SKEWED, noise, 20001, 6, "4e15de7d401e9dc2"),
    (SKEWED, lines, 20001, 6, "9a0c37aafbc9ad79"),
    (SKEWED, zeros, 20001, 2, "2e4c97967d5da12b"),
    (SKEWED, periodic, 20001, 6, "4e15de7d401e9dc2"),
    (SKEWED, mixed, 20001, 6, "583da883e591da1c"),
    (SKEWED, noise, 300000, 77, "13e82d8c03e195ca"),
    (SKEWED, lines, 300000, 80, "401d29a510bb3746"),
    (SKEWED, zeros, 300000, 15, "86b2a13895964b2d"),
    (SKEWED, periodic, 300000, 73, "44590492d0f10453"),
    (SKEWED, mixed, 300000, 64, "27e05294bd0df6fc"),
]
# fmt: on


@pytest.mark.parametrize("name", FIRST)
def test_the_first_cuts_are_where_they_were(name: str) -> None:
    """A few that a person can read; with the default sizes and with tiny ones."""
    make = globals()[name]
    assert cuts(DEFAULT, make(2 * MIB))[: len(FIRST[name])] == FIRST[name]
    assert cuts(TINY, make(64 * KIB))[: len(TINY_FIRST[name])] == TINY_FIRST[name]


@pytest.mark.parametrize("case", GOLDEN, ids=lambda case: f"{case[1].__name__}-{case[2]}")
def test_every_cut_is_where_it_was(case: tuple[Any, ...]) -> None:
    parameters, make, size, count, expected = case
    ends = cuts(parameters, make(size))
    assert (len(ends), fingerprint(ends)) == (count, expected)


@pytest.mark.parametrize("parameters", [DEFAULT, TINY, SKEWED])
def test_the_ends_of_what_can_be_cut(parameters: Parameters) -> None:
    """Around the three sizes: nothing, one byte, and what just is or is not one chunk more."""
    low, high = parameters.chunk_min_bytes, parameters.chunk_max_bytes
    assert cuts(parameters, b"") == []
    for size in (1, low - 1, low):
        assert cuts(parameters, noise(size)) == [size]
    for size in (high - 1, high):
        assert cuts(parameters, zeros(size)) == [size]
    assert cuts(parameters, zeros(high + 1)) == [high, high + 1]
    assert cuts(parameters, zeros(3 * high + low)) == [high, 2 * high, 3 * high, 3 * high + low]


@pytest.mark.parametrize("make", [noise, lines, zeros, periodic, mixed])
@pytest.mark.parametrize("parameters", [TINY, SKEWED])
def test_another_implementation_cuts_in_the_same_places(
    parameters: Parameters, make: Callable[[int], bytes]
) -> None:
    """Plain Python, without the compiled loop: what a machine without it would use."""
    plain = PlainPython(
        parameters.chunk_mean_bytes,
        min_size=parameters.chunk_min_bytes,
        max_size=parameters.chunk_max_bytes,
        normalized_chunking=NORMALISATION,
    )
    data = make(60_000)
    assert cuts(parameters, data) == [c.offset + c.length for c in plain.cut_buf(data)]


def test_the_sizes_of_a_new_store_are_what_they_were() -> None:
    """Two stores that were made with other sizes share nothing when they are merged."""
    sizes = (DEFAULT.chunk_min_bytes, DEFAULT.chunk_mean_bytes, DEFAULT.chunk_max_bytes)
    assert sizes == (16 * KIB, 64 * KIB, 256 * KIB)
