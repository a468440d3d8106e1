"""Wrong ways to collect, as patches of the real gc and of the real add beside it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

from datacat.maintenance import gc, gc_plan
from datacat.working_copy import publish
from tests.faults.interleaving import process


@contextmanager
def no_recheck_by_add() -> Iterator[None]:
    """An add does not look for what was condemned between its plan and its record."""
    with mock.patch.object(publish, "check_condemned"):
        yield


@contextmanager
def no_recheck_by_gc() -> Iterator[None]:
    """What was saved between the plan and the condemn record is not looked at."""
    with mock.patch.object(gc._Referring, "refuse"):
        yield


@contextmanager
def no_condemn_record() -> Iterator[None]:
    """What nothing needs is deleted, and no record forbids to refer to it."""
    with mock.patch.object(gc, "_condemn"), mock.patch.object(gc, "_note_swept"):
        yield


@contextmanager
def only_a_period_by_its_own_clock() -> Iterator[None]:
    """The same, and what is younger than the upload period is left alone: by the clock of whoever
    runs gc."""

    def now(_backend: Any) -> int:
        return int(process.current().now().timestamp()) * 1_000_000_000

    with no_condemn_record(), mock.patch.object(gc_plan, "_now", now):
        yield
