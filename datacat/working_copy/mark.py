"""Mark a folder as a working copy of the version that was just saved or pulled."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from datacat import sql
from datacat.errors import DatacatError
from datacat.manifest import parquet
from datacat.model import LinkMode, Version
from datacat.opened import OpenedStore
from datacat.sql import Workspace
from datacat.working_copy import marker
from datacat.working_copy.marker import Marker
from datacat.working_copy.scan import Scanned


def listing(root: Path, marked: Marker) -> Path:
    """The local list of the entries that the marker speaks of, in the form of a manifest.

    It carries the marker's id, so that a marker never speaks of another one's list.
    """
    return root / marker.DIRECTORY / f"manifest-{marked.id}.parquet"


def mark_saved(
    store: OpenedStore,
    workspace: Workspace,
    scanned: Scanned,
    version: Version,
    *,
    partial: bool,
) -> None:
    """The folder is now a copy of `version`. Best effort: it may be read-only, or a single file."""
    if not scanned.root.is_dir():
        return
    was = scanned.marker
    with suppress(DatacatError, OSError, sql.Error):
        mark(
            store,
            workspace,
            scanned.root,
            version,
            relation="tree",
            patterns=was.patterns if was and partial else (),
            link=was.link if was else LinkMode.COPY,
        )


def mark(
    store: OpenedStore,
    workspace: Workspace,
    root: Path,
    version: Version,
    *,
    relation: str,
    patterns: tuple[str, ...],
    link: LinkMode,
) -> None:
    """Write the marker of `root`; `relation` holds the entries of `version` that lie there."""
    folder = marker.prepare(root)
    marked = Marker(
        store_id=store.info.id,
        store_url=store.backend.url,
        name=version.name,
        number=version.number,
        hash=version.hash,
        link=link,
        pulled_at=store.client.now(),
        user=store.client.user,
        id=store.client.new_id(),
        patterns=patterns,
    )
    # The list first: a marker never speaks of a list that is not there.
    path = listing(root, marked)
    parquet.write(workspace, relation, path)
    marker.write(root, marked)
    for other in folder.glob("manifest-*.parquet"):
        if other != path:
            other.unlink(missing_ok=True)
