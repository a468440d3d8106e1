"""What `store.json` said a while ago, for places where every read is a trip to a server.

It never changes while a store exists, so a command that only looks need not ask for it again. A
store that was deleted, or made anew in the same place, is noticed some minutes later; and before
anything is recorded or called damaged, always (`OpenedStore.confirm`).
"""

from __future__ import annotations

import hashlib
import os
import secrets
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from datacat.backend import Backend

BELIEVED_SECONDS = 15 * 60
"""Somebody who works with a store asks about it every few minutes; few stores are deleted."""

_FOLDER = "places"


class Remembered:
    """The bytes of one place's `store.json` in the cache folder. Does nothing for a local place."""

    def __init__(self, backend: Backend, cache_dir: Path) -> None:
        self._identity = backend.identity()
        name = hashlib.sha256((self._identity or "").encode()).hexdigest()
        self._path = cache_dir / _FOLDER / f"{name}.json"

    def recall(self, now: datetime) -> bytes | None:
        """What was noted, unless that is too long ago."""
        if self._identity is None:
            return None
        try:
            age = now.timestamp() - os.stat(self._path).st_mtime
            return self._path.read_bytes() if 0 <= age < BELIEVED_SECONDS else None
        except OSError:
            return None

    def note(self, data: bytes) -> None:
        """Remember `data`; failing to costs a request the next time."""
        if self._identity is None:
            return
        temporary = self._path.with_name(f".{secrets.token_hex(8)}")
        with suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_bytes(data)
            temporary.replace(self._path)

    def forget(self) -> None:
        """The place is another store now, or none."""
        with suppress(OSError):
            self._path.unlink()
