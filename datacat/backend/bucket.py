"""The few requests of an object store that datacat needs: one page for each kind to implement."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Sequence

from datacat.backend.base import AgingRule, Stat


class Bucket(ABC):
    """A bucket and a prefix in it, spoken to with single requests: never repeated, never cached.

    Keys are relative to the prefix and were checked. Every method but those that say otherwise
    raises `StorageMissing` only when the key is certainly absent, `StorageTransient` when it is
    open what happened or it may work the next time, `StorageDenied`, `NoStore` (the bucket itself
    is not there, or there are no credentials), else `StorageError`: never an error of a library
    below, whose text may hold a secret.
    """

    url: str
    """Names the place to people, without a credential."""

    condition: str = "If-None-Match"
    """What the server has to heed, in its own words."""

    @abstractmethod
    async def identity(self) -> str:
        """What tells this place from every other: the server and the URL. Asks no server."""

    @abstractmethod
    async def check(self) -> None:
        """Raise when the bucket cannot be reached, is not there or may not be looked into."""

    @abstractmethod
    async def get(self, key: str, *, offset: int, length: int | None) -> bytes:
        """Bytes of `key`, fewer only where it ends: at least 1, or all without a `length`."""

    @abstractmethod
    async def head(self, key: str) -> Stat | None:
        """Size and time of `key`, None when it is certainly absent."""

    @abstractmethod
    async def put(self, key: str, body: bytes, *, only_new: bool) -> bool:
        """Write `key` at once. With `only_new`: in one atomic step, unless it is there (False)."""

    @abstractmethod
    async def page(self, prefix: str, *, after: str) -> Sequence[Stat]:
        """The next keys that begin with `prefix` and are beyond `after`, in order; none: the end.

        May hold keys that are not a store's: folders, names with empty parts.
        """

    @abstractmethod
    async def delete(self, key: str) -> None:
        """Remove `key`; absent is fine."""

    async def aging_rules(self) -> Sequence[AgingRule] | None:
        """Rules that delete or move files below the prefix by their age; None: it is not told."""
        return None


class PartsBucket(Bucket):
    """One that makes a large key out of parts, which arrive side by side."""

    part_bytes_min: int
    """The smallest part of an upload in parts, but for the last one."""

    parts_max: int
    """The most parts of one upload."""

    @abstractmethod
    async def begin(self, key: str) -> str:
        """Begin an upload in parts; its name."""

    @abstractmethod
    async def put_part(self, key: str, upload: str, number: int, body: bytes) -> str:
        """Upload part `number`, from 1; its receipt. May be repeated."""

    @abstractmethod
    async def complete(self, key: str, upload: str, receipts: Sequence[str]) -> bool:
        """Make `key` out of the parts, unless it is there (False).

        Raises `StorageMissing` when there is no such upload, perhaps because it was completed.
        """

    @abstractmethod
    async def abandon(self, key: str, upload: str) -> None:
        """Remove the parts of an upload that is given up."""


class StreamBucket(Bucket):
    """One that takes a key of any size in one request."""

    @abstractmethod
    async def put_stream(self, key: str, size_bytes: int, steps: AsyncIterator[bytes]) -> bool:
        """Write `key`, whose bytes come in `steps`, unless it is there (False): one atomic step."""
