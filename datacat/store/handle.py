"""What every verb starts from: the opened store, and what was given when it was opened."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from datacat.catalog.query import CatalogQuery
from datacat.catalog.words import words_of
from datacat.closing import Closing
from datacat.errors import InvalidInput
from datacat.model import Better, LinkMode, StoreInfo, Words
from datacat.opened import OpenedStore, Watch
from datacat.progress import Listener, StopSignal
from datacat.working_copy.request import SIMILAR

PathLike = str | os.PathLike[str]


class Handle(Closing):
    """An opened store. The verbs are in the classes that derive from this one."""

    def __init__(
        self,
        opened: OpenedStore,
        *,
        ignore: Sequence[str] = (),
        link: LinkMode | None = None,
        similar: float = SIMILAR,
    ) -> None:
        if not 0 <= similar <= 1:
            raise InvalidInput(f"similar is {similar}; expected a share from 0 to 1")
        self._opened = opened
        self._similar = similar
        self._ignore = tuple(ignore)
        self._link = link

    def close(self) -> None:
        """Let go of the local catalog."""
        self._opened.catalog.close()

    def interrupt(self) -> None:
        """Give up what waits for a server: the verb that runs, and every later one, is cancelled.

        May be called from another thread or from a signal handler.
        """
        self._opened.backend.interrupt()

    @property
    def info(self) -> StoreInfo:
        """What the store is: name, id, parameters."""
        return self._opened.info

    @property
    def url(self) -> str:
        """Where the store is, without any credential."""
        return self._opened.backend.url

    @property
    def user(self) -> str:
        """Who we are in this store's records."""
        return self._opened.client.user

    @property
    def cache_dir(self) -> Path:
        """Where disposable files of this user are kept."""
        return self._opened.client.cache_dir

    def words(self, *, newer_than: int = -1) -> Words | None:
        """Names, versions, aliases, tags and owners, as a verb of this handle read them last.

        None when none did, or when that was not after record `newer_than`. Asks the store nothing.
        """
        snapshot = self._opened.catalog.last
        if snapshot is None or snapshot.seq <= newer_than:
            return None
        return words_of(snapshot)

    def people(self) -> list[str]:
        """Everybody who saved something, by name."""
        return self._query().people()

    def _query(self) -> CatalogQuery:
        """Questions about the newest state of the catalog."""
        return CatalogQuery(self._opened.catalog.sync(), store=self.url)


def watching(listener: Listener, stop: StopSignal | None) -> Watch:
    """How the caller of a long verb watches it."""
    return Watch(listener, stop or StopSignal())


def directions(given: Mapping[str, Better | str] | None) -> dict[str, Better]:
    """Which values of metrics are good. Raises `InvalidInput` for another word than min or max."""
    try:
        return {metric: Better(word) for metric, word in (given or {}).items()}
    except ValueError as error:
        raise InvalidInput(
            f"{error}: whether small or large values are good is 'min' or 'max'",
            kind="bad_direction",
        ) from error
