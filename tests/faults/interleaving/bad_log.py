"""Wrong ways to treat the log: patches of the real commit, and storage that breaks its contract."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from unittest import mock

from datacat import layout
from datacat.backend import Created
from datacat.backend.retry import RetryingBackend
from datacat.catalog.fold import Fold
from datacat.catalog.log import Log
from datacat.catalog.record import VersionAdd
from datacat.errors import OutcomeUnknown, StorageError
from tests.faults.interleaving.collector import Collector
from tests.faults.interleaving.outline import Outline
from tests.faults.interleaving.replayed import FoldedLog
from tests.faults.interleaving.world import World


class SlotsOverwritten(World):
    """Storage whose create is a rename: whoever comes second wins."""

    def create(self, key: str, data: bytes) -> Created:
        self.replace(key, data)
        return Created.CREATED


class TakesItsRecordBack(Outline):
    """After an unknown outcome it deletes the slot, to be sure that nothing was saved."""

    def commit(self, make: Any, start: FoldedLog) -> Any:
        slots: list[int] = []

        def noting(fold: Fold, envelope: Any) -> Any:
            slots.append(envelope["seq"])
            return make(fold, envelope)

        try:
            return super().commit(noting, start)
        except OutcomeUnknown:
            self.backend.delete(layout.log_record(slots[-1]))
            raise


class SweepsTheLog(Collector):
    """Deletes the newest record too, for it concerns only what was deleted."""

    def sweep(self, unrecorded: set[str] | None) -> None:
        super().sweep(unrecorded)
        self.backend.delete(layout.log_record(self.follow().seq))


@contextmanager
def silence_is_success() -> Iterator[None]:
    """No read-back after a lost reply: it will have worked."""

    def tried(log: Log, seq: int, data: bytes, *, unresolved: bool) -> bool | None:
        answer = log._backend.create(layout.log_record(seq), data)
        return answer is not Created.EXISTS

    with _without_read_back(), mock.patch.object(Log, "_try_slot", tried):
        yield


@contextmanager
def silence_is_failure() -> Iterator[None]:
    """No read-back after a lost reply: it is said to have failed."""

    def tried(log: Log, seq: int, data: bytes, *, unresolved: bool) -> bool | None:
        answer = log._backend.create(layout.log_record(seq), data)
        if answer is Created.UNKNOWN:
            raise StorageError("the record could not be written")
        return answer is Created.CREATED

    with _without_read_back(), mock.patch.object(Log, "_try_slot", tried):
        yield


@contextmanager
def another_slot_after_silence() -> Iterator[None]:
    """No read-back after a lost reply: the next slot is tried, with a transaction of its own."""

    def tried(log: Log, seq: int, data: bytes, *, unresolved: bool) -> bool | None:
        return log._backend.create(layout.log_record(seq), data) is Created.CREATED

    with _without_read_back(), mock.patch.object(Log, "_try_slot", tried):
        yield


@contextmanager
def _without_read_back() -> Iterator[None]:
    def create(backend: RetryingBackend, key: str, data: bytes) -> Created:
        return backend.backend.create(key, data)

    with mock.patch.object(RetryingBackend, "create", create):
        yield


class NewTransactionEachTry(Outline):
    """Tries once more after an unknown outcome, as if nothing had happened."""

    def _saved(self, dataset: str, files: Mapping[str, bytes]) -> VersionAdd:
        try:
            return super()._saved(dataset, files)
        except OutcomeUnknown:
            return super()._saved(dataset, files)
