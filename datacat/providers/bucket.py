"""Files in a bucket: a flat list of keys, in pages, of which a prefix or one key is a provider."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import ClassVar

from datacat.errors import StorageMissing
from datacat.providers.address import bucket_and_key, stem_of
from datacat.providers.base import BLOCK_BYTES, Found, PartedReading, Provider, Reading, again


@dataclass(frozen=True, slots=True)
class Page:
    """One answer to a listing. `after` asks for the next one; it is empty after the last."""

    found: Sequence[Found]
    after: Mapping[str, str]


class BucketProvider(Provider):
    """`scheme://bucket/folder` or `scheme://bucket/file`. A key is taken as it is: `%20` means
    itself. Listings leave out keys that end with a slash: they stand for folders, and hold nothing.
    """

    scheme: ClassVar[str]

    def __init__(self, url: str) -> None:
        self._bucket, key = bucket_and_key(url)
        self._key = key.rstrip("/")
        self._is_folder = key != self._key or not key
        self.secret_url = url
        self.url = f"{self.scheme}://{self._bucket}/{key}".rstrip("/")
        self.stem = stem_of(url)

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
        after: Mapping[str, str] = {}
        any_found = False
        while True:
            page = await again(partial(self._page, prefix, after))
            any_found = any_found or bool(page.found)
            if files := [one for one in page.found if one.path and not one.path.endswith("/")]:
                yield files
            if not (after := page.after):
                break
        if not any_found:
            raise StorageMissing(f"{self.url} is not there")

    async def open(self, path: str) -> Reading:
        first, found = await self._range(path, 0, BLOCK_BYTES, None)

        async def more(offset: int, length: int) -> bytes:
            return (await self._range(path, offset, length, found))[0]

        return PartedReading(found, first, more)

    def _full(self, path: str) -> str:
        return "/".join(part for part in (self._key, path) if part)

    @abstractmethod
    async def _look(self, path: str) -> Found:
        """What one key is, without its bytes. Raises `StorageMissing`."""

    @abstractmethod
    async def _page(self, prefix: str, after: Mapping[str, str]) -> Page:
        """The keys that begin with `prefix`, which their paths lack; a page of them."""

    @abstractmethod
    async def _range(
        self, path: str, offset: int, length: int, expected: Found | None
    ) -> tuple[bytes, Found]:
        """Some bytes, fewer at the end, and what they are of.

        Raises `ProviderChangedError` when that is not `expected` any more.
        """


def nanoseconds(moment: datetime) -> int:
    """Since 1970, in whole seconds: listings and answers differ in what is below."""
    return int(moment.timestamp()) * 1_000_000_000
