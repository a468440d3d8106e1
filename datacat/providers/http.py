"""Files on a web server: one, or those that the page of a folder links to.

Let in as curl is with `--netrc`: by `~/.netrc`, and by what the URL itself holds. Proxies are those
of the environment.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from email.utils import parsedate_to_datetime
from functools import partial
from urllib.parse import unquote, urlsplit

import aiohttp
from yarl import URL

from datacat.errors import DatacatError, Failed, StorageError, StorageMissing, StorageTransient
from datacat.providers.address import bad_url, shown_url, stem_of
from datacat.providers.base import (
    AT_ONCE,
    BLOCK_BYTES,
    Content,
    Found,
    PartedReading,
    Provider,
    ProviderChangedError,
    Reading,
    again,
)
from datacat.providers.errors import denied
from datacat.providers.index_page import links_below

CONNECT_SECONDS = 10
SILENT_SECONDS = 30
"""A server that says nothing for so long is given up; a slow one is not."""

PAGE_BYTES_MAX = 32 * 1024 * 1024
"""A longer page is no listing of a folder."""

FOLDERS_MAX = 100_000
"""Whose pages link to more folders than this links in a circle."""


class HttpProvider(Provider):
    """`https://host/file`, or `https://host/folder/` whose page lists its files."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        if not parts.hostname:
            raise bad_url(parts.scheme, "https://HOST/FILE, or https://HOST/FOLDER/")
        self.secret_url = url
        self.url = shown_url(url)
        self.stem = unquote(stem_of(url))
        # `%2F` and the like stay as they were typed: a signature may be of them.
        self._root = URL(url, encoded=True).with_fragment(None)
        self._session: aiohttp.ClientSession | None = None

    # Listing

    async def listing(self) -> AsyncIterator[Sequence[Found]]:
        if self._root.path.endswith("/"):
            async for page in self._folder():
                yield page
            return
        found, is_folder = await again(lambda: self._look(""))
        if not is_folder:
            yield [found]
            return
        # The server sent us on to the same name with a slash: it is a folder.
        self._root = self._root.with_path(f"{self._root.raw_path}/", encoded=True)
        async for page in self._folder():
            yield page

    async def _folder(self) -> AsyncIterator[Sequence[Found]]:
        pending, seen, any_file = [""], {""}, False
        while pending:
            folder = pending.pop()
            names = await again(partial(self._page, folder))
            inner = [f"{folder}{name}" for name in names if name.endswith("/")]
            files = [f"{folder}{name}" for name in names if not name.endswith("/")]
            for start in range(0, len(files), 1_000):
                paths = files[start : start + 1_000]
                looks = await asyncio.gather(*(again(partial(self._look, path)) for path in paths))
                inner += [f"{found.path}/" for found, is_folder in looks if is_folder]
                if page := [found for found, is_folder in looks if not is_folder]:
                    any_file = True
                    yield page
            pending += [path for path in inner if path not in seen]
            seen.update(inner)
            if len(seen) > FOLDERS_MAX:
                raise Failed(f"the pages of {self.url} have no end", kind="provider_not_listed")
        if not any_file:
            raise Failed(
                f"the page of {self.url} links to no files in that folder",
                kind="provider_not_listed",
                hint="A web server that lists its folders is needed, or the URL of a file.",
            )

    async def _page(self, folder: str) -> list[str]:
        """Names in a folder; those of folders end with a slash. Unquoted, as paths are here."""
        async with self._asking(folder) as answer:
            if "html" not in answer.headers.get("Content-Type", ""):
                raise Failed(
                    f"{self.url} is no page that lists files",
                    kind="provider_not_listed",
                    hint="The URL of a file has no slash at its end.",
                )
            page = await answer.content.read(PAGE_BYTES_MAX)
            base = str(answer.url)
        return links_below(page.decode("utf-8", "replace"), base)

    async def _look(self, path: str) -> tuple[Found, bool]:
        """What a file is, without its bytes; True if it turned out to be a folder.

        By asking for its first byte: many servers answer HEAD with something else, or not at all.
        """
        async with self._asking(path, {"Range": "bytes=0-0"}) as answer:
            return _found(path, answer), _became_folder(self._target(path), answer.url)

    # Reading

    async def fetch(self, path: str, limit_bytes: int) -> Content | None:
        async with self._asking(path) as answer:
            found = _found(path, answer)
            if found.size_bytes is not None and found.size_bytes > limit_bytes:
                return None
            parts: list[bytes] = []
            size = 0
            async for part in answer.content.iter_any():
                parts.append(part)
                size += len(part)
                if size > limit_bytes:
                    return None
        return Content(b"".join(parts), found)

    async def open(self, path: str) -> Reading:
        data, found = await self.part(path, 0, BLOCK_BYTES, None)
        if data is None:
            return await _Streamed.begun(self, path)

        async def more(offset: int, length: int) -> bytes:
            return (await self.part(path, offset, length, found))[0] or b""

        return PartedReading(found, data, more)

    async def part(
        self, path: str, offset: int, length: int, expected: Found | None
    ) -> tuple[bytes | None, Found]:
        """Bytes of a file, None from a server that only gives files as a whole."""
        headers = {"Range": f"bytes={offset}-{offset + length - 1}"}
        if expected is not None and expected.strong:
            headers["If-Match"] = expected.mark
        async with self._asking(path, headers) as answer:
            found = _found(path, answer)
            if expected is not None and not expected.is_same(found):
                raise ProviderChangedError
            if answer.status == 416:
                return b"", found
            if answer.status != 206:
                if expected is not None:
                    raise StorageTransient(f"{self.url}: its server gave more than was asked for")
                return None, found
            return await answer.content.read(-1), found

    # Requests

    @asynccontextmanager
    async def _asking(
        self, path: str, headers: Mapping[str, str] | None = None
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """The answer to one GET. Errors within become those of the library."""
        try:
            async with self._opened().get(self._target(path), headers=headers) as answer:
                self._check(answer, path)
                yield answer
        except (DatacatError, ProviderChangedError):
            raise
        except (aiohttp.InvalidURL, aiohttp.TooManyRedirects) as error:
            raise StorageError(f"{self.url}: {type(error).__name__}") from None
        except aiohttp.ClientConnectorCertificateError:
            raise Failed(
                f"the server of {self.url} has no certificate that this machine trusts",
                kind="provider_unreachable",
            ) from None
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            # Not chained: its text holds the URL, also one that the server sent us on to.
            raise StorageTransient(f"{self.url}: {_what_happened(error)}") from None

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                trust_env=True,  # ~/.netrc and the proxies of the environment
                auto_decompress=False,
                headers={"Accept-Encoding": "identity", "User-Agent": "datacat"},
                connector=aiohttp.TCPConnector(limit=AT_ONCE),
                timeout=aiohttp.ClientTimeout(
                    total=None, sock_connect=CONNECT_SECONDS, sock_read=SILENT_SECONDS
                ),
            )
        return self._session

    def _target(self, path: str) -> URL:
        if not path:
            return self._root
        joined = URL(str(self._root.with_query(None)), encoded=True)
        for name in path.rstrip("/").split("/"):
            joined = joined / name
        return joined.with_path(f"{joined.raw_path}/", encoded=True) if path[-1] == "/" else joined

    def _check(self, answer: aiohttp.ClientResponse, path: str) -> None:
        status = answer.status
        if status in (200, 206, 416):
            return
        if status == 412:
            raise ProviderChangedError
        where = f"{path} of {self.url}" if path else self.url
        if status in (404, 410):
            raise StorageMissing(f"{where} is not there")
        if status in (401, 403, 407):
            raise denied(
                self.url, path, f"its server answered {status}", hint="It may need ~/.netrc."
            )
        if status in (408, 425, 429) or status >= 500:
            raise StorageTransient(f"{where}: the server answered {status}")
        raise StorageError(f"{where}: the server answered {status}")

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None


class _Streamed(Reading):
    """A file that only comes as a whole: one answer, read from its beginning to its end."""

    in_order = True

    def __init__(self, provider: HttpProvider, path: str) -> None:
        self._asked = provider._asking(path)
        self._position = 0

    @classmethod
    async def begun(cls, provider: HttpProvider, path: str) -> _Streamed:
        reading = cls(provider, path)
        reading._answer = await reading._asked.__aenter__()
        reading.found = _found(path, reading._answer)
        return reading

    _answer: aiohttp.ClientResponse

    async def read(self, offset: int, length: int) -> bytes:
        if offset != self._position:
            raise ProviderChangedError  # begun anew: a stream has no way back
        try:
            data = await self._answer.content.readexactly(length)
        except asyncio.IncompleteReadError as error:
            data = error.partial
        except (aiohttp.ClientError, TimeoutError, OSError):
            raise ProviderChangedError from None  # it broke: only all of it can be read again
        self._position += len(data)
        return data

    async def close(self) -> None:
        self._answer.close()
        await self._asked.__aexit__(None, None, None)


def _found(path: str, answer: aiohttp.ClientResponse) -> Found:
    headers = answer.headers
    size: int | None
    if answer.status in (206, 416):
        total = headers.get("Content-Range", "").rpartition("/")[2]
        size = int(total) if total.isdecimal() else None
    else:
        size = answer.content_length
    mark = headers.get("ETag", "")
    return Found(
        path,
        size,
        modified_ns=_time_ns(headers.get("Last-Modified")),
        mark=mark,
        strong=bool(mark) and not mark.startswith("W/"),
        clock_ns=_time_ns(headers.get("Date")),
    )


def _time_ns(text: str | None) -> int | None:
    try:
        return int(parsedate_to_datetime(text).timestamp()) * 1_000_000_000 if text else None
    except (ValueError, OverflowError):
        return None


def _became_folder(asked: URL, answered: URL) -> bool:
    """The server sent us on to the same name with a slash, as web servers do for folders."""
    return answered.path.endswith("/") and not asked.path.endswith("/")


def _what_happened(error: BaseException) -> str:
    if isinstance(error, aiohttp.ClientConnectorError):
        return "its server cannot be reached"
    if isinstance(error, TimeoutError):
        return "its server did not answer in time"
    return "the connection broke"
