"""A store that can be read and not written to: what is asked for is refused, with the reason."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Coroutine, Sequence
from typing import Any

from datacat.backend.base import Capabilities
from datacat.backend.keys import checked_key
from datacat.backend.remote import ReadAt, RemoteBackend
from datacat.errors import StorageDenied


class ReadOnlyBackend(RemoteBackend):
    """The writing half of the contract, where nothing can be shown to have exactly one winner."""

    @property
    @abstractmethod
    def reason(self) -> str:
        """Why nothing is written, as the end of a sentence."""

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(atomic_create=False, local=False)

    def _refused(self) -> StorageDenied:
        return StorageDenied(
            f"{self.url} can only be read: {self.reason}",
            kind="read_only_store",
            hint="To save, use the store by its folder, or by s3, gs, az or sftp.",
        )

    def _before_writing(self) -> None:
        raise self._refused()

    def _put_new(self, key: str, size_bytes: int, read: ReadAt) -> Coroutine[Any, Any, bool]:
        del key, size_bytes, read
        raise self._refused()

    def replace(self, key: str, data: bytes) -> None:
        del data
        checked_key(key)
        raise self._refused()

    def delete(self, key: str) -> None:
        checked_key(key)
        raise self._refused()

    def initialise(self, directories: Sequence[str], *, group: str | None, shared: bool) -> None:
        del directories, group, shared
        raise self._refused()

    def sync(self) -> None:
        """Nothing to wait for: nothing is written."""

    def identity(self) -> str | None:
        return self.url

    def free_bytes(self) -> int | None:
        return None
