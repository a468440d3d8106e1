"""S3 and what speaks like it, through s3fs: who we are comes from where AWS's own tools look.

Each method is one request, with `If-None-Match: *` where nothing may be overwritten. Nothing below
repeats a request or keeps a listing: whether a reply that was lost may be asked for again is
decided above, where it is known what was asked.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from datacat.address import Address
from datacat.backend.base import AgingRule, Stat
from datacat.backend.bucket import PartsBucket
from datacat.backend.s3_body import Body, sign_by_known_digests
from datacat.backend.s3_errors import EXPECTED, code_of, storage_error
from datacat.backend.s3_rules import aging_rules
from datacat.errors import StorageError, StorageMissing

CONNECTIONS = 64
"""s3fs's own 10 is two to three times slower at a distance of 20 ms."""

CONNECT_SECONDS = 5
SILENT_SECONDS = 20
"""A server that says nothing for so long is given up."""

SLOWEST_BYTES_PER_SECOND = 128 * 1024
"""A request may take `SILENT_SECONDS` and the time that its bytes take at this speed."""

PART_BYTES_MAX = 5 * 1024 * 1024 * 1024
"""The largest part that S3 takes, and so the longest that a request can be about."""

PAGE_KEYS = 1_000

_DIGESTED_AT_ONCE_BYTES = 64 * 1024
"""What is not worth another thread."""


class S3Bucket(PartsBucket):
    """`s3://bucket/prefix`. Options: `endpoint`, `profile`, `region`, `anonymous`.

    Nothing is asked of the server, and no profile is read, before the first request.
    """

    part_bytes_min = 5 * 1024 * 1024
    parts_max = 10_000

    def __init__(self, address: Address, options: Mapping[str, str]) -> None:
        from s3fs import S3FileSystem

        self._bucket = address.host
        self._prefix = f"{address.path}/" if address.path else ""
        self.url = f"s3://{address.host}/{address.path}".rstrip("/")
        self._options = options
        self._client: Any = None
        self._files = S3FileSystem(
            anon=options.get("anonymous") == "true",
            profile=options.get("profile"),
            endpoint_url=options.get("endpoint"),
            client_kwargs={"region_name": options["region"]} if "region" in options else {},
            config_kwargs={
                "max_pool_connections": CONNECTIONS,
                "connect_timeout": CONNECT_SECONDS,
                "read_timeout": SILENT_SECONDS,
                "retries": {"total_max_attempts": 1, "mode": "standard"},
                # Every byte is checked against its own digest anyway, and not every server that
                # speaks S3 knows the newer checksums.
                "request_checksum_calculation": "when_required",
                "response_checksum_validation": "when_required",
            },
            use_listings_cache=False,
            skip_instance_cache=True,
        )

    async def identity(self) -> str:
        async with self._asking("nothing", "") as client:
            return f"{client.meta.endpoint_url} {self.url}"

    async def check(self) -> None:
        await self._page("", after="", limit=1)

    async def get(self, key: str, *, offset: int, length: int | None) -> bytes:
        try:
            async with self._asking("GetObject", key) as client:
                answer = await client.get_object(
                    Bucket=self._bucket,
                    Key=self._prefix + key,
                    **_range(offset, length),
                )
                async with answer["Body"] as body:
                    data: bytes = await body.read()
                    return data
        except _BeyondTheEnd:
            return b""

    async def head(self, key: str) -> Stat | None:
        try:
            async with self._asking("HeadObject", key) as client:
                answer = await client.head_object(Bucket=self._bucket, Key=self._prefix + key)
        except StorageMissing:
            # The answer to HEAD has no text: whether the key or the whole bucket is missing is
            # only said to who asks for bytes.
            try:
                await self.get(key, offset=0, length=1)
            except StorageMissing:
                return None
            return await self.head(key)
        return _stat(key, answer["ContentLength"], answer["LastModified"])

    async def put(self, key: str, body: bytes, *, only_new: bool) -> bool:
        condition = {"IfNoneMatch": "*"} if only_new else {}
        sent = await _body(body)
        try:
            async with self._asking("PutObject", key, len(body)) as client:
                await client.put_object(
                    Bucket=self._bucket,
                    Key=self._prefix + key,
                    Body=sent,
                    ContentLength=len(body),
                    **condition,
                )
        except _Refused:
            return False
        return True

    async def page(self, prefix: str, *, after: str) -> Sequence[Stat]:
        return await self._page(prefix, after=after, limit=PAGE_KEYS)

    async def _page(self, prefix: str, *, after: str, limit: int) -> Sequence[Stat]:
        # Some servers take a start before the prefix for one beyond it.
        begin = {"StartAfter": self._prefix + after} if after > prefix else {}
        if after > prefix and not after.startswith(prefix):
            return []
        async with self._asking("ListBucket", prefix) as client:
            answer = await client.list_objects_v2(
                Bucket=self._bucket, Prefix=self._prefix + prefix, MaxKeys=limit, **begin
            )
        return [
            _stat(found["Key"][len(self._prefix) :], found["Size"], found["LastModified"])
            for found in answer.get("Contents", ())
        ]

    async def delete(self, key: str) -> None:
        async with self._asking("DeleteObject", key) as client:
            await client.delete_object(Bucket=self._bucket, Key=self._prefix + key)

    async def begin(self, key: str) -> str:
        async with self._asking("PutObject", key) as client:
            answer = await client.create_multipart_upload(
                Bucket=self._bucket, Key=self._prefix + key
            )
        return str(answer["UploadId"])

    async def put_part(self, key: str, upload: str, number: int, body: bytes) -> str:
        sent = await _body(body)
        async with self._asking("PutObject", key, len(body)) as client:
            answer = await client.upload_part(
                Bucket=self._bucket,
                Key=self._prefix + key,
                UploadId=upload,
                PartNumber=number,
                Body=sent,
                ContentLength=len(body),
            )
        return str(answer["ETag"])

    async def complete(self, key: str, upload: str, receipts: Sequence[str]) -> bool:
        parts = [{"ETag": tag, "PartNumber": n} for n, tag in enumerate(receipts, start=1)]
        try:
            async with self._asking("PutObject", key) as client:
                await client.complete_multipart_upload(
                    Bucket=self._bucket,
                    Key=self._prefix + key,
                    UploadId=upload,
                    MultipartUpload={"Parts": parts},
                    IfNoneMatch="*",
                )
        except _Refused:
            return False
        return True

    async def abandon(self, key: str, upload: str) -> None:
        async with self._asking("AbortMultipartUpload", key) as client:
            await client.abort_multipart_upload(
                Bucket=self._bucket, Key=self._prefix + key, UploadId=upload
            )

    async def aging_rules(self) -> Sequence[AgingRule] | None:
        try:
            async with self._asking("GetLifecycleConfiguration", "") as client:
                answer = await client.get_bucket_lifecycle_configuration(Bucket=self._bucket)
        except StorageMissing:
            return []
        except StorageError:
            return None  # to look at the rules is a permission of its own
        return aging_rules(answer.get("Rules", ()), self._prefix)

    @asynccontextmanager
    async def _asking(self, action: str, key: str, size_bytes: int = 0) -> AsyncIterator[Any]:
        """s3fs's client for one request that needs the permission `s3:<action>`.

        Raises `_Refused` for a condition that does not hold, else what `Bucket` says.
        """
        known = min(size_bytes, PART_BYTES_MAX)
        seconds = SILENT_SECONDS + CONNECT_SECONDS + known / SLOWEST_BYTES_PER_SECOND
        try:
            async with asyncio.timeout(seconds):
                await self._files.set_session()
                client = await self._files.get_s3(self._bucket)
                if client is not self._client:
                    sign_by_known_digests(client)
                    self._client = client
                yield client
        except EXPECTED as error:
            status, code = code_of(error)
            if status == 412:
                raise _Refused from None
            if status == 416:
                raise _BeyondTheEnd from None
            # Not chained: the text of an error below may hold a URL with a password, or a key.
            raise storage_error(
                error, status=status, code=code, url=self.url, key=key, action=action
            ) from None


class _Refused(Exception):
    """A condition did not hold: the key is there."""


class _BeyondTheEnd(Exception):
    """A range that begins where the key has ended."""


async def _body(data: bytes) -> Body:
    if len(data) < _DIGESTED_AT_ONCE_BYTES:
        return Body(data)
    return await asyncio.to_thread(Body, data)


def _range(offset: int, length: int | None) -> dict[str, str]:
    """The bytes to ask for; nothing at all where everything is wanted."""
    if length is None:
        return {"Range": f"bytes={offset}-"} if offset else {}
    return {"Range": f"bytes={offset}-{offset + length - 1}"}


def _stat(key: str, size_bytes: int, modified: Any) -> Stat:
    return Stat(key, size_bytes, int(modified.timestamp() * 1e9))
