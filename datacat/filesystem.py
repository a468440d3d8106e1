"""`datacat://NAME@VERSION/PATH` for every library that reads through fsspec.

    pandas.read_csv("datacat://cmr@v3/labels.csv")

The store is that of your settings, or the one that is named: `storage_options={"store": …}`. A
version is read where it lies: nothing is pulled, and only the chunks that are touched are fetched.
"""

from __future__ import annotations

import threading
from typing import Any, ClassVar

from datacat import this_process
from datacat.front import open_store
from datacat.inside.file_system import ReachFileSystem
from datacat.inside.reach import Reach
from datacat.store import Store
from datacat.transfer.chunk_cache import CACHE_BYTES


class DatacatFileSystem(ReachFileSystem):
    """The versions of a store, read-only. Made by fsspec for `datacat://` URLs.

    store, user, cache_dir: as for `datacat.open_store`. chunk_cache_bytes: how much of what was
    read stays in memory for the next read.

    An instance can be pickled, used from many threads, and used on after a fork: each process
    opens the store for itself. Raises `NoStore` at the first use when there is none.
    """

    protocol: ClassVar[str] = "datacat"
    cachable = True

    def __init__(
        self,
        store: str | None = None,
        *,
        user: str | None = None,
        cache_dir: str | None = None,
        chunk_cache_bytes: int = CACHE_BYTES,
        **options: Any,
    ) -> None:
        super().__init__(self._opened, **options)
        self._store, self._user, self._cache_dir = store, user, cache_dir
        self._chunk_cache_bytes = chunk_cache_bytes
        self._process = this_process.number
        self._lock = threading.Lock()
        self._of_process: Reach | None = None

    def _opened(self) -> Reach:
        if self._process != this_process.number:
            # Not the parent's lock: one of its threads may have held it while it was forked.
            self._process = this_process.number
            self._lock, self._of_process = threading.Lock(), None
        found = self._of_process
        if found is None:
            with self._lock:
                if self._of_process is None:
                    with self._open_store() as store:
                        self._of_process = store.reach(cache_bytes=self._chunk_cache_bytes)
                found = self._of_process
        return found

    def _open_store(self) -> Store:
        return open_store(self._store, user=self._user, cache_dir=self._cache_dir)
