"""What a local folder is: which version it came from, and what changed since."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from datacat.catalog.query import CatalogQuery
from datacat.errors import Corrupt, NotFound
from datacat.manifest import diff
from datacat.manifest.entry import tree_digest
from datacat.model import Similar, StatusEntry, Version
from datacat.opened import OpenedStore, Watch
from datacat.progress import Noted
from datacat.sql import Workspace
from datacat.text import printable
from datacat.working_copy import marker
from datacat.working_copy.compare import compare_folder, hash_tree
from datacat.working_copy.lookup import attach_index
from datacat.working_copy.mark import attach_listing
from datacat.working_copy.marker import Marker
from datacat.working_copy.registering import LINKS, keep_registered
from datacat.working_copy.scan import keep_digests, scan_folder
from datacat.working_copy.similarity import Similarity


def status(
    store: OpenedStore,
    paths: Sequence[Path],
    *,
    hash_all: bool,
    ignore: Sequence[str],
    similar: float,
    watch: Watch,
) -> list[StatusEntry]:
    """One entry for each working copy in, above and one level below each path.

    A path without any is compared by content with all versions; from the share `similar` of bytes
    on one counts as similar. Raises `NotFound` for a path that does not exist.
    """
    snapshot = store.catalog.sync()
    query = CatalogQuery(snapshot)
    entries: list[StatusEntry] = []
    for path in paths:
        if not os.path.lexists(path):
            raise NotFound(f"{printable(str(path))} does not exist", kind="path_not_found")
        roots = marker.find(path)
        if roots:
            entries += [
                _of_copy(store, query, root, hash_all=hash_all, ignore=ignore, watch=watch)
                for root in roots
            ]
        else:
            entries.append(
                _of_other(
                    store,
                    query,
                    path,
                    head=snapshot.seq,
                    ignore=ignore,
                    similar=similar,
                    watch=watch,
                )
            )
    return entries


def _of_copy(
    store: OpenedStore,
    query: CatalogQuery,
    root: Path,
    *,
    hash_all: bool,
    ignore: Sequence[str],
    watch: Watch,
) -> StatusEntry:
    marked = marker.read(root)
    version, newest = _known_versions(store, query, marked)
    with Workspace() as workspace:
        scanned = scan_folder(workspace, root, store=store, watch=watch, ignore=ignore)
        if hash_all:
            workspace.execute("update tree set digest = null")
        attach_listing(workspace, root, marked, "listed")
        compare_folder(workspace, scanned, "listed", store=store, watch=watch)
        keep_digests(workspace, scanned, algorithm=store.algorithm)
        changes = diff.changes(workspace)
    keep_registered(store, root, watch)
    return StatusEntry(
        path=str(root),
        ref=version.ref if version else marked.ref,
        state="changed" if changes else "unchanged",
        newest=newest.ref if newest else None,
        newest_by=newest.author if newest else None,
        changes=changes,
        partial=marked.partial,
        linked=marked.link in LINKS,
        files=scanned.report.files,
        bytes=scanned.report.bytes,
        missing=version is None,
    )


def _known_versions(
    store: OpenedStore, query: CatalogQuery, marked: Marker
) -> tuple[Version | None, Version | None]:
    """The copy's version and its dataset's newest, as far as this store knows them."""
    if marked.store_id != store.info.id:
        return None, None
    name = query.current_name(marked.name)
    if name is None:
        return None, None
    return query.find_version(name, marked.number), query.newest(name)


def _of_other(
    store: OpenedStore,
    query: CatalogQuery,
    path: Path,
    *,
    head: int,
    ignore: Sequence[str],
    similar: float,
    watch: Watch,
) -> StatusEntry:
    """A folder that datacat did not make: the version with exactly this content, if any, else
    those that are similar."""
    found: tuple[Similar, ...] = ()
    with Workspace() as workspace:
        scanned = scan_folder(workspace, path, store=store, watch=watch, ignore=ignore)
        hash_tree(workspace, scanned, store=store, watch=watch)
        keep_digests(workspace, scanned, algorithm=store.algorithm)
        tree = tree_digest(workspace, "tree", algorithm=store.algorithm)
        known = query.version_by_tree(tree.hex()) if scanned.report.files else None
        if known is None:
            similarity = Similarity(
                store, workspace, query, head=head, threshold=similar, watch=watch
            )
            try:
                attach_index(store, workspace, query, needed=None)
                found = similarity.found
            except Corrupt as error:
                # `verify` names what is damaged; what else the folder is can still be said.
                watch.listener(Noted(f"not compared with similar versions: {error}"))
    return StatusEntry(
        path=str(scanned.root),
        ref=None,
        state="untracked",
        newest=None,
        newest_by=None,
        changes=(),
        partial=False,
        linked=False,
        files=scanned.report.files,
        bytes=scanned.report.bytes,
        identical_to=known.ref if known else None,
        similar=found,
    )
