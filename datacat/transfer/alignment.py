"""Which old chunk lies where a new chunk lies: the edit moved what comes after it.

Chunks that both contents have say by how many bytes; between two of them, and where all chunks are
a little different, the last known distance is carried along from one chunk's end to the next.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import NamedTuple

DRIFT_BYTES = 1024
"""Two chunks that begin this near to each other are taken to begin and to end together, if their
sizes differ by less than one part in `ALIKE`: cuts lie where the content says so."""

ALIKE = 8


class Span(NamedTuple):
    """A chunk of some content: where it begins, its size, its digest."""

    start: int
    size: int
    digest: bytes

    @property
    def end(self) -> int:
        return self.start + self.size


def align(new: Sequence[Span], old: Sequence[Span], *, shift: int) -> tuple[list[int | None], int]:
    """For each of `new` the place in `old` of the chunk that lay there, or None.

    Both are in order and follow each other without a gap; `old` is the part of the old content
    around the new chunks. `shift` is by how many bytes the old content lies behind the new one
    before the first chunk; the second result is the same after the last one.
    """
    same = _same(new, old, shift)
    starts = [span.start for span in old]
    found: list[int | None] = []
    for n, span in enumerate(new):
        exact = same[n]
        if exact is not None:
            found.append(exact)
            shift = old[exact].start - span.start
            continue
        begin = span.start + shift
        following = same[n + 1] if n + 1 < len(new) else None
        end = old[following].start if following is not None else begin + span.size
        chosen = _most_overlap(old, starts, begin, max(end, begin + 1))
        found.append(chosen)
        if chosen is not None and abs(old[chosen].start - begin) <= DRIFT_BYTES:
            grown = old[chosen].size - span.size
            if abs(grown) * ALIKE < span.size:
                shift = old[chosen].end - span.end
    return found, shift


def _same(new: Sequence[Span], old: Sequence[Span], shift: int) -> list[int | None]:
    """For each of `new` the nearest old chunk with the same digest, or None."""
    places: dict[bytes, list[int]] = {}
    for n, span in enumerate(old):
        places.setdefault(span.digest, []).append(n)
    found: list[int | None] = []
    for span in new:
        here = places.get(span.digest)
        if here is None:
            found.append(None)
            continue
        expected = span.start + shift
        nearest = min(here, key=lambda n: abs(old[n].start - expected))
        shift = old[nearest].start - span.start
        found.append(nearest)
    return found


def _most_overlap(old: Sequence[Span], starts: Sequence[int], begin: int, end: int) -> int | None:
    first = max(bisect_right(starts, begin) - 1, 0)
    best, most = None, 0
    for n in range(first, len(old)):
        if old[n].start >= end:
            break
        overlap = min(old[n].end, end) - max(old[n].start, begin)
        if overlap > most:
            best, most = n, overlap
    return best
