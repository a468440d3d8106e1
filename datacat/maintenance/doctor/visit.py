"""What the checks work with: whom they examine, and what they learnt on the way."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from datacat import layout
from datacat.address import split_scheme
from datacat.backend import Backend
from datacat.backend.open import Options
from datacat.errors import DatacatError, StorageDenied
from datacat.model import Check, CheckState
from datacat.opened import Client, OpenedStore

Checks = Iterator[Check]


@dataclass(frozen=True, slots=True)
class Subject:
    """Whom and what to examine, as a front end found it out.

    `folder` is where the user works; `user_given` says that somebody chose the user's name;
    `personal` that no store was configured; `warnings` are what is odd about the settings.
    `options` are those of a storage behind a URL; `backend` is that of `url`, when it is at hand.
    """

    url: str
    client: Client
    folder: Path
    user_given: bool = True
    personal: bool = False
    warnings: tuple[str, ...] = ()
    options: Options = field(default_factory=dict)
    backend: Backend | None = None


@dataclass(slots=True)
class Visit:
    """One examination. `store`, `can_write` and `can_delete` are set by the checks that find them
    out; what is behind a network is asked for the last by itself."""

    subject: Subject
    fix: bool
    store: OpenedStore | None = None
    can_write: bool = False
    can_delete: bool = False

    @property
    def opened(self) -> OpenedStore:
        """The store, for the checks that come after it was reached."""
        if self.store is None:
            raise LookupError("the store was not reached")
        return self.store

    @property
    def is_away(self) -> bool:
        """Whether the store is behind a network: then every look at it is a request."""
        return split_scheme(self.opened.backend.url)[0] not in {"", "file", "memory"}

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


def probe_key(backend: Backend) -> str:
    """A fresh key for a probe. On a server where those who may delete: nowhere else than there."""
    where = layout.TEMPORARY if backend.capabilities.local else layout.COPIES
    return f"{where}doctor-{secrets.token_hex(16)}"


@contextmanager
def probe(backend: Backend) -> Iterator[str]:
    """The key of something that is stored as long as the block lasts.

    Raises `StorageError` where nothing can be written.
    """
    key = probe_key(backend)
    backend.write(key, b"datacat doctor\n")
    try:
        yield key
    finally:
        try:
            backend.delete(key)
        except StorageDenied:
            # Behind a network that is a permission of its own, which is looked at by itself.
            if backend.capabilities.local:
                raise


def time_there(backend: Backend) -> float | None:
    """What the clock of the storage says now, in seconds since 1970: that of a probe."""
    with probe(backend) as key:
        found = backend.stat(key)
    return None if found is None else found.modified_ns / 1e9
