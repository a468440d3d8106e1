"""Files in a bucket of Google Cloud Storage: let in by Application Default Credentials."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

import aiohttp

from datacat.backend.gcs_errors import BeyondTheEndError, ConditionRefusedError
from datacat.backend.gcs_requests import GcsRequests
from datacat.errors import DatacatError, StorageMissing
from datacat.providers.base import Content, Found, ProviderChangedError
from datacat.providers.bucket import BucketProvider, Page, nanoseconds
from datacat.providers.errors import of_provider

_FIELDS = "name,size,updated,generation"
_AS_STORED = {"Accept-Encoding": "gzip"}
"""Else Google decompresses what was uploaded with a mark that it is compressed."""


class GcsProvider(BucketProvider):
    """`gs://bucket/folder` or `gs://bucket/file`."""

    scheme = "gs"

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self._requests = GcsRequests(self.url)

    async def _page(self, prefix: str, after: Mapping[str, str]) -> Page:
        fields = f"items({_FIELDS}),nextPageToken"
        asked = {"prefix": prefix, "fields": fields, "maxResults": "1000", **after}
        path = f"/storage/v1/b/{self._requests.quoted(self._bucket)}/o"
        try:
            async with self._asking(path, asked, permission="storage.objects.list") as answer:
                page: Mapping[str, Any] = json.loads(await answer.read())
        except StorageMissing:
            # An empty folder has an answer: only a bucket can be missing.
            raise of_provider(self._requests.no_such_bucket(), self.url) from None
        found = [_described(one["name"][len(prefix) :], one) for one in page.get("items", ())]
        token = page.get("nextPageToken")
        return Page(found, {"pageToken": token} if token else {})

    async def _look(self, path: str) -> Found:
        async with self._asking(self._place(path), {"fields": _FIELDS}, key=path) as answer:
            return _described(path, json.loads(await answer.read()))

    async def fetch(self, path: str, limit_bytes: int) -> Content | None:
        async with self._bytes(path, {}, {}, limit_bytes) as answer:
            if (answer.content_length or 0) > limit_bytes:
                return None
            data = await answer.read()
            return Content(data, _of_bytes(path, answer, len(data)))

    async def _range(
        self, path: str, offset: int, length: int, expected: Found | None
    ) -> tuple[bytes, Found]:
        condition = {"ifGenerationMatch": expected.mark} if expected is not None else {}
        wanted = {"Range": f"bytes={offset}-{offset + length - 1}"}
        try:
            async with self._bytes(path, condition, wanted, length) as answer:
                data = await answer.read()
                total = int(answer.headers["Content-Range"].rpartition("/")[2])
                found = _of_bytes(path, answer, total)
        except BeyondTheEndError:
            return b"", await self._look(path)
        if expected is not None and not expected.is_same(found):
            raise ProviderChangedError
        return data, found

    def _place(self, path: str) -> str:
        quoted = self._requests.quoted
        return f"/storage/v1/b/{quoted(self._bucket)}/o/{quoted(self._full(path))}"

    @asynccontextmanager
    async def _bytes(
        self, path: str, asked: Mapping[str, str], headers: Mapping[str, str], size_bytes: int
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        async with self._asking(
            self._place(path),
            {"alt": "media", **asked},
            headers={**_AS_STORED, **headers},
            size_bytes=size_bytes,
            key=path,
        ) as answer:
            yield answer

    @asynccontextmanager
    async def _asking(
        self,
        place: str,
        asked: Mapping[str, str],
        *,
        headers: Mapping[str, str] | None = None,
        size_bytes: int = 0,
        key: str = "",
        permission: str = "storage.objects.get",
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        try:
            async with self._requests.asking(
                "GET",
                place,
                asked,
                headers=headers,
                size_bytes=size_bytes,
                key=key,
                permission=permission,
            ) as answer:
                yield answer
        except ConditionRefusedError:
            raise ProviderChangedError from None
        except DatacatError as error:
            raise of_provider(error, self.url) from None


def _described(path: str, entry: Mapping[str, Any]) -> Found:
    """What a listing says. The generation of an object is another one after each write."""
    modified = datetime.fromisoformat(entry["updated"])
    mark = str(entry["generation"])
    return Found(path, int(entry["size"]), nanoseconds(modified), mark, strong=True)


def _of_bytes(path: str, answer: aiohttp.ClientResponse, size_bytes: int) -> Found:
    """What comes along with bytes."""
    modified = nanoseconds(parsedate_to_datetime(answer.headers["Last-Modified"]))
    return Found(path, size_bytes, modified, answer.headers["X-Goog-Generation"], strong=True)
