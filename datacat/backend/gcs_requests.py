"""One request to Google Cloud Storage: who we are, where to, how long, and what an error means.

Who we are comes from Google's Application Default Credentials and from nowhere else; gcsfs finds
them and keeps them fresh. A server without TLS is an emulator, and is told nothing of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, TypedDict, Unpack
from urllib.parse import quote, urlencode

import aiohttp
from yarl import URL

from datacat.backend.gcs_errors import EXPECTED, connection_error, no_such_bucket, refusal
from datacat.backend.waiting_thread import in_thread
from datacat.errors import DatacatError, NoStore

CONNECT_SECONDS = 5
SILENT_SECONDS = 20
"""A server that says nothing for so long is given up."""

SLOWEST_BYTES_PER_SECOND = 128 * 1024
"""A request may take `SILENT_SECONDS` and the time that its bytes take at this speed."""

_TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS, sock_read=SILENT_SECONDS)


class Details(TypedDict, total=False):
    """What a request may have besides its path, as `GcsRequests.asking` takes it."""

    headers: Mapping[str, str] | None
    body: AsyncIterator[bytes] | None
    size_bytes: int | None
    key: str
    permission: str


class GcsRequests:
    """Requests about the place that `url` names to people. For one event loop.

    Nothing below repeats a request: whether it may be asked again is decided above. An `endpoint`
    is used instead of Google's own, or of the one in `STORAGE_EMULATOR_HOST`.
    """

    def __init__(self, url: str, *, endpoint: str | None = None, anonymous: bool = False) -> None:
        self._url = url
        self._given = endpoint
        self._files = self._made("anon")
        self.endpoint = str(self._files._location).rstrip("/")
        self._is_known = anonymous or not self.endpoint.startswith("https://")
        self._finding_out = asyncio.Lock()

    def _made(self, token: str) -> Any:
        from gcsfs.core import GCSFileSystem

        return GCSFileSystem(
            token=token,
            access="read_write",
            endpoint_url=self._given,
            use_listings_cache=False,
            skip_instance_cache=True,
        )

    @staticmethod
    def quoted(name: str) -> str:
        """A name of a bucket or an object as one part of a path."""
        return quote(name, safe="")

    async def answer(
        self, method: str, path: str, asked: Mapping[str, str], **details: Unpack[Details]
    ) -> bytes:
        """The body of the answer to one request. Raises as `asking`."""
        async with self.asking(method, path, asked, **details) as answer:
            return await answer.read()

    @asynccontextmanager
    async def asking(
        self,
        method: str,
        path: str,
        asked: Mapping[str, str],
        *,
        headers: Mapping[str, str] | None = None,
        body: AsyncIterator[bytes] | None = None,
        size_bytes: int | None = 0,
        key: str = "",
        permission: str = "",
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """The answer to one request. `size_bytes`: what is sent or asked for, if known.

        Raises `ConditionRefusedError`, `BeyondTheEndError`, `StorageMissing` (of what `path` names,
        or of the bucket), and what else `Bucket` says.
        """
        # Keys hold `%`, `+` and `?`, which mean themselves.
        target = URL(f"{self.endpoint}{path}?{urlencode(asked, quote_via=quote)}", encoded=True)
        seconds = None
        if size_bytes is not None:
            seconds = CONNECT_SECONDS + SILENT_SECONDS + size_bytes / SLOWEST_BYTES_PER_SECOND
        try:
            async with asyncio.timeout(seconds):
                files = await self._known()
                # In a thread: credentials that are about to expire are renewed by a request.
                signed = await in_thread(lambda: files._get_headers(dict(headers or {})))
                session = await files._set_session()
                async with session.request(
                    method,
                    target,
                    headers=signed,
                    data=body,
                    timeout=_TIMEOUT,
                    auto_decompress=False,
                    skip_auto_headers=("Accept-Encoding",),
                ) as answer:
                    if answer.status >= 400:
                        text = await answer.read()
                        raise refusal(
                            answer.status, text, url=self._url, key=key, permission=permission
                        )
                    yield answer
        except DatacatError:
            raise
        except EXPECTED as error:
            # Not chained: the text of an error below may hold a URL, or a part of a token.
            raise connection_error(error, self._url) from None

    async def _known(self) -> Any:
        """gcsfs with our credentials, which are looked for once."""
        async with self._finding_out:
            if not self._is_known:
                self._files = await in_thread(lambda: self._made("google_default"))
                self._is_known = True
        return self._files

    def no_such_bucket(self) -> NoStore:
        """The error for a bucket that is not there."""
        return no_such_bucket(self._url)
