"""Azure Blob Storage through adlfs: who we are comes from where Azure's own tools look.

Each method is one request, with `If-None-Match: *` where nothing may be overwritten, and with the
library's own retries switched off.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

from azure.core import MatchConditions
from azure.storage.blob import BlobBlock

from datacat.address import Address
from datacat.backend.azure_errors import EXPECTED, TAKEN, code_of, storage_error
from datacat.backend.base import Stat
from datacat.backend.bucket import PartsBucket
from datacat.errors import NoStore, StorageMissing

CONNECT_SECONDS = 5
SILENT_SECONDS = 20
SLOWEST_BYTES_PER_SECOND = 128 * 1024
"""A request may take `SILENT_SECONDS` and the time that its bytes take at this speed."""

PAGE_KEYS = 1_000
_CALL = {
    "retry_total": 0,
    "connection_timeout": CONNECT_SECONDS,
    "read_timeout": SILENT_SECONDS,
}


class AzureBucket(PartsBucket):
    """`az://container/prefix`. Options: `account`, `anonymous`."""

    part_bytes_min = 1
    parts_max = 50_000

    def __init__(self, address: Address, options: Mapping[str, str]) -> None:
        from adlfs import AzureBlobFileSystem

        self._prefix = f"{address.path}/" if address.path else ""
        self.url = f"az://{address.host}/{address.path}".rstrip("/")
        self._container = address.host
        self._next: tuple[tuple[str, str], str] | None = None
        account = {"account_name": options["account"]} if "account" in options else {}
        try:
            self._files = AzureBlobFileSystem(
                anon=True if options.get("anonymous") == "true" else None,
                use_listings_cache=False,
                skip_instance_cache=True,
                **account,
            )
        except ValueError:
            raise NoStore(
                f"no account for {self.url} was found",
                kind="no_credentials",
                hint="Set AZURE_STORAGE_CONNECTION_STRING, or name the account and log in.",
                commands=["datacat config set store_options.account NAME", "az login"],
            ) from None

    async def identity(self) -> str:
        account = str(self._files.service_client.primary_hostname)
        return f"{account} {self._files.service_client.account_name} {self.url}"

    async def check(self) -> None:
        await self._page("", marker=None, limit=1)

    async def get(self, key: str, *, offset: int, length: int | None) -> bytes:
        async with self._asking(key) as container:
            blob = container.get_blob_client(self._prefix + key)
            try:
                answer = await blob.download_blob(
                    offset=offset, length=length, max_concurrency=1, **_CALL
                )
            except EXPECTED as error:
                if code_of(error)[0] == 416:
                    return b""
                raise
            data: bytes = await answer.readall()
            return data

    async def head(self, key: str) -> Stat | None:
        try:
            async with self._asking(key) as container:
                blob = container.get_blob_client(self._prefix + key)
                found = await blob.get_blob_properties(**_CALL)
        except StorageMissing:
            return None
        return _stat(key, found)

    async def put(self, key: str, body: bytes, *, only_new: bool) -> bool:
        try:
            async with self._asking(key, len(body)) as container:
                blob = container.get_blob_client(self._prefix + key)
                await blob.upload_blob(body, overwrite=not only_new, max_concurrency=1, **_CALL)
        except _Refused:
            return False
        return True

    async def page(self, prefix: str, *, after: str) -> Sequence[Stat]:
        """Azure cannot start after a key: the place where the last page ended is remembered."""
        known = self._next[1] if self._next and self._next[0] == (prefix, after) else None
        marker = known
        while True:
            found, marker = await self._page(prefix, marker=marker, limit=PAGE_KEYS)
            beyond = [stat for stat in found if stat.key > after]
            if beyond and marker:
                self._next = ((prefix, beyond[-1].key), marker)
            if beyond or not marker:
                return beyond

    async def _page(
        self, prefix: str, *, marker: str | None, limit: int
    ) -> tuple[list[Stat], str | None]:
        async with self._asking(prefix) as container:
            listing = container.list_blobs(
                name_starts_with=self._prefix + prefix, results_per_page=limit, **_CALL
            )
            pages = listing.by_page(continuation_token=marker)
            async for page in pages:
                found = [_stat(blob.name[len(self._prefix) :], blob) async for blob in page]
                return found, pages.continuation_token or None
        return [], None

    async def delete(self, key: str) -> None:
        with suppress(StorageMissing):
            async with self._asking(key) as container:
                await container.get_blob_client(self._prefix + key).delete_blob(**_CALL)

    async def begin(self, key: str) -> str:
        """Nothing to begin: parts wait under the key itself until they are put together."""
        return key

    async def put_part(self, key: str, upload: str, number: int, body: bytes) -> str:
        del upload
        receipt = base64.b64encode(f"{number:08d}".encode()).decode()
        async with self._asking(key, len(body)) as container:
            blob = container.get_blob_client(self._prefix + key)
            await blob.stage_block(receipt, body, **_CALL)
        return receipt

    async def complete(self, key: str, upload: str, receipts: Sequence[str]) -> bool:
        del upload
        try:
            async with self._asking(key) as container:
                blob = container.get_blob_client(self._prefix + key)
                await blob.commit_block_list(
                    [BlobBlock(block_id=receipt) for receipt in receipts],
                    match_condition=MatchConditions.IfMissing,
                    **_CALL,
                )
        except _Refused:
            return False
        return True

    async def abandon(self, key: str, upload: str) -> None:
        """Azure itself removes parts that nobody puts together within a week."""

    @asynccontextmanager
    async def _asking(self, key: str, size_bytes: int = 0) -> AsyncIterator[Any]:
        """The container's client for one request. Raises `_Refused`, else what `Bucket` says."""
        seconds = CONNECT_SECONDS + SILENT_SECONDS + size_bytes / SLOWEST_BYTES_PER_SECOND
        try:
            async with asyncio.timeout(seconds):
                yield self._files.service_client.get_container_client(self._container)
        except EXPECTED as error:
            if code_of(error)[1] in TAKEN:
                raise _Refused from None
            # Not chained: the text of an error below may hold a signed URL.
            raise storage_error(error, url=self.url, key=key) from None


class _Refused(Exception):
    """A condition did not hold: the key is there."""


def _stat(key: str, found: Any) -> Stat:
    return Stat(key, found.size, int(found.last_modified.timestamp() * 1e9))
