"""Bring what the catalog names into a workspace: manifests, and the index over their content."""

from __future__ import annotations

from datacat.backend.download import StoredFile
from datacat.catalog.query import CatalogQuery
from datacat.manifest import parquet
from datacat.model import Damage, Version
from datacat.objects.index import Segment, prepare
from datacat.opened import OpenedStore
from datacat.sql import Workspace


def attach_manifest(
    store: OpenedStore, workspace: Workspace, query: CatalogQuery, version: Version, view: str
) -> None:
    """Make `view` show the entries of `version`. Raises `Corrupt` when its manifest is damaged."""
    file = query.manifest_of(version)
    stored = StoredFile(file.key, file.size, file.digest)
    path = parquet.fetch(
        store.backend,
        workspace,
        stored,
        store.cache / "manifests",
        tree=version.hash,
        algorithm=store.algorithm,
    )
    parquet.attach(workspace, path, view)


def check_tree(
    store: OpenedStore, workspace: Workspace, query: CatalogQuery, version: Version, view: str
) -> None:
    """Raise `Corrupt` unless the entries in `view` are those that the hash of `version` names.

    A manifest is what its record says; this is whether the record contradicts itself. Not every
    manifest in the cache was looked at like this. Takes 0.7 s for a million files.
    """
    parquet.check_tree(
        workspace,
        view,
        key=query.manifest_of(version).key,
        tree=version.hash,
        algorithm=store.algorithm,
    )


def attach_index(
    store: OpenedStore, workspace: Workspace, query: CatalogQuery, *, needed: Version | None
) -> None:
    """Make the views `chunks`, `recipes`, `usable` and `objects`.

    With `needed` only the segments that hold that version's content are asked for; the index then
    knows at least what it needs.
    """
    store.index.attach(workspace, _segments(query, needed), merge=needed is None)
    _prepare(workspace, query)


def attach_readable(
    store: OpenedStore, workspace: Workspace, query: CatalogQuery, *, needed: Version | None = None
) -> list[Damage]:
    """As `attach_index` with the segments that can be read; the others are returned, by their keys.

    For whoever looks for damage: what is saved must not be decided by half an index.
    """
    segments = _segments(query, needed)
    unread = {
        segment.file.key: Damage(None, segment.file.key, error.message)
        for segment, error in store.index.unreadable(workspace, segments)
    }
    good = [segment for segment in segments if segment.file.key not in unread]
    store.index.attach(workspace, good, merge=False)
    _prepare(workspace, query)
    return list(unread.values())


def _prepare(workspace: Workspace, query: CatalogQuery) -> None:
    prepare(
        workspace,
        barred=query.condemned(),
        barred_segments=query.barred_segments(),
        damaged=query.quarantined(),
    )


def _segments(query: CatalogQuery, needed: Version | None) -> list[Segment]:
    return [
        Segment(part.seq, part.kind, StoredFile(part.file.key, part.file.size, part.file.digest))
        for part in query.segments(needed)
    ]
