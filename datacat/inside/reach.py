"""Any file of any version, by its reference: what file systems, SQL and `head` read through."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable

from datacat import refs
from datacat.catalog.query import CatalogQuery
from datacat.inside.version_files import VersionFiles
from datacat.model import Dataset, Version
from datacat.opened import OpenedStore
from datacat.transfer.chunk_cache import CACHE_BYTES, ChunkCache

VERSIONS_REMEMBERED = 4
"""Versions whose list of files stays in memory."""

MOVING_SECONDS = 2.0
"""How long `cmr` and `cmr@gold` go on meaning the same version before the catalog is asked again:
opening a file asks some times in a row, and must not get two answers."""


class Reach:
    """The versions of one store, for random reads. Thread-safe, within one process.

    It keeps no connection to a database between two calls.
    """

    def __init__(
        self,
        store: OpenedStore,
        *,
        cache_bytes: int = CACHE_BYTES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.store = store
        self._cache = ChunkCache(cache_bytes)
        self._clock = clock
        self._lock = threading.RLock()
        self._resolved: dict[str, tuple[float, Version]] = {}
        self._versions: OrderedDict[str, VersionFiles] = OrderedDict()

    def datasets(self) -> tuple[Dataset, ...]:
        """Every dataset of the store, by name."""
        with self._lock:
            try:
                return self._query().datasets(sort="name").datasets
            finally:
                self.store.catalog.close()

    def version(self, ref: refs.Ref) -> VersionFiles:
        """The files of the version that `ref` means. Raises `NotFound`, `Corrupt`."""
        with self._lock:
            try:
                version = self._meant(ref)
                files = self._versions.get(version.ref)
                if files is None:
                    files = VersionFiles(self.store, self._query(), version, cache=self._cache)
                    self._versions[version.ref] = files
                    if len(self._versions) > VERSIONS_REMEMBERED:
                        self._versions.popitem(last=False)
                self._versions.move_to_end(version.ref)
                return files
            finally:
                self.store.catalog.close()

    def forget(self) -> None:
        """Ask the catalog anew what names mean."""
        with self._lock:
            self._resolved.clear()

    def _meant(self, ref: refs.Ref) -> Version:
        key = str(refs.Ref(ref.name, ref.number, ref.alias, ref.hash_prefix))
        now = self._clock()
        known = self._resolved.get(key)
        if known is not None:
            since, version = known
            # What a number means never changes.
            if ref.number == version.number or now - since < MOVING_SECONDS:
                return version
        version = self._query().resolve(ref)
        self._resolved[key] = (now, version)
        return version

    def _query(self) -> CatalogQuery:
        return CatalogQuery(self.store.catalog.sync(), store=self.store.backend.url)
