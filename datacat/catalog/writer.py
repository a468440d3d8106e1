"""Append records to the log one after the other, each of them exactly once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from datacat.catalog.fold import Applied, Fold
from datacat.catalog.log import DEADLINE_SECONDS, Entry, Log
from datacat.catalog.record import Record, Void, encode
from datacat.catalog.snapshot import Snapshot
from datacat.errors import Conflict


@dataclass(frozen=True, slots=True)
class Committed:
    """A record that was appended, and the effect it had."""

    entry: Entry
    applied: Applied


class Writer:
    """Appends to `log`, over `base`: the snapshot that what is recorded was decided by.

    It remembers what was appended since, by itself and by others, so that each further record costs
    what is new. Used by one thread at a time.
    """

    def __init__(self, log: Log, base: Snapshot) -> None:
        self.base = base
        self._log = log
        self._fold = base.fold()
        self._seq, self._digest = base.seq, base.digest

    def commit(
        self,
        make: Callable[[Fold, int, str], Record],
        *,
        deadline_seconds: float = DEADLINE_SECONDS,
    ) -> Committed:
        """Append the record that `make` gives.

        `make(fold, seq, prev)` is asked for each slot that is tried; `fold` is the catalog just
        before that slot, over `base`. It decides all that depends on what others did meanwhile
        (number, names, `fold.condemned_since_base()`) and raises to give up. Raises `Conflict` when
        the record would be void. After an error that says that nothing was recorded, the next one
        may be appended.
        """
        entry = self._log.commit(
            lambda seq, prev: self._built(make, seq, prev),
            self._follow,
            start_seq=self._seq,
            start_digest=self._digest,
            deadline_seconds=deadline_seconds,
        )
        self._seq, self._digest = entry.seq, entry.digest
        applied = self._fold.apply(entry.seq, entry.record)
        if isinstance(applied, Void):
            raise Conflict(f"this was not saved: {applied.reason}", kind="rule_broken")
        return Committed(entry, applied)

    def _follow(self, news: Sequence[Entry]) -> None:
        self._fold.prefetch([entry.record for entry in news])
        for entry in news:
            self._fold.apply(entry.seq, entry.record)
            self._seq, self._digest = entry.seq, entry.digest

    def _built(self, make: Callable[[Fold, int, str], Record], seq: int, prev: str) -> bytes:
        record = make(self._fold, seq, prev)
        data = encode(record)
        void = self._fold.verdict(seq, record)
        if void is not None:
            raise Conflict(f"this cannot be saved: {void.reason}", kind="rule_broken")
        return data
