"""Register a working copy, and take a registration back.

What this user wrote last is remembered in the cache, so that a copy that is merely looked at is
registered anew once a day, and what is out of date is found without asking the store.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import msgspec

from datacat import layout
from datacat.copies import cached
from datacat.copies.registration import Registration, encode
from datacat.opened import OpenedStore

AGAIN_AFTER = timedelta(days=1)
"""`last_seen` of a copy that did not change is renewed this often."""


class Remembered(msgspec.Struct, frozen=True):
    """What this user registered, and for which folder of `host` if it is one; for them alone."""

    host: str
    path: str | None
    copy: Registration


def register(store: OpenedStore, copy: Registration, *, folder: str | None = None) -> None:
    """Write `copies/<id>.json`, unless that says so already, and not long ago.

    `folder` is where the copy is on this machine, also when the registration does not say so.
    Registrations of this user for copies that were in that folder before are removed. Raises
    `StorageError` when the store cannot be written to.
    """
    earlier = _remembered(store, copy.id)
    if earlier is not None and _says_the_same(earlier.copy, copy):
        return
    store.backend.replace(copy.key, encode(copy))
    now = Remembered(store.client.host, folder, copy)
    _remember(store, now)
    for other in remembered(store) if folder else ():
        if other.copy.id != copy.id and (other.host, other.path) == (now.host, folder):
            withdraw(store, other.copy.id)


def withdraw(store: OpenedStore, copy_id: str) -> None:
    """Remove a registration, which must be this user's own; absent is fine.

    Raises `StorageError` when it cannot be removed.
    """
    store.backend.delete(layout.copy(copy_id))
    with suppress(OSError):
        _note(store, copy_id).unlink()


def is_remembered(store: OpenedStore, copy_id: str) -> bool:
    """Whether this user registered that copy, as far as the cache knows."""
    return _remembered(store, copy_id) is not None


def remembered(store: OpenedStore) -> Iterator[Remembered]:
    """What this user registered, as far as the cache knows."""
    try:
        names = os.listdir(_folder(store))
    except OSError:
        return
    for name in names:
        if (found := _remembered(store, name.removesuffix(".json"))) is not None:
            yield found


def _says_the_same(earlier: Registration, copy: Registration) -> bool:
    age = copy.last_seen - earlier.last_seen
    unchanged = msgspec.structs.replace(earlier, last_seen=copy.last_seen) == copy
    return unchanged and timedelta(0) <= age < AGAIN_AFTER


def _folder(store: OpenedStore) -> Path:
    return store.cache / "registered"


def _note(store: OpenedStore, copy_id: str) -> Path:
    return _folder(store) / f"{copy_id}.json"


def _remembered(store: OpenedStore, copy_id: str) -> Remembered | None:
    try:
        found = msgspec.json.decode(_note(store, copy_id).read_bytes(), type=Remembered)
    except (OSError, msgspec.MsgspecError, ValueError, RecursionError):
        return None
    return found if found.copy.id == copy_id else None


def _remember(store: OpenedStore, now: Remembered) -> None:
    """Best effort: what is not remembered is only written once more."""
    cached.write(_note(store, now.copy.id), msgspec.json.encode(now))
