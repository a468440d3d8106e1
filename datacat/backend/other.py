"""Any other file system that fsspec knows: a store in it can be read.

It is not written to. What fsspec calls an exclusive create is, in most file systems, a look and
then a write; a race that happens to have one winner proves nothing about the next one.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from typing import Any, TypeVar

from datacat import layout
from datacat.backend.base import Stat
from datacat.backend.bridge import Bridge
from datacat.backend.keys import checked_key, checked_prefix
from datacat.backend.read_only import ReadOnlyBackend
from datacat.backend.waiting_thread import in_thread
from datacat.errors import (
    DatacatError,
    StorageDenied,
    StorageError,
    StorageMissing,
    StorageTransient,
)

_TIMES = ("LastModified", "last_modified", "mtime", "modified", "updated", "created")

_T = TypeVar("_T")


class OtherBackend(ReadOnlyBackend):
    """A folder in the file system that the scheme of `url` names to fsspec.

    Raises `ImportError` for one whose package is missing, `ValueError` for one nobody knows.
    """

    def __init__(self, url: str, bridge: Bridge) -> None:
        from fsspec.core import url_to_fs

        super().__init__(url.rstrip("/"), bridge)
        # Most of them open a connection here, and some do not know these options.
        try:
            self._files, root = url_to_fs(url, use_listings_cache=False, skip_instance_cache=True)
        except TypeError:
            self._files, root = url_to_fs(url)
        self._root = root.rstrip("/")
        # Those that are not made for many requests at once may have one connection for all.
        self._turn: AbstractContextManager[object] = (
            nullcontext() if self._files.async_impl else threading.Lock()
        )

    @property
    def reason(self) -> str:
        protocol = self._files.protocol
        name = protocol if isinstance(protocol, str) else protocol[0]
        return f"of {name}:// it is not known that one of several who save at once wins"

    async def _get(self, key: str, offset: int, length: int | None) -> bytes:
        def read() -> bytes:
            path = self._path(key)
            if length is None and not offset:
                whole: bytes = self._files.cat_file(path)
                return whole
            # Beyond the end of a file they do not agree what there is.
            size = int(self._files.info(path)["size"])
            end = size if length is None else min(size, offset + length)
            if offset >= end:
                return b""
            part: bytes = self._files.cat_file(path, start=offset, end=end)
            if len(part) != end - offset:
                raise StorageError(
                    f"{self.url} does not give parts of {key} as they were asked for"
                )
            return part

        return await self._asking(key, read)

    def stat(self, key: str) -> Stat | None:
        checked_key(key)
        try:
            info = self._bridge.run(self._asking(key, lambda: self._files.info(self._path(key))))
        except StorageMissing:
            return None
        return None if info.get("type") == "directory" else _stat(key, info)

    def keys(self, prefix: str, *, after: str = "") -> Iterator[Stat]:
        """Keys below `prefix`, one folder in memory at a time."""
        return self._walk(checked_prefix(prefix), after)

    def _walk(self, folder: str, after: str) -> Iterator[Stat]:
        for name, info in self._bridge.run(self._asking(folder, lambda: self._listed(folder))):
            key = folder + name
            if name.endswith("/"):
                # All keys below a folder sort together: skip it when all of them are behind.
                if key != layout.TEMPORARY and (key > after or after.startswith(key)):
                    yield from self._walk(key, after)
            elif key > after:
                yield _stat(key, info)

    def _listed(self, folder: str) -> Sequence[tuple[str, Mapping[str, Any]]]:
        """The names in a folder in the order of keys; those of folders end with a slash."""
        self._files.invalidate_cache()
        try:
            entries = self._files.ls(f"{self._root}/{folder}".rstrip("/"), detail=True)
        except (FileNotFoundError, NotADirectoryError):
            return []
        except NotImplementedError:
            raise StorageDenied(
                f"{self.url} cannot be listed: its file system has no listings",
                kind="not_listed",
            ) from None
        named = []
        for info in entries:
            name = str(info["name"]).rstrip("/").rpartition("/")[2]
            named.append((f"{name}/" if info.get("type") == "directory" else name, info))
        return sorted(named, key=lambda one: one[0])

    def _path(self, key: str) -> str:
        return f"{self._root}/{key}"

    async def _asking(self, key: str, call: Callable[[], _T]) -> _T:
        """`call()` in a thread. What it raises becomes an error of the library."""
        where = f"{key or 'the folder'} in {self.url}"

        def in_turn() -> _T:
            with self._turn:
                return call()

        try:
            return await in_thread(in_turn)
        except DatacatError:
            raise
        except FileNotFoundError:
            raise StorageMissing(f"{key} is not in the store") from None
        except PermissionError:
            raise StorageDenied(
                f"not permitted: {where}", hint="Log in with the storage's own tools."
            ) from None
        except (TimeoutError, ConnectionError) as error:
            raise StorageTransient(f"{where}: {type(error).__name__}", hint="Try again.") from None
        except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
            # Not its text: that of a library we do not know may hold a secret.
            raise StorageError(f"cannot read {where}: {type(error).__name__}") from None


def _stat(key: str, info: Mapping[str, Any]) -> Stat:
    moment = next((info[name] for name in _TIMES if info.get(name)), 0)
    return Stat(key, int(info.get("size") or 0), _ns(moment))


def _ns(moment: Any) -> int:
    """A time as file systems give it: a datetime, ISO text, or seconds. 0 for anything else."""
    if isinstance(moment, str):
        try:
            moment = datetime.fromisoformat(moment)
        except ValueError:
            return 0
    if isinstance(moment, datetime):
        moment = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    return int(moment * 1_000_000_000) if isinstance(moment, (int, float)) else 0
