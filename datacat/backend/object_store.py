"""A store in a bucket: the storage contract, made of the few requests of a `Bucket`.

What must always hold: every name is written with a condition that the server refuses when it is
there (INV slots, INV names), and a server that ignores the condition is never written to.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeVar

from datacat import layout
from datacat.backend.base import AgingRule, Capabilities, Stat
from datacat.backend.bridge import Bridge
from datacat.backend.bucket import Bucket
from datacat.backend.keys import checked_key, checked_prefix
from datacat.backend.remote import ReadAt, RemoteBackend
from datacat.backend.retry import ATTEMPTS, pause_seconds
from datacat.errors import (
    InvalidInput,
    StorageError,
    StorageMissing,
    StorageTransient,
)

PART_BYTES = 24 * 1024 * 1024
"""One request uploads about so much: a pack of 64 MiB takes three, side by side."""

UPLOADING_BYTES_MAX = 5 * PART_BYTES
"""Parts that are held in memory at once, of all uploads together."""

_PROBE_TEXT = b"datacat wrote this to see whether a second writer is refused. Leave it here.\n"

_T = TypeVar("_T")


class ObjectStoreBackend(RemoteBackend):
    """One store in a bucket. `random` gives numbers from 0 to 1, for pauses between tries."""

    def __init__(self, bucket: Bucket, bridge: Bridge, *, random: Callable[[], float]) -> None:
        super().__init__(bucket.url, bridge)
        self._bucket = bucket
        self._random = random
        self._room = _Room(UPLOADING_BYTES_MAX)
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

    async def _put_new(self, key: str, size_bytes: int, read: ReadAt) -> bool:
        if size_bytes <= PART_BYTES:
            return await self._in_one(key, size_bytes, read)
        return await self._in_parts(key, size_bytes, read)

    async def _in_one(self, key: str, size_bytes: int, read: ReadAt) -> bool:
        async with self._room.taken(size_bytes):
            body = await asyncio.to_thread(read, 0, size_bytes)
            return await self._bucket.put(key, body, only_new=True)

    async def _in_parts(self, key: str, size_bytes: int, read: ReadAt) -> bool:
        """Upload parts side by side; each is tried again by itself. False: the key is taken."""
        count = min(-(-size_bytes // PART_BYTES), self._bucket.parts_max)
        part_bytes = max(-(-size_bytes // count), self._bucket.part_bytes_min)
        upload = await self._again(lambda: self._bucket.begin(key))

        async def put(number: int, offset: int) -> str:
            length = min(part_bytes, size_bytes - offset)
            async with self._room.taken(length):
                body = await asyncio.to_thread(read, offset, length)
                return await self._again(lambda: self._bucket.put_part(key, upload, number, body))

        offsets = range(0, size_bytes, part_bytes)
        parts = [
            asyncio.ensure_future(put(number, offset))
            for number, offset in enumerate(offsets, start=1)
        ]
        try:
            receipts = await asyncio.gather(*parts)
            return await self._complete(key, upload, receipts, size_bytes)
        except BaseException:
            for part in parts:
                part.cancel()
            await asyncio.gather(*parts, return_exceptions=True)
            _in_background(self._abandon(key, upload))
            raise

    async def _complete(
        self, key: str, upload: str, receipts: Sequence[str], size_bytes: int
    ) -> bool:
        try:
            return await self._again(lambda: self._bucket.complete(key, upload, receipts))
        except StorageMissing:
            # The reply was lost, and the upload is over: only its end can have made this name.
            found = await self._again(lambda: self._bucket.head(key))
            if found is None or found.size_bytes != size_bytes:
                raise
            return True

    async def _abandon(self, key: str, upload: str) -> None:
        # Parts that are left cost space until the bucket's own rule removes them.
        with suppress(StorageError):
            await self._bucket.abandon(key, upload)

    async def _again(self, request: Callable[[], Coroutine[Any, Any, _T]]) -> _T:
        """`await request()`, again after each `StorageTransient`: for what may be repeated."""
        for attempt in range(1, ATTEMPTS):
            try:
                return await request()
            except StorageTransient:
                await asyncio.sleep(pause_seconds(attempt, self._random()))
        return await request()

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
                f"{self.url}: its server does not refuse to create a key twice (If-None-Match)",
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


_background: set[asyncio.Task[None]] = set()


def _in_background(work: Coroutine[Any, Any, None]) -> None:
    """Let `work` end by itself: the loop alone would let go of it."""
    task = asyncio.get_running_loop().create_task(work)
    _background.add(task)
    task.add_done_callback(_background.discard)


def _is_ours(key: str) -> bool:
    """Whether a store can have written it: other programs make folders and empty parts."""
    try:
        checked_key(key)
    except InvalidInput:
        return False
    return True


class _Room:
    """So many bytes may be held at once; one that is larger than all of it waits for all of it."""

    def __init__(self, total_bytes: int) -> None:
        self._total = self._free = total_bytes
        self._changed = asyncio.Condition()

    @asynccontextmanager
    async def taken(self, size_bytes: int) -> AsyncIterator[None]:
        size = min(size_bytes, self._total)
        async with self._changed:
            await self._changed.wait_for(lambda: self._free >= size)
            self._free -= size
        try:
            yield
        finally:
            async with self._changed:
                self._free += size
                self._changed.notify_all()
