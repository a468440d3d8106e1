"""A store whose files a web server hands out: read-only, and by name alone.

Nothing of datacat runs on the server. Names of everything but registrations are computed, so that
no listing is needed to look at a store and to pull from it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from email.utils import parsedate_to_datetime
from urllib.parse import quote

import aiohttp
from yarl import URL

from datacat.address import Address
from datacat.backend.base import Stat
from datacat.backend.bridge import Bridge
from datacat.backend.keys import checked_key, checked_prefix
from datacat.backend.read_only import ReadOnlyBackend
from datacat.errors import (
    DatacatError,
    NoStore,
    StorageDenied,
    StorageError,
    StorageMissing,
    StorageTransient,
)

CONNECT_SECONDS = 5
SILENT_SECONDS = 20
"""A server that says nothing for so long is given up."""

CONNECTIONS = 32


class WebBackend(ReadOnlyBackend):
    """`https://host/folder`. Let in by `~/.netrc`, through the proxies of the environment."""

    reason = "a web server takes no files"

    def __init__(self, address: Address, bridge: Bridge) -> None:
        from fsspec.implementations.http import HTTPFileSystem

        url = f"{address.scheme}://{address.host}/{address.path}".rstrip("/")
        super().__init__(url, bridge)
        # What was typed as `%20` stays so, and `#` is a character of a folder's name.
        self._root = str(URL(url.replace("#", "%23")))
        self._files = HTTPFileSystem(
            client_kwargs={
                "trust_env": True,
                "auto_decompress": False,
                "headers": {"Accept-Encoding": "identity", "User-Agent": "datacat"},
                "timeout": aiohttp.ClientTimeout(
                    total=None, sock_connect=CONNECT_SECONDS, sock_read=SILENT_SECONDS
                ),
            },
            use_listings_cache=False,
            skip_instance_cache=True,
        )

    async def _get(self, key: str, offset: int, length: int | None) -> bytes:
        end = "" if length is None else str(offset + length - 1)
        asked = None if length is None and not offset else f"bytes={offset}-{end}"
        async with self._asking(key, asked) as answer:
            if answer.status == 416:
                return b""
            if answer.status == 206:
                data = await answer.read()
                if length is not None and len(data) > length:
                    raise StorageError(f"{self.url}: its server gives more than was asked for")
                return data
            return await _part(answer, offset, length)

    def stat(self, key: str) -> Stat | None:
        return self._bridge.run(self._stat(checked_key(key)))

    async def _stat(self, key: str) -> Stat | None:
        # By asking for the first byte: not every server answers HEAD like GET.
        try:
            async with self._asking(key, "bytes=0-0") as answer:
                size = answer.content_length
                if answer.status in (206, 416):
                    total = answer.headers.get("Content-Range", "").rpartition("/")[2]
                    size = int(total) if total.isdecimal() else None
                elif size is None:
                    # It sends all of it without saying how much that is.
                    size = sum([len(step) async for step in answer.content.iter_any()])
                modified = _time_ns(answer.headers.get("Last-Modified"))
        except StorageMissing:
            return None
        if size is None:
            raise StorageError(f"{self.url}: its server does not say how large {key} is")
        return Stat(key, size, modified)

    def keys(self, prefix: str, *, after: str = "") -> Iterator[Stat]:
        del after
        checked_prefix(prefix)
        raise StorageDenied(
            f"{self.url} cannot be listed: a web server only gives what is asked for by name",
            kind="not_listed",
            hint="Do this where the store is, or where it can be reached by s3, gs, az or sftp.",
        )

    @asynccontextmanager
    async def _asking(self, key: str, part: str | None) -> AsyncIterator[aiohttp.ClientResponse]:
        target = URL(f"{self._root}/{quote(key)}", encoded=True)
        headers = {"Range": part} if part else {}
        try:
            session = await self._files.set_session()
            async with session.get(target, headers=headers) as answer:
                self._check(answer, key)
                yield answer
        except DatacatError:
            raise
        except aiohttp.ClientConnectorCertificateError:
            raise NoStore(
                f"the server of {self.url} has no certificate that this machine trusts",
                kind="store_unreachable",
            ) from None
        except (aiohttp.InvalidURL, aiohttp.TooManyRedirects) as error:
            raise StorageError(f"{self.url}: {type(error).__name__}") from None
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            # Not chained: its text holds the URL, also one that the server sent us on to.
            raise StorageTransient(
                f"{self.url}: {_what_happened(error)}", hint="Try again."
            ) from None

    def _check(self, answer: aiohttp.ClientResponse, key: str) -> None:
        status = answer.status
        where = f"{key} in {self.url}"
        if status in (404, 410):
            raise StorageMissing(f"{key} is not in the store")
        if status in (401, 403, 407):
            raise StorageDenied(
                f"not permitted: the server answered {status} for {where}",
                hint="It may need ~/.netrc.",
            )
        if status in (408, 425, 429) or status >= 500:
            raise StorageTransient(f"{where}: the server answered {status}", hint="Try again.")
        if status not in (200, 206, 416):
            raise StorageError(f"{where}: the server answered {status}")
        if "html" in answer.headers.get("Content-Type", ""):
            # Neither a file of a store nor its absence: say, the page to log in at.
            raise StorageDenied(f"the server answers with a web page for {where}")
        if answer.headers.get("Content-Encoding", "identity") != "identity":
            raise StorageError(f"{where}: the server compresses what it should give as it is")


async def _part(answer: aiohttp.ClientResponse, offset: int, length: int | None) -> bytes:
    """Bytes of an answer that holds the whole file: what comes before is passed over."""
    wanted = None if length is None else offset + length
    found, position = bytearray(), 0
    async for step in answer.content.iter_any():
        found += step[max(0, offset - position) :]
        position += len(step)
        if wanted is not None and position >= wanted:
            break
    return bytes(found[:length])


def _time_ns(text: str | None) -> int:
    """When a file was written, 0 where that is not told."""
    try:
        return int(parsedate_to_datetime(text).timestamp()) * 1_000_000_000 if text else 0
    except (ValueError, OverflowError):
        return 0


def _what_happened(error: BaseException) -> str:
    if isinstance(error, aiohttp.ClientConnectorError):
        return "its server cannot be reached"
    if isinstance(error, TimeoutError):
        return "its server did not answer in time"
    return "the connection broke"
