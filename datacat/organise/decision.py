"""A change that is decided at the slot of the log where it takes effect.

Others write to the same log. What a verb says of the state before ("was v3, set by dana") and
whether it does anything at all is decided anew for each slot that is tried, over the catalog just
before it, so that it is true also when somebody was faster.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from datacat.catalog.fold import Fold
from datacat.catalog.record import Envelope, Record
from datacat.catalog.rows import DatasetRow
from datacat.catalog.snapshot import Snapshot
from datacat.errors import NotFound
from datacat.opened import OpenedStore

Facts = TypeVar("Facts")


class _NothingToDo(Exception):
    """The catalog is so already: no record is written."""


def decide(
    store: OpenedStore,
    make: Callable[[Fold, Envelope], tuple[Record | None, Facts]],
    *,
    start: Snapshot,
) -> tuple[bool, Facts]:
    """Commit the record that `make` gives for its slot; None when there is nothing to do.

    Returns whether a record was written, and the facts that `make` gave with it. Raises what
    `make` raises, `Conflict` when a rule of the catalog forbids it, `OutcomeUnknown`.
    """
    said: list[Facts] = []

    def build(fold: Fold, envelope: Envelope) -> Record:
        record, facts = make(fold, envelope)
        said[:] = [facts]
        if record is None:
            raise _NothingToDo
        return record

    try:
        store.commit(build, start=start)
    except _NothingToDo:
        return False, said[0]
    return True, said[0]


def dataset_now(fold: Fold, name: str) -> DatasetRow:
    """The dataset just before the slot, by any of its names. Raises `NotFound`."""
    row = fold.resolve(name)
    if row is None:
        raise NotFound(f"no dataset named '{name}'", kind="dataset_not_found")
    return row
