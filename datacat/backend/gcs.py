"""Google Cloud Storage: a bucket, spoken to in single requests of its JSON API.

Each method is one request, with `ifGenerationMatch=0` where nothing may be overwritten. A file of
any size is one upload: Google heeds the condition of that when the last byte has arrived, while
what is put together from parts there would need the right to delete them.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

from datacat.address import Address
from datacat.backend.base import AgingRule, Stat
from datacat.backend.bucket import StreamBucket
from datacat.backend.gcs_errors import BeyondTheEndError, ConditionRefusedError
from datacat.backend.gcs_requests import GcsRequests
from datacat.backend.gcs_rules import aging_rules
from datacat.errors import StorageError, StorageMissing

PAGE_KEYS = 1_000


class GcsBucket(StreamBucket):
    """`gs://bucket/prefix`. Options: `endpoint`, `anonymous`.

    Nothing is asked of anybody, and no credentials are looked for, before the first request.
    """

    condition = "ifGenerationMatch=0"

    def __init__(self, address: Address, options: Mapping[str, str]) -> None:
        self.url = f"gs://{address.host}/{address.path}".rstrip("/")
        self._prefix = f"{address.path}/" if address.path else ""
        self._bucket = address.host
        self._requests = GcsRequests(
            self.url,
            endpoint=options.get("endpoint"),
            anonymous=options.get("anonymous") == "true",
        )
        self._is_there = False
        """The bucket answered once: what is missing from then on is a key."""

    async def identity(self) -> str:
        return f"{self._requests.endpoint} {self.url}"

    async def check(self) -> None:
        await self._listed("", {"maxResults": "1"})

    async def get(self, key: str, *, offset: int, length: int | None) -> bytes:
        end = "" if length is None else str(offset + length - 1)
        headers = {} if length is None and not offset else {"Range": f"bytes={offset}-{end}"}
        try:
            data = await self._of_key(
                "GET", key, {"alt": "media"}, headers=headers, size_bytes=length
            )
        except BeyondTheEndError:
            return b""
        return data

    async def head(self, key: str) -> Stat | None:
        try:
            answer = await self._of_key("GET", key, {"fields": "size,updated"}, size_bytes=0)
        except StorageMissing:
            return None
        return _stat(key, json.loads(answer))

    async def put(self, key: str, body: bytes, *, only_new: bool) -> bool:
        async def steps() -> AsyncIterator[bytes]:
            yield body

        return await self._put(key, len(body), steps(), only_new=only_new)

    async def put_stream(self, key: str, size_bytes: int, steps: AsyncIterator[bytes]) -> bool:
        return await self._put(key, size_bytes, steps, only_new=True)

    async def _put(
        self, key: str, size_bytes: int, steps: AsyncIterator[bytes], *, only_new: bool
    ) -> bool:
        # With the name in a first part: not every server heeds the condition of a bare upload.
        boundary = secrets.token_hex(16)
        named = json.dumps({"name": self._prefix + key})
        before = (
            f"--{boundary}\r\nContent-Type: application/json; charset=UTF-8\r\n\r\n{named}\r\n"
            f"--{boundary}\r\nContent-Type: application/octet-stream\r\n\r\n"
        ).encode()
        after = f"\r\n--{boundary}--\r\n".encode()

        async def body() -> AsyncIterator[bytes]:
            yield before
            async for step in steps:
                yield step
            yield after

        try:
            await self._requests.answer(
                "POST",
                f"/upload/storage/v1/b/{self._quoted}/o",
                {
                    "uploadType": "multipart",
                    "fields": "size",
                    **({"ifGenerationMatch": "0"} if only_new else {}),
                },
                headers={
                    "Content-Type": f"multipart/related; boundary={boundary}",
                    "Content-Length": str(len(before) + size_bytes + len(after)),
                },
                body=body(),
                size_bytes=size_bytes,
                key=key,
                permission="storage.objects.create" + ("" if only_new else " and .delete"),
            )
        except ConditionRefusedError:
            return False
        except StorageMissing:
            raise self._requests.no_such_bucket() from None
        self._is_there = True
        return True

    async def page(self, prefix: str, *, after: str) -> Sequence[Stat]:
        if after > prefix and not after.startswith(prefix):
            return []
        asked = {"maxResults": str(PAGE_KEYS)}
        if after > prefix:
            asked["startOffset"] = self._prefix + after
        while True:
            answer = await self._listed(prefix, asked)
            # What begins at a key holds that key itself.
            found = [
                _stat(entry["name"][len(self._prefix) :], entry)
                for entry in answer.get("items", ())
                if entry["name"][len(self._prefix) :] > after
            ]
            token = answer.get("nextPageToken")
            if found or not token:
                return found
            asked = {**asked, "pageToken": token}

    async def _listed(self, prefix: str, asked: Mapping[str, str]) -> Mapping[str, Any]:
        try:
            answer = await self._requests.answer(
                "GET",
                f"/storage/v1/b/{self._quoted}/o",
                {
                    "prefix": self._prefix + prefix,
                    "fields": "items(name,size,updated),nextPageToken",
                    **asked,
                },
                key=prefix,
                permission="storage.objects.list",
            )
        except StorageMissing:
            raise self._requests.no_such_bucket() from None
        self._is_there = True
        listed: Mapping[str, Any] = json.loads(answer)
        return listed

    async def delete(self, key: str) -> None:
        with suppress(StorageMissing):
            await self._of_key("DELETE", key, {}, permission="storage.objects.delete")

    async def aging_rules(self) -> Sequence[AgingRule] | None:
        try:
            answer = await self._requests.answer(
                "GET",
                f"/storage/v1/b/{self._quoted}",
                {"fields": "lifecycle"},
                permission="storage.buckets.get",
            )
        except StorageError:
            return None  # to look at the rules is a permission of its own
        rules = json.loads(answer).get("lifecycle", {}).get("rule", ())
        return aging_rules(rules, self._prefix)

    async def _of_key(
        self,
        method: str,
        key: str,
        asked: Mapping[str, str],
        *,
        headers: Mapping[str, str] | None = None,
        size_bytes: int | None = 0,
        permission: str = "storage.objects.get",
    ) -> bytes:
        """The answer to a request about one key. Raises `StorageMissing` for a missing key only."""
        try:
            data = await self._requests.answer(
                method,
                f"/storage/v1/b/{self._quoted}/o/{self._requests.quoted(self._prefix + key)}",
                asked,
                headers=headers,
                size_bytes=size_bytes,
                key=key,
                permission=permission,
            )
        except StorageMissing:
            if not self._is_there:
                # The same answer is given for a bucket that is missing.
                await self.check()
            raise
        self._is_there = True
        return data

    @property
    def _quoted(self) -> str:
        return self._requests.quoted(self._bucket)


def _stat(key: str, entry: Mapping[str, Any]) -> Stat:
    modified = datetime.fromisoformat(entry["updated"])
    return Stat(key, int(entry["size"]), int(modified.timestamp() * 1e9))
