"""Wrong ways to save, as patches of the real verbs: people in full must be able to notice them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

from datacat import layout
from datacat.catalog.record_parts import StoredFile
from datacat.errors import DatacatError
from datacat.opened import OpenedStore
from datacat.working_copy import publish, save
from tests.faults.interleaving.bad_clients import NO_SESSION

UPLOADED = (layout.MANIFESTS, layout.SEGMENTS, layout.PACKS, layout.WHOLE)


@contextmanager
def one_session() -> Iterator[None]:
    """The session id is always the same."""
    init = save._Save.__init__

    def begun(self: save._Save, *arguments: Any) -> None:
        init(self, *arguments)
        self._session = NO_SESSION

    with mock.patch.object(save._Save, "__init__", begun):
        yield


@contextmanager
def record_first() -> Iterator[None]:
    """The list of files is written after the record that names it."""
    uploaded, commit = publish.uploaded, OpenedStore.commit
    waiting: dict[int, tuple[str, bytes]] = {}

    def kept(store: OpenedStore, key: str, path: Path) -> StoredFile:
        if not key.startswith(layout.MANIFESTS):
            return uploaded(store, key, path)
        with mock.patch.object(store.backend, "write_file"):
            file = uploaded(store, key, path)
        waiting[id(store)] = (key, path.read_bytes())
        return file

    def then_written(store: OpenedStore, *arguments: Any, **more: Any) -> Any:
        committed = commit(store, *arguments, **more)
        store.backend.write(*waiting.pop(id(store)))
        return committed

    with (
        mock.patch.object(publish, "uploaded", kept),
        mock.patch.object(OpenedStore, "commit", then_written),
    ):
        yield


@contextmanager
def cleans_up() -> Iterator[None]:
    """Uploads are deleted when the commit fails, also when nobody knows whether it did."""
    published = publish.publish

    def tidy(store: OpenedStore, *arguments: Any) -> Any:
        try:
            return published(store, *arguments)
        except DatacatError:
            session = arguments[-1].session
            for folder in UPLOADED:
                for stat in list(store.backend.keys(folder)):
                    if session in stat.key:
                        store.backend.delete(stat.key)
            raise

    with mock.patch.object(save, "publish", tidy):
        yield
