"""Which old chunk a new one is compared with: what an edit did is found again."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence
from hashlib import sha256

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from datacat.model import Parameters
from datacat.objects.chunker import Chunker
from datacat.transfer import alignment
from datacat.transfer.alignment import ALIKE, DRIFT_BYTES, Span, align
from tests.conftest import searching

MEAN = 2048
CHUNKER = Chunker(Parameters(chunk_min_bytes=512, chunk_mean_bytes=MEAN, chunk_max_bytes=8192))
Blocks = Sequence[tuple[str, int]]


def noise(size: int, seed: int) -> bytes:
    return random.Random(seed).randbytes(size)


def spans(blocks: Blocks, start: int = 0) -> list[Span]:
    """Chunks by name and size, one behind the other."""
    found = []
    for name, size in blocks:
        found.append(Span(start, size, name.encode()))
        start += size
    return found


def cut(data: bytes) -> list[Span]:
    begins = [0, *CHUNKER.cut(data, final=True)]
    return [Span(a, b - a, sha256(data[a:b]).digest()) for a, b in itertools.pairwise(begins)]


def names(new: Blocks, old: Blocks, *, shift: int = 0) -> list[str | None]:
    """The name of the old chunk that each new one is compared with."""
    found, _ = align(spans(new), spans(old), shift=shift)
    return [old[n][0] if n is not None else None for n in found]


def brute_force(
    new: Sequence[Span], old: Sequence[Span], shift: int
) -> tuple[list[int | None], int]:
    """The rule in words, without a search that is fast.

    Chunks that both have: the nearest to where it is expected. Others: the old chunk with most
    bytes in common with the place where the new one is expected; the first of them.
    """

    def same(span: Span, expected: int) -> int | None:
        there = [n for n, other in enumerate(old) if other.digest == span.digest]
        return min(there, key=lambda n: (abs(old[n].start - expected), n), default=None)

    exact: list[int | None] = []
    distance = shift
    for span in new:
        n = same(span, span.start + distance)
        exact.append(n)
        if n is not None:
            distance = old[n].start - span.start
    found: list[int | None] = []
    for span, here, after in zip(new, exact, [*exact, None][1:], strict=True):
        if here is not None:
            found.append(here)
            shift = old[here].start - span.start
            continue
        begin = span.start + shift
        end = old[after].start if after is not None else begin + span.size
        place = range(begin, max(end, begin + 1))
        shared = [max(0, min(place.stop, o.end) - max(place.start, o.start)) for o in old]
        best = shared.index(max(shared)) if max(shared, default=0) else None
        found.append(best)
        if best is None or abs(old[best].start - begin) > DRIFT_BYTES:
            continue
        if abs(old[best].size - span.size) * ALIKE < span.size:
            shift = old[best].end - span.end
    return found, shift


@pytest.fixture
def in_proportion(monkeypatch: pytest.MonkeyPatch) -> None:
    """The chunks here are a thirty-second of real ones, so cuts may drift by as much less."""
    monkeypatch.setattr(alignment, "DRIFT_BYTES", 64)


blocks = st.lists(st.tuples(st.sampled_from("abcdefgh"), st.integers(1, 4000)), max_size=12)


@given(new=blocks, old=blocks, start=st.integers(0, 9000), shift=st.integers(-9000, 9000))
@searching(400)
@example(new=[("a", 10)], old=[], start=0, shift=0)
@example(new=[], old=[("a", 10)], start=0, shift=5)
def test_the_fast_search_finds_what_the_slow_one_does(
    new: Blocks, old: Blocks, start: int, shift: int
) -> None:
    """Any chunks at all, also of one name and several sizes: nothing is out of bounds."""
    a, b = spans(new, start), spans(old, 2 * start // 3)
    assert align(a, b, shift=shift) == brute_force(a, b, shift)


def test_nothing_was_changed() -> None:
    same = [("a", 100), ("b", 200), ("c", 50)]
    assert align(spans(same), spans(same), shift=0) == ([0, 1, 2], 0)


def test_a_chunk_was_replaced() -> None:
    old = [("a", 4000), ("b", 3000), ("c", 5000)]
    assert names([("a", 4000), ("B", 3100), ("c", 5000)], old) == ["a", "b", "c"]


def test_chunks_were_inserted() -> None:
    """What is new between two that follow each other lies nowhere else."""
    old = [("a", 4000), ("b", 3000), ("c", 5000)]
    new = [("a", 4000), ("x", 2500), ("y", 2500), ("b", 3000), ("c", 5000)]
    found, shift = align(spans(new), spans(old), shift=0)
    assert [found[0], *found[3:]] == [0, 1, 2]
    assert found[1] == 1, "what comes next is the best guess"
    assert shift == -5000


def test_a_chunk_was_removed() -> None:
    old = [("a", 4000), ("b", 3000), ("c", 5000), ("d", 100)]
    new = [("a", 4000), ("C", 5100), ("d", 100)]
    found, shift = align(spans(new), spans(old), shift=0)
    assert found == [0, 2, 3], "between a and d most of what is gone is c"
    assert shift == 2900


def test_blocks_changed_places() -> None:
    old = [("a", 4000), ("b", 3000), ("c", 5000), ("d", 2000)]
    new = [("c", 5000), ("d", 2000), ("a", 4000), ("b", 3000)]
    assert align(spans(new), spans(old), shift=0) == ([2, 3, 0, 1], -7000)


def test_what_was_changed_in_a_block_that_moved() -> None:
    """The chunks around it say where it lay."""
    old = [("a", 4000), ("b", 3000), ("c", 5000), ("d", 2000), ("e", 900)]
    assert names([("c", 5000), ("D", 2100), ("e", 900), ("a", 4000)], old) == ["c", "d", "e", "a"]
    # Only one neighbour is left, and it is the one behind.
    assert names([("D", 2000), ("e", 900)], old, shift=12_000) == ["d", "e"]


def test_of_chunks_that_repeat_the_nearest_is_taken() -> None:
    """Zeros, and tables of one line."""
    old = [("0", 100), ("a", 70), ("0", 100), ("0", 100), ("b", 50), ("0", 100)]
    new = [("0", 100), ("A", 75), ("0", 100), ("0", 100), ("b", 50), ("0", 100)]
    assert align(spans(new), spans(old), shift=0)[0] == [0, 1, 2, 3, 4, 5]
    late = [Span(420, 100, b"0")]
    assert align(late, spans(old), shift=0)[0] == [5]
    assert align(late, spans(old), shift=-260)[0] == [2]


def test_where_every_chunk_is_a_little_different_the_distance_is_carried_along() -> None:
    """Each chunk grew by 30 bytes: after a hundred of them that is more than a chunk."""
    old = [(f"{n}", 2000) for n in range(100)]
    new = [(f"{n}*", 2030) for n in range(100)]
    found, shift = align(spans(new), spans(old), shift=0)
    assert found == list(range(100))
    assert shift == -3000


def test_a_chunk_that_lost_its_end_does_not_lead_astray() -> None:
    """Sizes that differ much say that cuts moved: the distance stays as it was."""
    old = [("a", 2000), ("b", 2000), ("c", 2000)]
    found, shift = align(spans([("A", 1000), ("B", 1000), ("C", 2000)]), spans(old), shift=0)
    assert (found, shift) == ([0, 0, 1], 0)


@given(
    seed=st.integers(0, 999),
    edits=st.lists(st.tuples(st.integers(0, 99), st.integers(0, 60)), max_size=6),
    flips=st.sampled_from([0, 700, 3000]),
)
@searching(60)
def test_real_content_is_compared_with_where_it_came_from(
    in_proportion: None, seed: int, edits: list[tuple[int, int]], flips: int
) -> None:
    """Insertions at random places, and bits flipped all over it, also where a cut was."""
    old = noise(100_000, seed)
    new = bytearray(old)
    for at in range(flips // 2, len(new), flips) if flips else ():
        new[at] ^= 1
    for at, size in sorted(edits, reverse=True):
        new[at * 1000 : at * 1000] = noise(size, at)
    a, b = cut(bytes(new)), cut(old)
    found, _ = align(a, b, shift=0)
    right = 0
    for span, n in zip(a, found, strict=True):
        middle = span.start + span.size // 2
        came_from = middle - sum(size for at, size in edits if at * 1000 + size < middle)
        near = b[n] if n is not None else None
        right += near is not None and near.start - 100 <= came_from < near.end + 100
    # A cut that moved by less than a drift misleads for a few chunks.
    assert right >= len(a) * 17 // 20 - 2 * len(edits)


def test_the_shift_goes_on_from_section_to_section(in_proportion: None) -> None:
    """Cut into sections anywhere, the same old chunks are found as at once."""
    old = noise(200_000, 1)
    new = bytearray(old)
    for at in range(350, len(new), 700):
        new[at] ^= 1
    new[50_000:50_000] = noise(5000, 2)
    new[120_000:140_000] = b""
    a, b = cut(bytes(new)), cut(old)
    at_once, end = align(a, b, shift=0)
    for step in (1, 3, 10):
        shift, found = 0, []
        for n in range(0, len(a), step):
            part, shift = align(a[n : n + step], b, shift=shift)
            found += part
        different = sum(x != y for x, y in zip(found, at_once, strict=True))
        assert different <= 2, step
        assert shift == end
