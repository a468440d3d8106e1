"""Files in a bucket of S3, through s3fs: let in as the `aws` command is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from datacat.backend.s3 import CONNECT_SECONDS, CONNECTIONS, SILENT_SECONDS
from datacat.backend.s3_errors import EXPECTED, code_of, storage_error
from datacat.errors import DatacatError, StorageMissing
from datacat.providers.address import bucket_and_key, stem_of
from datacat.providers.base import (
    BLOCK_BYTES,
    Content,
    Found,
    PartedReading,
    Provider,
    ProviderChangedError,
    Reading,
    again,
)
from datacat.providers.errors import of_provider

SLOWEST_BYTES_PER_SECOND = 128 * 1024
"""A request may take `SILENT_SECONDS` and the time that its bytes take at this speed."""


class S3Provider(Provider):
    """`s3://bucket/folder` or `s3://bucket/file`. A key is taken as it is: `%20` means itself."""

    def __init__(self, url: str) -> None:
        from s3fs import S3FileSystem

        self._bucket, key = bucket_and_key(url)
        self._key = key.rstrip("/")
        self._is_folder = key != self._key or not key
        self.secret_url = url
        self.url = f"s3://{self._bucket}/{key}".rstrip("/")
        self.stem = stem_of(url)
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

    async def listing(self) -> AsyncIterator[Sequence[Found]]:
        if not self._is_folder:
            try:
                found = await again(lambda: self._head_of(""))
            except StorageMissing:
                pass
            else:
                yield [found]
                return
        prefix = f"{self._key}/" if self._key else ""
        after: dict[str, str] = {}
        any_found = False
        while True:
            answer = await again(partial(self._page, prefix, after))
            page = [
                Found(
                    path=entry["Key"][len(prefix) :],
                    size_bytes=entry["Size"],
                    modified_ns=_ns(entry["LastModified"]),
                    mark=entry.get("ETag", ""),
                    strong=bool(entry.get("ETag")),
                )
                # What ends with a slash stands for a folder, and holds nothing.
                for entry in answer.get("Contents", ())
                if not entry["Key"].endswith("/")
            ]
            any_found = any_found or bool(answer.get("Contents"))
            if page:
                yield page
            if not answer.get("IsTruncated"):
                break
            after = {"ContinuationToken": answer["NextContinuationToken"]}
        if not any_found:
            raise StorageMissing(f"{self.url} is not there")

    async def fetch(self, path: str, limit_bytes: int) -> Content | None:
        key = self._full(path)
        async with self._asking("GetObject", key, limit_bytes) as client:
            answer = await client.get_object(Bucket=self._bucket, Key=key)
            async with answer["Body"] as body:
                if answer["ContentLength"] > limit_bytes:
                    return None
                data: bytes = await body.read()
        return Content(data, _found(path, answer, answer["ContentLength"]))

    async def open(self, path: str) -> Reading:
        first, found = await self._range(path, 0, BLOCK_BYTES, None)

        async def more(offset: int, length: int) -> bytes:
            return (await self._range(path, offset, length, found))[0]

        return PartedReading(found, first, more)

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
            return b"", await self._head_of(path)
        total = int(answer["ContentRange"].rpartition("/")[2])
        found = _found(path, answer, total)
        if expected is not None and not expected.is_same(found):
            raise ProviderChangedError
        return data, found

    async def _page(self, prefix: str, after: Mapping[str, str]) -> Mapping[str, Any]:
        async with self._asking("ListBucket", "") as client:
            answer: Mapping[str, Any] = await client.list_objects_v2(
                Bucket=self._bucket, Prefix=prefix, MaxKeys=1_000, **after
            )
            return answer

    async def _head_of(self, path: str) -> Found:
        key = self._full(path)
        async with self._asking("HeadObject", key) as client:
            answer = await client.head_object(Bucket=self._bucket, Key=key)
        return _found(path, answer, answer["ContentLength"])

    def _full(self, path: str) -> str:
        return "/".join(part for part in (self._key, path) if part)

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


def _found(path: str, answer: dict[str, Any], size_bytes: int) -> Found:
    mark = answer.get("ETag", "")
    return Found(path, size_bytes, _ns(answer["LastModified"]), mark, strong=bool(mark))


def _ns(moment: Any) -> int:
    return int(moment.timestamp()) * 1_000_000_000
