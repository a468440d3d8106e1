"""Files in a bucket of Google Cloud Storage: let in by Application Default Credentials."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Any

import aiohttp

from datacat.backend.gcs_errors import BeyondTheEndError, ConditionRefusedError
from datacat.backend.gcs_requests import GcsRequests
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

_FIELDS = "name,size,updated,generation"
_AS_STORED = {"Accept-Encoding": "gzip"}
"""Else Google decompresses what was uploaded with a mark that it is compressed."""


class GcsProvider(Provider):
    """`gs://bucket/folder` or `gs://bucket/file`. A key is taken as it is: `%20` means itself."""

    def __init__(self, url: str) -> None:
        self._bucket, key = bucket_and_key(url)
        self._key = key.rstrip("/")
        self._is_folder = key != self._key or not key
        self.secret_url = url
        self.url = f"gs://{self._bucket}/{key}".rstrip("/")
        self.stem = stem_of(url)
        self._requests = GcsRequests(self.url)

    async def listing(self) -> AsyncIterator[Sequence[Found]]:
        if not self._is_folder:
            try:
                found = await again(lambda: self._look(""))
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
            entries = answer.get("items", ())
            # What ends with a slash stands for a folder, and holds nothing.
            page = [
                _described(entry["name"][len(prefix) :], entry)
                for entry in entries
                if not entry["name"].endswith("/")
            ]
            any_found = any_found or bool(entries)
            if page:
                yield page
            if not (token := answer.get("nextPageToken")):
                break
            after = {"pageToken": token}
        if not any_found:
            raise StorageMissing(f"{self.url} is not there")

    async def _page(self, prefix: str, after: Mapping[str, str]) -> Mapping[str, Any]:
        fields = f"items({_FIELDS}),nextPageToken"
        asked = {"prefix": prefix, "fields": fields, "maxResults": "1000", **after}
        path = f"/storage/v1/b/{self._requests.quoted(self._bucket)}/o"
        try:
            async with self._asking(path, asked, permission="storage.objects.list") as answer:
                page: Mapping[str, Any] = json.loads(await answer.read())
                return page
        except StorageMissing:
            # An empty folder has an answer: only a bucket can be missing.
            raise of_provider(self._requests.no_such_bucket(), self.url) from None

    async def _look(self, path: str) -> Found:
        async with self._asking(self._place(path), {"fields": _FIELDS}, key=path) as answer:
            return _described(path, json.loads(await answer.read()))

    async def fetch(self, path: str, limit_bytes: int) -> Content | None:
        async with self._bytes(path, {}, {}, limit_bytes) as answer:
            if (answer.content_length or 0) > limit_bytes:
                return None
            data = await answer.read()
            return Content(data, _of_bytes(path, answer, len(data)))

    async def open(self, path: str) -> Reading:
        first, found = await self._range(path, 0, BLOCK_BYTES, None)

        async def more(offset: int, length: int) -> bytes:
            return (await self._range(path, offset, length, found))[0]

        return PartedReading(found, first, more)

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
        key = "/".join(part for part in (self._key, path) if part)
        quoted = self._requests.quoted
        return f"/storage/v1/b/{quoted(self._bucket)}/o/{quoted(key)}"

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
    return Found(path, int(entry["size"]), _ns(modified), mark, strong=True)


def _of_bytes(path: str, answer: aiohttp.ClientResponse, size_bytes: int) -> Found:
    """What comes along with bytes."""
    modified = _ns(parsedate_to_datetime(answer.headers["Last-Modified"]))
    return Found(path, size_bytes, modified, answer.headers["X-Goog-Generation"], strong=True)


def _ns(moment: datetime) -> int:
    return int(moment.timestamp()) * 1_000_000_000
