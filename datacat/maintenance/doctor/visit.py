"""What the checks work with: whom they examine, and what they learnt on the way."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from datacat.backend import Backend
from datacat.errors import DatacatError
from datacat.model import Check, CheckState
from datacat.opened import Client, OpenedStore

Checks = Iterator[Check]


@dataclass(frozen=True, slots=True)
class Subject:
    """Whom and what to examine, as a front end found it out.

    `folder` is where the user works; `user_given` says that somebody chose the user's name;
    `personal` that no store was configured; `warnings` are what is odd about the settings.
    `backend` is that of `url`, when it is at hand.
    """

    url: str
    client: Client
    folder: Path
    user_given: bool = True
    personal: bool = False
    warnings: tuple[str, ...] = ()
    backend: Backend | None = None


@dataclass(slots=True)
class Visit:
    """One examination. `store` and `can_write` are set by the checks that find them out."""

    subject: Subject
    fix: bool
    store: OpenedStore | None = None
    can_write: bool = False

    @property
    def opened(self) -> OpenedStore:
        """The store, for the checks that come after it was reached."""
        if self.store is None:
            raise LookupError("the store was not reached")
        return self.store

    @property
    def root(self) -> Path | None:
        """The store's folder, when it lies in the local file system."""
        return None if self.store is None else self.store.local_path


CheckFunction = Callable[[Visit], Checks]


def fine(check_id: str, message: str, *, fixed: bool = False) -> Check:
    return Check(check_id, CheckState.OK, message, fixed=fixed)


def note(check_id: str, message: str, fix: str | None = None) -> Check:
    return Check(check_id, CheckState.NOTE, message, fix)


def fail(check_id: str, message: str, fix: str | None = None) -> Check:
    return Check(check_id, CheckState.FAIL, message, fix)


def advice(error: DatacatError) -> str | None:
    """What an error says can be done: its hint, then its commands."""
    parts = [part for part in (error.hint, *error.commands) if part]
    return "     ".join(parts) or None


def time_there(backend: Backend) -> float:
    """What the clock of the storage says now, in seconds since 1970: that of a probe.

    Raises `StorageError` where none can be written.
    """
    with backend.stage() as probe:
        os.write(probe.fd, b"datacat doctor")
        os.fsync(probe.fd)
        return os.fstat(probe.fd).st_mtime
