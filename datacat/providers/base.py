"""What is asked of a place that files are added from, on one page.

Everything but the making of a provider happens on fsspec's event loop: hundreds of small files are
under way at once, without a thread for each.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from random import random
from typing import TypeVar

from datacat.backend.retry import ATTEMPTS, pause_seconds
from datacat.errors import StorageTransient

BLOCK_BYTES = 8 * 1024 * 1024
"""One request for a part of a large file asks for so much."""

AT_ONCE = 48
"""Requests to one provider that are under way at a time."""

_T = TypeVar("_T")


class ProviderChangedError(Exception):
    """What was asked for is not what it was when its reading began."""


@dataclass(frozen=True, slots=True)
class Found:
    """An entry of a provider, as the place describes it.

    `path` is relative to the provider, empty for a provider that is one file. `size_bytes` and
    `modified_ns` are None where the place does not tell them. `mark` is what the place says to tell
    two states apart (an ETag, a version), or empty; a `strong` one differs for any two contents.
    `clock_ns` is what time it was over there, if it said so.
    """

    path: str
    size_bytes: int | None
    modified_ns: int | None = None
    mark: str = ""
    strong: bool = False
    entry_kind: str = "file"
    executable: bool = False
    target: str | None = None
    clock_ns: int | None = None

    def is_same(self, other: Found) -> bool:
        """Whether both describe one state of the file, as far as the place can tell."""
        if self.mark or other.mark:
            return self.mark == other.mark and self.size_bytes == other.size_bytes
        return (self.size_bytes, self.modified_ns) == (other.size_bytes, other.modified_ns)


@dataclass(frozen=True, slots=True)
class Content:
    """All bytes of a file, of the state that `found` describes."""

    data: bytes
    found: Found


class Reading(ABC):
    """A large file that is being read. `found` is what it was when that began."""

    found: Found
    in_order: bool = False
    """It can only be read once, from its beginning to its end."""

    @abstractmethod
    async def read(self, offset: int, length: int) -> bytes:
        """Bytes from `offset`, fewer only where the file ends.

        Raises `ProviderChangedError` when the file is no longer what it was, and as `Provider`.
        """

    async def is_still(self) -> bool:
        """Whether all that was read is of one state. Asked once, at the end."""
        return True

    async def close(self) -> None:  # noqa: B027
        """Let go of it. Does nothing by default."""


class PartedReading(Reading):
    """A file whose parts are asked for one by one. `first` came with its description `found`.

    `more(offset, length)` asks for a part beyond that, of the same state of the file.
    """

    def __init__(
        self, found: Found, first: bytes, more: Callable[[int, int], Awaitable[bytes]]
    ) -> None:
        self.found = found
        self._first = first
        self._more = more

    async def read(self, offset: int, length: int) -> bytes:
        if offset + length <= len(self._first) or (self.found.size_bytes or 0) <= len(self._first):
            return self._first[offset : offset + length]
        return await self._more(offset, length)


class Provider(ABC):
    """One place to add files from.

    Methods raise `StorageMissing` for what is certainly not there, `StorageTransient` for what may
    work the next time, else another `DatacatError`: never an error of a library below, whose text
    may hold a secret.
    """

    url: str
    """Names the place to people and in records, without anything that may be a secret."""

    stem: str
    """What a dataset from here is called by default, before it is made a proper name."""

    secret_url: str
    """What the place was opened with: for another process that has to open it as well."""

    @abstractmethod
    def listing(self) -> AsyncIterator[Sequence[Found]]:
        """Every entry, in pages. One with the path "" alone: the provider is one file.

        Raises `StorageMissing` when there is nothing at all. What may work the next time was tried
        again already: a listing cannot go on from outside.
        """

    @abstractmethod
    async def fetch(self, path: str, limit_bytes: int) -> Content | None:
        """The whole of a file; None when it is larger than `limit_bytes`."""

    @abstractmethod
    async def open(self, path: str) -> Reading:
        """Begin to read a file in parts."""

    async def close(self) -> None:  # noqa: B027
        """Let go of connections. Does nothing by default."""


async def again(
    request: Callable[[], Awaitable[_T]], *, random: Callable[[], float] = random
) -> _T:
    """`await request()`, again after each `StorageTransient`, with growing pauses.

    Everything asked of a provider only reads, and may be repeated.
    """
    for attempt in range(1, ATTEMPTS):
        try:
            return await request()
        except StorageTransient:
            await asyncio.sleep(pause_seconds(attempt, random()))
    return await request()
