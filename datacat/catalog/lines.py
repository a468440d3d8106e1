"""The records of a range as lines, for what need not be believed and only has to be fast.

Bundles are read where they hold a good part of what is asked for, single records elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from datacat import layout
from datacat.backend import Backend
from datacat.catalog import bundle
from datacat.catalog.record import RECORD_BYTES_MAX
from datacat.errors import Corrupt, StorageMissing

WORTH_READING = 4
"""A bundle is read for at least one part in so many of its records."""

_AT_ONCE = 32
_THREADS = 8


def lines(backend: Backend, first: int, last: int) -> Iterator[tuple[int, bytes]]:
    """The records `first` to `last` as they lie in the store, in order, each with its slot.

    Nothing about them is checked, and those that cannot be had are left out. Raises `StorageError`
    when the store cannot be read.
    """
    useless: set[str] = set()
    seq = first
    while seq <= last:
        bundled = _bundle(seq, last, useless)
        if bundled is None:
            until = min(last, seq + _AT_ONCE - 1, _end_of_bundle(seq))
            yield from _single(backend, seq, until)
            seq = until + 1
            continue
        start, key = bundled
        useless.add(key)
        try:
            for number, line in enumerate(bundle.read(backend, key), start):
                if seq <= number <= last:
                    yield number, line
                    seq = number + 1
        except (StorageMissing, Corrupt):
            continue  # from where it ended, in another way


def _bundle(seq: int, last: int, useless: set[str]) -> tuple[int, str] | None:
    """The largest bundle worth reading that holds `seq`: its first record and its key."""
    for size in layout.BUNDLE_SIZES:
        start = (seq - 1) // size * size + 1
        end = start + size - 1
        key = layout.bundle(start, end)
        if end <= last and (end - seq + 1) * WORTH_READING >= size and key not in useless:
            return start, key
    return None


def _end_of_bundle(seq: int) -> int:
    size = layout.BUNDLE_SIZES[-1]
    return (seq - 1) // size * size + size


def _single(backend: Backend, first: int, last: int) -> Iterator[tuple[int, bytes]]:
    def read(seq: int) -> bytes:
        try:
            return backend.read(layout.log_record(seq), limit_bytes=RECORD_BYTES_MAX + 1)
        except StorageMissing:
            return b""

    slots = range(first, last + 1)
    if backend.capabilities.local:
        yield from ((seq, data) for seq in slots if (data := read(seq)))
        return
    with ThreadPoolExecutor(max_workers=_THREADS) as pool:
        found = zip(slots, pool.map(read, slots), strict=True)
        yield from ((seq, data) for seq, data in found if data)
