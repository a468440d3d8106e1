"""The log is kept twice, as records and in bundles: which of these files are not as they were.

Nothing here decides what the log says. The chain does (`Log.read_from`), and what it says is
compared with the bytes of each file.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from concurrent.futures import Executor
from dataclasses import dataclass, field

from datacat import layout
from datacat.backend import Backend
from datacat.catalog import bundle
from datacat.catalog.log import Entry, Log
from datacat.errors import Corrupt, StorageMissing
from datacat.opened import OpenedStore, Watch
from datacat.progress import Finished, Started
from datacat.transfer.executor import batched, run_bounded, threads

BATCH_RECORDS = 2_000
"""Records that are compared with their files together: their bytes are in memory."""

BLOCK_RECORDS = min(layout.BUNDLE_SIZES)
"""A bundle is compared by the digests of so many records each."""

LATE_RECORDS = 256
"""A bundle that is missing is missed only so much later: somebody may be about to publish it."""


@dataclass(frozen=True, slots=True)
class LogCopy:
    """A file of the log that is damaged or `missing`; `seq` is its (first) record.

    `data` are the bytes of a record as they were. A bundle is made again from the records.
    """

    key: str
    seq: int
    reason: str
    missing: bool
    data: bytes | None = None


@dataclass(slots=True)
class LogState:
    """What became of reading the whole log: its head, how many records, and what is not as it was.

    `bundles` has the first record and the size of each that is missing or damaged.
    """

    head: int = 0
    digest: str = ""
    copies: list[LogCopy] = field(default_factory=list)
    bundles: list[tuple[int, int]] = field(default_factory=list)


def examine_log(
    store: OpenedStore, watch: Watch, *, entries: Iterator[Entry] | None = None
) -> LogState:
    """Read the log from its first record, and compare every file of it with what the chain says.

    `entries` is the log as it should be, by default as the store has it. Raises `Corrupt` naming
    the record that neither its file nor a bundle has as it was: then nobody can say what follows.
    """
    log, backend = store.catalog.log, store.backend
    state = LogState(digest=log.genesis_digest)
    blocks: list[bytes] = []
    block = hashlib.sha256()
    watch.listener(Started("Reading the log"))
    if entries is None:
        entries = log.read_from(0, log.genesis_digest, careful=True)
    with threads(store.client.jobs) as executor:
        for batch in batched(entries, BATCH_RECORDS):
            watch.stop.check()
            for entry in batch:
                block.update(entry.data)
                if entry.seq % BLOCK_RECORDS == 0:
                    blocks.append(block.digest())
                    block = hashlib.sha256()
            state.head, state.digest = batch[-1].seq, batch[-1].digest
            state.copies += _records(log, executor, batch, store.client.jobs, watch)
        bundles = _bundles(state.head)
        work = [(backend, first, size, blocks) for first, size in bundles]
        for (_, first, size, _), why in zip(
            work, executor.map(lambda one: _bundle_wrong(*one), work), strict=True
        ):
            watch.stop.check()
            if why is not None:
                state.bundles.append((first, size))
                late = state.head - (first + size - 1) >= LATE_RECORDS
                if why != _NOT_THERE or late:
                    key = layout.bundle(first, first + size - 1)
                    state.copies.append(LogCopy(key, first, why, why == _NOT_THERE))
    watch.listener(Finished("Reading the log"))
    return state


def _records(
    log: Log, executor: Executor, batch: list[Entry], jobs: int, watch: Watch
) -> Iterator[LogCopy]:
    def compare(entry: Entry) -> LogCopy | None:
        key = layout.log_record(entry.seq)
        try:
            data = log.read(entry.seq)
        except Corrupt:
            data = b""
        if data == entry.data:
            return None
        why = "it is not there; a bundle has it" if data is None else "it is not what was written"
        return LogCopy(key, entry.seq, why, data is None, entry.data)

    found = run_bounded(executor, compare, batch, jobs=jobs, stop=watch.stop)
    yield from sorted(
        (one for one in found if one is not None),
        key=lambda one: one.seq,
    )


def _bundles(head: int) -> list[tuple[int, int]]:
    """First record and size of every bundle that a log with this head has."""
    return [
        (first, size)
        for size in reversed(layout.BUNDLE_SIZES)
        for first in range(1, head - size + 2, size)
    ]


_NOT_THERE = "it is not there; the single records are"


def _bundle_wrong(backend: Backend, first: int, size: int, blocks: list[bytes]) -> str | None:
    """What is wrong with a bundle, compared with the digests of `BLOCK_RECORDS` records each."""
    key = layout.bundle(first, first + size - 1)
    expected = blocks[(first - 1) // BLOCK_RECORDS :][: size // BLOCK_RECORDS]
    found: list[bytes] = []
    try:
        for lines in batched(bundle.read(backend, key), BLOCK_RECORDS):
            found.append(hashlib.sha256(b"".join(lines)).digest())
            if len(found) > len(expected):
                break
    except StorageMissing:
        return _NOT_THERE
    except Corrupt:
        found = []
    return None if found == expected else "it does not hold the records of its name"
