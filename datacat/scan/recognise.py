"""Which of the folders that were found are versions that the team has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from datacat.catalog.query import CatalogQuery
from datacat.errors import Cancelled, DatacatError
from datacat.manifest.entry import tree_digest
from datacat.model import CopyGroup, Version
from datacat.opened import OpenedStore, Watch
from datacat.sql import Workspace
from datacat.working_copy.compare import hash_tree
from datacat.working_copy.scan import keep_digests, scan_folder


def recognise(
    store: OpenedStore, groups: Sequence[CopyGroup], *, ignore: Sequence[str], watch: Watch
) -> list[CopyGroup]:
    """The groups with the `ref` of the version that their first copy is, as far as one is.

    Only a copy that has as many bytes as some version is read, with the digest of the
    store; what is known from a pull, an add or an earlier scan is not read again.
    """
    query = CatalogQuery(store.catalog.sync(), store=store.backend.url)
    sizes = {version.bytes for version in query.every_version()}
    found: list[CopyGroup] = []
    for group in groups:
        version = None
        if group.bytes_each in sizes:
            version = identify(store, query, Path(group.paths[0].path), ignore=ignore, watch=watch)
        found.append(group if version is None else replace(group, ref=version.ref))
    return found


def identify(
    store: OpenedStore, query: CatalogQuery, path: Path, *, ignore: Sequence[str], watch: Watch
) -> Version | None:
    """The version with exactly the content of the folder or file at `path`, if there is one.

    None also for what cannot be saved as a version: an unreadable file, a name that is no text.
    """
    try:
        with Workspace() as workspace:
            scanned = scan_folder(workspace, path, store=store, watch=watch, ignore=ignore)
            hash_tree(workspace, scanned, store=store, watch=watch)
            keep_digests(workspace, scanned, algorithm=store.algorithm)
            tree = tree_digest(workspace, "tree", algorithm=store.algorithm)
    except Cancelled:
        raise
    except DatacatError:
        return None
    return query.version_by_tree(tree.hex())
