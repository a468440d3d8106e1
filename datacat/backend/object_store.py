"""A store in a bucket: the storage contract, made of the few requests of a `Bucket`.

What must always hold: every name is written with a condition that the server refuses when it is
there (INV slots, INV names), and a server that ignores the condition is never written to.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Coroutine, Iterator, Sequence
from typing import Any

from datacat import layout
from datacat.backend.base import AgingRule, Capabilities, Stat
from datacat.backend.bridge import Bridge
from datacat.backend.bucket import Bucket
from datacat.backend.keys import checked_key, checked_prefix
from datacat.backend.remote import ReadAt, RemoteBackend
from datacat.backend.uploads import Uploads
from datacat.errors import (
    InvalidInput,
    StorageError,
)

_PROBE_TEXT = b"datacat wrote this to see whether a second writer is refused. Leave it here.\n"


class ObjectStoreBackend(RemoteBackend):
    """One store in a bucket. `random` gives numbers from 0 to 1, for pauses between tries."""

    def __init__(self, bucket: Bucket, bridge: Bridge, *, random: Callable[[], float]) -> None:
        super().__init__(bucket.url, bridge)
        self._bucket = bucket
        self._uploads = Uploads(bucket, random=random)
        self._proving = threading.Lock()
        self._exclusive: bool | None = None

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(atomic_create=self._exclusive is not False, local=False)

    # Reading

    def _get(self, key: str, offset: int, length: int | None) -> Coroutine[Any, Any, bytes]:
        return self._bucket.get(key, offset=offset, length=length)

    def stat(self, key: str) -> Stat | None:
        return self._bridge.run(self._bucket.head(checked_key(key)))

    def keys(self, prefix: str, *, after: str = "") -> Iterator[Stat]:
        checked_prefix(prefix)
        while page := self._bridge.run(self._bucket.page(prefix, after=after)):
            for found in page:
                after = found.key
                hidden = found.key == layout.PROBE or (
                    prefix == "" and found.key.startswith(layout.TEMPORARY)
                )
                if not hidden and _is_ours(found.key):
                    yield found

    # Writing

    def _put_new(self, key: str, size_bytes: int, read: ReadAt) -> Coroutine[Any, Any, bool]:
        return self._uploads.put_new(key, size_bytes, read)

    def replace(self, key: str, data: bytes) -> None:
        self._bridge.run(self._bucket.put(checked_key(key), bytes(data), only_new=False))

    def _is_exclusive(self) -> bool:
        """Whether the server refuses a second create: tried once in a process."""
        with self._proving:
            if self._exclusive is None:
                # Refused the first time already if anybody tried it before.
                self._exclusive = not all(
                    self._bridge.run(self._bucket.put(layout.PROBE, _PROBE_TEXT, only_new=True))
                    for _ in range(2)
                )
            return self._exclusive

    def _before_writing(self) -> None:
        if not self._is_exclusive():
            raise StorageError(
                f"{self.url}: its server does not refuse to create a key twice"
                f" ({self._bucket.condition})",
                kind="no_atomic_create",
                hint="Of two people who save at once, one would be lost: it can only be read.",
            )

    def sync(self) -> None:
        """Nothing to wait for: an object store answers when the bytes are durable."""

    def delete(self, key: str) -> None:
        self._bridge.run(self._bucket.delete(checked_key(key)))

    # The place

    def initialise(self, directories: Sequence[str], *, group: str | None, shared: bool) -> None:
        """See that the bucket is there, and what it can do: there are no folders to make."""
        for directory in directories:
            checked_prefix(directory)
        if group is not None:
            raise InvalidInput(
                f"{self.url} has no groups: who may write there is said by the bucket's own rules",
                kind="unknown_group",
            )
        self._bridge.run(self._bucket.check())
        self._is_exclusive()
        # Who may use a bucket is decided there: `shared` or not makes no difference.
        del shared

    def aging_rules(self) -> Sequence[AgingRule] | None:
        return self._bridge.run(self._bucket.aging_rules())

    def identity(self) -> str | None:
        return self._bridge.run(self._bucket.identity())

    def free_bytes(self) -> int | None:
        return None


def _is_ours(key: str) -> bool:
    """Whether a store can have written it: other programs make folders and empty parts."""
    try:
        checked_key(key)
    except InvalidInput:
        return False
    return True
