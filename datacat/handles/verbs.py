"""The verbs for the store of your settings, without opening it first.

`datacat.ls("cmr")` is `datacat.open_store().ls("cmr")`. A program that calls many of them opens
the store once.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from datacat.filesystem import DatacatFileSystem
from datacat.front import open_store
from datacat.handles.version import OpenVersion
from datacat.model import AddResult, Diff, Listing, PullResult, Shown, StatusEntry
from datacat.store import Store

if TYPE_CHECKING:
    from datacat.inside.connection import Connection

Word = str | os.PathLike[str]


def open(ref: str, *, store: str | Store | None = None) -> OpenVersion:  # noqa: A001 - as it is called
    """A version to read from: `datacat.open("cmr@v3")`. Nothing is pulled.

    `store` is a folder, a URL or an open store, by default that of your settings. Without a
    version it is the newest, and which one that is is said once. Raises `NotFound`, `NoStore`.

    >>> ds = datacat.open("cmr@v1", store=store)
    >>> ds.files("*.csv"), ds["labels.csv"].read_text()
    (['labels.csv'], 'id,v\\n1,2\\n')
    >>> ds["labels.csv"].url
    'datacat://cmr@v1/labels.csv'
    """
    if isinstance(store, Store):
        return OpenVersion(_file_system(store), ref)
    with open_store(store) as opened:
        return OpenVersion(_file_system(opened), ref)


def _file_system(store: Store) -> DatacatFileSystem:
    """That of exactly this store: what the settings say may change while a program runs."""
    return DatacatFileSystem(store.url, user=store.user, cache_dir=str(store.cache_dir))


def path(ref: str, *, store: str | Store | None = None) -> Path:
    """A read-only path to a version, or to one file of it: `datacat.path("cmr@v3/labels.csv")`.

    >>> datacat.path("cmr@v1/labels.csv", store=store).read_text()
    'id,v\\n1,2\\n'
    """
    head, _, inside = ref.partition("/")
    version = open(head, store=store)
    return version[inside].path if inside else version.path


def connect(
    store: str | Store | None = None, *, config: Mapping[str, str] | None = None
) -> Connection:
    """A DuckDB connection with the catalog's views and `datacat://` URLs: see `Store.connect`.

    `store` is a folder, a URL or an open store, by default that of your settings.

    >>> with datacat.connect(store) as con:
    ...     con.sql("select path from files order by path").fetchall()
    [('labels.csv',), ('sub-1/sax.bin',)]
    """
    if isinstance(store, Store):
        return store.connect(config=config)
    with open_store(store) as opened:
        return opened.connect(config=config)


def ls(query: str | None = None, **options: Any) -> Listing:
    """The datasets: see `Store.ls`."""
    with open_store() as store:
        return store.ls(query, **options)


def show(ref: str, **options: Any) -> Shown:
    """One dataset or version: see `Store.show`."""
    with open_store() as store:
        return store.show(ref, **options)


def add(path: Word, **options: Any) -> AddResult:
    """Save a folder: see `Store.add`."""
    with open_store() as store:
        return store.add(path, **_told(options))


def pull(ref: str, **options: Any) -> PullResult:
    """Get a version: see `Store.pull`."""
    with open_store() as store:
        return store.pull(ref, **_told(options))


def log(name: str | None = None, **options: Any) -> Any:
    """The versions of a dataset, or what the team did: see `Store.log`."""
    with open_store() as store:
        return store.log(name, **options) if name is not None else store.log(**options)


def diff(a: Word | None = None, b: Word | None = None, **options: Any) -> Diff:
    """What differs: see `Store.diff`."""
    with open_store() as store:
        return store.diff(a, b, **_told(options))


def status(paths: Sequence[Word] = (".",), **options: Any) -> list[StatusEntry]:
    """What local folders are: see `Store.status`."""
    with open_store() as store:
        return store.status(paths, **_told(options))


def _told(options: dict[str, Any]) -> dict[str, Any]:
    """With a listener that shows progress in a notebook, unless the caller has one."""
    from datacat.render.notebook_progress import notebook_listener

    return {"listener": notebook_listener(), **options}
