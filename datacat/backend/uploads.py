"""Uploads to a bucket: small ones in one request, large ones in parts or as one long request."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeVar

from datacat.backend.bucket import Bucket, PartsBucket, StreamBucket
from datacat.backend.remote import ReadAt
from datacat.backend.retry import ATTEMPTS, pause_seconds
from datacat.errors import StorageError, StorageMissing, StorageTransient

PART_BYTES = 24 * 1024 * 1024
"""One request uploads about so much: a pack of 64 MiB takes three, side by side."""

STEP_BYTES = 4 * 1024 * 1024
"""An upload that is one long request reads so much at a time."""

UPLOADING_BYTES_MAX = 5 * PART_BYTES
"""Parts that are held in memory at once, of all uploads together."""

_T = TypeVar("_T")


class Uploads:
    """Puts new keys into `bucket`, with bounded memory. `random` gives numbers from 0 to 1."""

    def __init__(self, bucket: Bucket, *, random: Callable[[], float]) -> None:
        self._bucket = bucket
        self._random = random
        self._room = _Room(UPLOADING_BYTES_MAX)

    async def put_new(self, key: str, size_bytes: int, read: ReadAt) -> bool:
        """Put bytes under a key in one atomic step. False: the key is there already."""
        if size_bytes > PART_BYTES and isinstance(self._bucket, PartsBucket):
            return await self._in_parts(self._bucket, key, size_bytes, read)
        if size_bytes > PART_BYTES and isinstance(self._bucket, StreamBucket):
            async with self._room.taken(STEP_BYTES):
                return await self._bucket.put_stream(key, size_bytes, _steps(size_bytes, read))
        return await self._in_one(key, size_bytes, read)

    async def _in_one(self, key: str, size_bytes: int, read: ReadAt) -> bool:
        async with self._room.taken(size_bytes):
            body = await asyncio.to_thread(read, 0, size_bytes)
            return await self._bucket.put(key, body, only_new=True)

    async def _in_parts(self, bucket: PartsBucket, key: str, size_bytes: int, read: ReadAt) -> bool:
        """Upload parts side by side; each is tried again by itself. False: the key is taken."""
        count = min(-(-size_bytes // PART_BYTES), bucket.parts_max)
        part_bytes = max(-(-size_bytes // count), bucket.part_bytes_min)
        upload = await self._again(lambda: bucket.begin(key))

        async def put(number: int, offset: int) -> str:
            length = min(part_bytes, size_bytes - offset)
            async with self._room.taken(length):
                body = await asyncio.to_thread(read, offset, length)
                return await self._again(lambda: bucket.put_part(key, upload, number, body))

        offsets = range(0, size_bytes, part_bytes)
        parts = [
            asyncio.ensure_future(put(number, offset))
            for number, offset in enumerate(offsets, start=1)
        ]
        try:
            receipts = await asyncio.gather(*parts)
            return await self._complete(bucket, key, upload, receipts, size_bytes)
        except BaseException:
            for part in parts:
                part.cancel()
            await asyncio.gather(*parts, return_exceptions=True)
            _in_background(self._abandon(bucket, key, upload))
            raise

    async def _complete(
        self,
        bucket: PartsBucket,
        key: str,
        upload: str,
        receipts: Sequence[str],
        size_bytes: int,
    ) -> bool:
        try:
            return await self._again(lambda: bucket.complete(key, upload, receipts))
        except StorageMissing:
            # The reply was lost, and the upload is over: only its end can have made this name.
            found = await self._again(lambda: bucket.head(key))
            if found is None or found.size_bytes != size_bytes:
                raise
            return True

    async def _abandon(self, bucket: PartsBucket, key: str, upload: str) -> None:
        # Parts that are left cost space until the bucket's own rule removes them.
        with suppress(StorageError):
            await bucket.abandon(key, upload)

    async def _again(self, request: Callable[[], Coroutine[Any, Any, _T]]) -> _T:
        """`await request()`, again after each `StorageTransient`: for what may be repeated."""
        for attempt in range(1, ATTEMPTS):
            try:
                return await request()
            except StorageTransient:
                await asyncio.sleep(pause_seconds(attempt, self._random()))
        return await request()


async def _steps(size_bytes: int, read: ReadAt) -> AsyncIterator[bytes]:
    for offset in range(0, size_bytes, STEP_BYTES):
        length = min(STEP_BYTES, size_bytes - offset)
        yield await asyncio.to_thread(read, offset, length)


_background: set[asyncio.Task[None]] = set()


def _in_background(work: Coroutine[Any, Any, None]) -> None:
    """Let `work` end by itself: the loop alone would let go of it."""
    task = asyncio.get_running_loop().create_task(work)
    _background.add(task)
    task.add_done_callback(_background.discard)


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
