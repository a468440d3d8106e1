"""The log: the catalog's truth, an append-only chain of records in numbered slots.

INV slots: a slot is written once, by the one client that wins its atomic `create`, and is never
overwritten or deleted. Every record names the digest of the one before it, so a log that was
altered does not verify. Reading goes forward from a record that is already trusted; a cold start
takes bundles where there are some.
"""

from __future__ import annotations

import hashlib
import random as random_module
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import msgspec

from datacat import layout
from datacat.backend.base import Backend, Created
from datacat.catalog import bundle
from datacat.catalog.record import RECORD_BYTES_MAX, Record, Void, decode
from datacat.errors import (
    Cancelled,
    Corrupt,
    DatacatError,
    OutcomeUnknown,
    StorageDenied,
    StorageError,
    StorageMissing,
    StorageTransient,
)

DEADLINE_SECONDS = 60.0
"""A commit gives up after this long, with exit code 7."""

WAIT_SECONDS_MAX = 0.5
"""The longest random wait after a lost race: a slot takes some milliseconds to win."""

READ_AHEAD_MAX = 32
"""Records asked for at once on remote storage, where every read costs a round trip."""

_LINE_BYTES_MAX = 64 * RECORD_BYTES_MAX
"""Beyond this a record is not even read: nothing that datacat writes comes near."""


class Entry(msgspec.Struct, frozen=True, gc=False):
    """One slot of the log: its bytes, their SHA-256, and what they say."""

    seq: int
    data: bytes
    digest: str
    record: Record | Void


def digest_of(data: bytes) -> str:
    """How one record names the one before it."""
    return hashlib.sha256(data).hexdigest()


class Log:
    """The log of one store. `genesis` are the bytes of its `store.json`. Safe from many threads."""

    def __init__(self, backend: Backend, *, genesis: bytes) -> None:
        self._backend = backend
        self.genesis_digest = digest_of(genesis)

    # Reading

    def read(self, seq: int) -> bytes | None:
        """The bytes in slot `seq`, None when it is certainly empty."""
        key = layout.log_record(seq)
        try:
            data = self._backend.read(key, limit_bytes=_LINE_BYTES_MAX + 1)
        except StorageMissing:
            return None
        if len(data) > _LINE_BYTES_MAX:
            raise Corrupt(f"{key} in the store is damaged: far too long", kind="record_damaged")
        return data

    def read_from(self, seq: int, digest: str, *, careful: bool | None = None) -> Iterator[Entry]:
        """The records after `seq`, whose own digest is `digest`, up to the head.

        Costs one read of an absent key when there is nothing new. A cold start (from 0) is
        `careful`: it also makes sure that nothing lies beyond the head. Raises `Corrupt` naming
        the record that is damaged, missing or does not continue the chain, `FormatTooNew`.
        """
        careful = seq == 0 if careful is None else careful
        while True:
            entry = self._next(seq, digest)
            if entry is None:
                if not careful or not self._lies_beyond(seq + 1):
                    return
                entry = next(self._recovered(seq + 1, digest), None)
                if entry is None:
                    raise _missing(seq + 1)
            for following in self._onward(entry, digest):
                seq, digest = following.seq, following.digest
                yield following

    def _onward(self, entry: Entry, prev: str) -> Iterator[Entry]:
        """At least `entry`, which follows the record `prev`, and more where that is cheap."""
        seq, digest = entry.seq - 1, prev
        for size in layout.BUNDLE_SIZES:
            if seq % size == 0:
                for found in self._bundled(seq + 1, size, seq, digest):
                    seq, digest = found.seq, found.digest
                    yield found
                if seq >= entry.seq:
                    return
        yield entry
        if not self._backend.capabilities.local:
            yield from self._read_ahead(entry.seq, entry.digest)

    def _read_ahead(self, seq: int, digest: str) -> Iterator[Entry]:
        """Records read several at once, as long as there are any: on remote storage."""
        width = 4
        with ThreadPoolExecutor(max_workers=8) as pool:
            while True:
                for data in list(pool.map(self.read, range(seq + 1, seq + 1 + width))):
                    if data is None or seq % layout.BUNDLE_SIZES[-1] == 0:
                        return
                    try:
                        entry = _entry(seq + 1, data, digest)
                    except Corrupt:
                        return  # read_from looks again, and heals or names it
                    seq, digest = entry.seq, entry.digest
                    yield entry
                width = min(2 * width, READ_AHEAD_MAX)

    def _next(self, seq: int, digest: str) -> Entry | None:
        """The entry after record `seq`; where it is damaged, out of a bundle if there is one."""
        data = self.read(seq + 1)
        if data is None:
            return None
        try:
            return _entry(seq + 1, data, digest)
        except Corrupt:
            healed = next(self._recovered(seq + 1, digest), None)
            if healed is None:
                raise
            return healed

    def _recovered(self, seq: int, digest: str) -> Iterator[Entry]:
        """The records from `seq` on out of any bundle that covers it and continues the chain."""
        for size in reversed(layout.BUNDLE_SIZES):
            first = (seq - 1) // size * size + 1
            entries = self._bundled(first, size, seq - 1, digest)
            entry = next(entries, None)
            if entry is not None:
                yield entry
                yield from entries
                return

    def _bundled(self, first: int, size: int, seq: int, digest: str) -> Iterator[Entry]:
        """The records after `seq` in the bundle that begins at `first`; none if it is no good.

        Ends early, without an error, where the bundle is damaged or leaves the chain.
        """
        key = layout.bundle(first, first + size - 1)
        try:
            for number, line in enumerate(bundle.read(self._backend, key), start=first):
                if number > first + size - 1:
                    return
                if number > seq:
                    entry = _entry(number, line, digest)
                    digest = entry.digest
                    yield entry
        except (StorageMissing, Corrupt):
            return

    def _lies_beyond(self, seq: int) -> bool:
        """Whether a record or a bundle shows that the empty slot `seq` was once filled.

        What appeared while we looked is no proof: slots are filled in order, so the slot is
        looked at once more.
        """
        beyond = self._is_followed(seq) or any(
            self._backend.stat(layout.bundle(first, first + size - 1)) is not None
            for size in layout.BUNDLE_SIZES
            for first in [(seq - 1) // size * size + 1]
        )
        return beyond and self.read(seq) is None

    def _is_followed(self, seq: int) -> bool:
        slot = layout.log_record(seq)
        following = [layout.log_bucket(seq), layout.log_bucket(seq + layout.RECORDS_PER_BUCKET)]
        try:
            return any(
                next(iter(self._backend.keys(bucket, after=slot)), None) is not None
                for bucket in following
            )
        except StorageDenied as error:
            if error.kind != "not_listed":
                raise
            # Nobody can commit to such a place, so that no gap can be filled there.
            return self._backend.stat(layout.log_record(seq + 1)) is not None

    # Appending

    def commit(
        self,
        build: Callable[[int, str], bytes],
        recheck: Callable[[Sequence[Entry]], None],
        *,
        start_seq: int,
        start_digest: str,
        deadline_seconds: float = DEADLINE_SECONDS,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        random: Callable[[], float] = random_module.random,
    ) -> Entry:
        """Append one record and return it: exactly once, or not at all, or `OutcomeUnknown`.

        `build(seq, prev)` gives the bytes for a slot and is asked again for each slot that is
        tried; `recheck` sees every record that others appended since `start_seq` and raises to
        give up. INV order: containers, segments and manifest are durable before this is called.
        """
        head, digest = start_seq, start_digest
        # A log that lost a record must not be continued in its gap: that would fork it.
        careful = self._backend.stat(layout.log_record(head + 2)) is not None
        deadline = monotonic() + deadline_seconds
        data: bytes | None = None
        unresolved = False
        attempt = 0
        while True:
            if not unresolved:
                news = list(self.read_from(head, digest, careful=careful))
                careful = False
                if news:
                    recheck(news)
                    head, digest = news[-1].seq, news[-1].digest
                data = None
            # INV slots: while we do not know whether our bytes took the slot, only the same
            # bytes are ever put into the same slot. Whatever arrives late is then harmless.
            data = data or build(head + 1, digest)
            won = self._try_slot(head + 1, data, unresolved=unresolved)
            if won:
                self._publish(head + 1)
                return _entry(head + 1, data, digest)
            unresolved = won is None
            if monotonic() >= deadline:
                raise _gave_up(data, unresolved=unresolved, seconds=deadline_seconds)
            sleep(random() * min(WAIT_SECONDS_MAX, 0.004 * 2 ** min(attempt, 10)))
            attempt += 1

    def _try_slot(self, seq: int, data: bytes, *, unresolved: bool) -> bool | None:
        """True: the slot holds our bytes. False: someone else's. None: we cannot tell yet."""
        try:
            answer = self._backend.create(layout.log_record(seq), data)
            if answer is Created.CREATED:
                return True
            # From here on our bytes may lie there: only a look can tell that they do not.
            unresolved = True
            found = self.read(seq)
            if found == data:
                # Ours, although we were not told so: only now may it be called durable.
                self._backend.sync()
        except StorageTransient:
            return None
        except (StorageError, Cancelled) as error:
            if unresolved:
                raise _gave_up(data, unresolved=True, seconds=0) from error
            raise
        return None if found is None else found == data

    # Bundles

    def _publish(self, seq: int) -> None:
        """Publish the bundles that end at `seq`, smallest first. Failing to is harmless."""
        for size in reversed(layout.BUNDLE_SIZES):
            if seq % size:
                return
            try:
                self.publish_bundle(seq - size + 1, size)
            except (DatacatError, bundle.NotBundledError):
                return

    def publish_bundle(self, first: int, size: int) -> None:
        """Write the bundle of the `size` records from `first` on, out of smaller ones if any.

        Raises `Corrupt` when one is missing, `NotBundledError`, `StorageError`.
        """
        key = layout.bundle(first, first + size - 1)
        self._backend.write(key, bundle.encode(self.lines(first, size)))
        self._backend.sync()

    def lines(self, first: int, size: int) -> Iterator[bytes]:
        """The bytes of `size` records from `first` on. Raises `Corrupt` when one is missing."""
        if first == 1:
            digest = self.genesis_digest
        else:
            before = self.read(first - 1)
            if before is None:
                raise _missing(first - 1)
            digest = digest_of(before)
        last = first + size - 1
        for entry in self.read_from(first - 1, digest, careful=False):
            yield entry.data
            if entry.seq == last:
                return
        raise _missing(last)


def _entry(seq: int, data: bytes, prev: str) -> Entry:
    """The entry for slot `seq`, checked against the digest of the record before it."""
    try:
        record = decode(data, "")
    except DatacatError:
        record = decode(data, layout.log_record(seq))  # once more, to name it
    if isinstance(record, Record):
        if record.prev != prev:
            raise Corrupt(
                f"the log was altered: {layout.log_record(seq)} does not continue record {seq - 1}",
                kind="log_altered",
            )
        if record.seq != seq:
            record = Void(f"says that it is record {record.seq}")
    return Entry(seq, data, digest_of(data), record)


def _missing(seq: int) -> Corrupt:
    return Corrupt(
        f"{layout.log_record(seq)} is missing from the store, though later records exist",
        kind="record_missing",
        hint="Restore this file from a backup of the store.",
    )


def _gave_up(data: bytes, *, unresolved: bool, seconds: float) -> OutcomeUnknown:
    if not unresolved:
        return OutcomeUnknown(
            f"others saved without a break for {seconds:.0f} s; nothing was saved",
            kind="too_busy",
            hint="Run the same command again.",
        )
    record = decode(data, "the new record")
    txid = record.txid if isinstance(record, Record) else "unknown"
    return OutcomeUnknown(
        f"the store did not say whether this was saved (transaction {txid})",
        hint="Look with datacat ls or datacat log before you run it again.",
        commands=["datacat log"],
    )
