"""Any other place that fsspec has a file system for, in the few calls that all of them know."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

from datacat.address import split_scheme
from datacat.backend.waiting_thread import in_thread
from datacat.errors import DatacatError, StorageError, StorageMissing, StorageTransient
from datacat.providers.address import CHAIN, shown_url, stem_of
from datacat.providers.base import (
    Content,
    Found,
    Provider,
    ProviderChangedError,
    Reading,
    again,
)
from datacat.providers.errors import denied

_MARKS = (
    ("etag", True),
    ("ETag", True),
    ("blob_id", True),
    ("generation", True),
    ("version_id", True),
    ("md5Hash", True),
    ("sha256", True),
    ("content_md5", True),
    ("checksum", False),
    ("crc32c", False),
    ("CRC", False),
)
"""What file systems call it that tells two states of a file apart, and whether it always does."""

_TIMES = ("LastModified", "last_modified", "mtime", "modified", "updated", "created", "date_time")

_T = TypeVar("_T")


class OtherProvider(Provider):
    """A place behind a file system of fsspec, also one inside of another (`zip://::https://…`)."""

    def __init__(self, url: str) -> None:
        from fsspec.core import url_to_fs

        self.secret_url = url
        self.url = shown_url(url)
        self.stem = stem_of(url)
        self._files, self._root = url_to_fs(url)
        self._root = self._root.rstrip("/")
        self._lists_at_once = split_scheme(url)[0] == "hf" or CHAIN in url

    async def listing(self) -> AsyncIterator[Sequence[Found]]:
        await self._call("", self._files.invalidate_cache)
        if self._root:
            info = await again(lambda: self._call("", lambda: self._files.info(self._root)))
            if info.get("type") == "file":
                yield [_found("", info)]
                return
        pages = iter(self._pages())
        while True:
            page = await self._call("", lambda: next(pages, None))
            if page is None:
                return
            if page:
                yield page

    def _pages(self) -> Any:
        """Files, a folder at a time; those that list all at once do so faster."""
        if self._lists_at_once:
            found = self._files.find(self._root, detail=True)
            yield [self._of(name, info) for name, info in found.items()]
            return
        for _, _, files in self._files.walk(self._root, detail=True, on_error="raise"):
            yield [
                self._of(str(info["name"]), info)
                for info in files.values()
                # Stands for its own folder in a bucket.
                if info["name"].strip("/") != self._root.strip("/")
            ]

    def _of(self, name: str, info: Mapping[str, Any]) -> Found:
        root = self._root.strip("/")
        path = name.strip("/")
        return _found(path[len(root) :].lstrip("/") if root else path, info)

    async def fetch(self, path: str, limit_bytes: int) -> Content | None:
        before = await self._info(path)
        if before.size_bytes is None or before.size_bytes > limit_bytes:
            return None
        data: bytes = await self._call(path, lambda: self._files.cat_file(self._full(path)))
        after = await self._info(path)
        if len(data) != before.size_bytes or not before.is_same(after):
            raise ProviderChangedError
        return Content(data, after)

    async def open(self, path: str) -> Reading:
        return _OtherReading(self, await self._info(path))

    async def _info(self, path: str) -> Found:
        def ask() -> Mapping[str, Any]:
            self._files.invalidate_cache()
            info: Mapping[str, Any] = self._files.info(self._full(path))
            return info

        return _found(path, await self._call(path, ask))

    def _full(self, path: str) -> str:
        return f"{self._root}/{path}" if path else self._root

    async def _call(self, path: str, call: Callable[[], _T]) -> _T:
        """`call()` in a thread. What it raises becomes an error of the library."""
        where = f"{path} of {self.url}" if path else self.url
        try:
            return await in_thread(call)
        except (DatacatError, ProviderChangedError):
            raise
        except FileNotFoundError:
            raise StorageMissing(f"{where} is not there") from None
        except PermissionError:
            raise denied(
                self.url, path, "permission denied", hint="Log in with the storage's own tools."
            ) from None
        except (TimeoutError, ConnectionError) as error:
            raise StorageTransient(f"{where}: {type(error).__name__}") from None
        except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
            # Not its text: that of a library we do not know may hold a secret.
            raise StorageError(f"cannot read {where}: {type(error).__name__}") from None


class _OtherReading(Reading):
    def __init__(self, provider: OtherProvider, found: Found) -> None:
        self._provider = provider
        self.found = found

    async def read(self, offset: int, length: int) -> bytes:
        provider, path = self._provider, self.found.path
        end = min(offset + length, self.found.size_bytes or 0)
        if end <= offset:
            return b""
        data: bytes = await provider._call(
            path, lambda: provider._files.cat_file(provider._full(path), start=offset, end=end)
        )
        return data

    async def is_still(self) -> bool:
        return self.found.is_same(await self._provider._info(self.found.path))


def _found(path: str, info: Mapping[str, Any]) -> Found:
    marks = ((str(info[name]), strong) for name, strong in _MARKS if info.get(name))
    mark, strong = next(marks, ("", False))
    size = info.get("size")
    return Found(
        path,
        int(size) if size is not None else None,
        modified_ns=next((_ns(info[name]) for name in _TIMES if info.get(name)), None),
        mark=mark,
        strong=strong,
        entry_kind="file" if info.get("type", "file") in ("file", "link") else "special",
    )


def _ns(moment: Any) -> int | None:
    """A time as file systems give it: a datetime, ISO text, or seconds."""
    if isinstance(moment, str):
        try:
            moment = datetime.fromisoformat(moment)
        except ValueError:
            return None
    if isinstance(moment, datetime):
        moment = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    if isinstance(moment, (int, float)):
        return int(moment * 1_000) * 1_000_000
    return None
