"""Files in a bucket of S3, through s3fs: let in as the `aws` command is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from datacat.backend.s3 import CONNECT_SECONDS, CONNECTIONS, SILENT_SECONDS
from datacat.backend.s3_errors import EXPECTED, code_of, storage_error
from datacat.errors import DatacatError
from datacat.providers.base import Content, Found, ProviderChangedError
from datacat.providers.bucket import BucketProvider, Page, nanoseconds
from datacat.providers.errors import of_provider

SLOWEST_BYTES_PER_SECOND = 128 * 1024
"""A request may take `SILENT_SECONDS` and the time that its bytes take at this speed."""


class S3Provider(BucketProvider):
    """`s3://bucket/folder` or `s3://bucket/file`."""

    scheme = "s3"

    def __init__(self, url: str) -> None:
        from s3fs import S3FileSystem

        super().__init__(url)
        self._files = S3FileSystem(
            config_kwargs={
                "max_pool_connections": CONNECTIONS,
                "connect_timeout": CONNECT_SECONDS,
                "read_timeout": SILENT_SECONDS,
                "retries": {"total_max_attempts": 1, "mode": "standard"},
                "response_checksum_validation": "when_required",
            },
            use_listings_cache=False,
            skip_instance_cache=True,
        )

    async def fetch(self, path: str, limit_bytes: int) -> Content | None:
        key = self._full(path)
        async with self._asking("GetObject", key, limit_bytes) as client:
            answer = await client.get_object(Bucket=self._bucket, Key=key)
            async with answer["Body"] as body:
                if answer["ContentLength"] > limit_bytes:
                    return None
                data: bytes = await body.read()
        return Content(data, _found(path, answer, answer["ContentLength"]))

    async def _range(
        self, path: str, offset: int, length: int, expected: Found | None
    ) -> tuple[bytes, Found]:
        key = self._full(path)
        same = {"IfMatch": expected.mark} if expected is not None and expected.mark else {}
        try:
            async with self._asking("GetObject", key, length) as client:
                answer = await client.get_object(
                    Bucket=self._bucket,
                    Key=key,
                    Range=f"bytes={offset}-{offset + length - 1}",
                    **same,
                )
                async with answer["Body"] as body:
                    data: bytes = await body.read()
        except _BeyondTheEnd:
            if expected is not None:
                return b"", expected
            return b"", await self._look(path)
        total = int(answer["ContentRange"].rpartition("/")[2])
        found = _found(path, answer, total)
        if expected is not None and not expected.is_same(found):
            raise ProviderChangedError
        return data, found

    async def _page(self, prefix: str, after: Mapping[str, str]) -> Page:
        async with self._asking("ListBucket", "") as client:
            answer = await client.list_objects_v2(
                Bucket=self._bucket, Prefix=prefix, MaxKeys=1_000, **after
            )
        found = [
            _found(entry["Key"][len(prefix) :], entry, entry["Size"])
            for entry in answer.get("Contents", ())
        ]
        more = answer.get("IsTruncated")
        return Page(found, {"ContinuationToken": answer["NextContinuationToken"]} if more else {})

    async def _look(self, path: str) -> Found:
        key = self._full(path)
        async with self._asking("HeadObject", key) as client:
            answer = await client.head_object(Bucket=self._bucket, Key=key)
        return _found(path, answer, answer["ContentLength"])

    @asynccontextmanager
    async def _asking(self, action: str, key: str, size_bytes: int = 0) -> AsyncIterator[Any]:
        seconds = SILENT_SECONDS + CONNECT_SECONDS + size_bytes / SLOWEST_BYTES_PER_SECOND
        try:
            async with asyncio.timeout(seconds):
                await self._files.set_session()
                yield await self._files.get_s3(self._bucket)
        except DatacatError:
            raise
        except EXPECTED as error:
            status, code = code_of(error)
            if status == 412:
                raise ProviderChangedError from None
            if status == 416:
                raise _BeyondTheEnd from None
            failed = storage_error(
                error, status=status, code=code, url=self.url, key=key, action=action
            )
            # Not chained: the text of an error below may hold a URL with a password, or a key.
            raise of_provider(failed, self.url) from None


class _BeyondTheEnd(Exception):
    """A range that begins where the object has ended."""


def _found(path: str, answer: Mapping[str, Any], size_bytes: int) -> Found:
    mark = answer.get("ETag", "")
    return Found(path, size_bytes, nanoseconds(answer["LastModified"]), mark, strong=bool(mark))
