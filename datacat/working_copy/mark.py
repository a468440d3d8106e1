"""Mark a folder as a working copy of the version that was just saved or pulled."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from datacat import sql
from datacat.digest import file_checksum
from datacat.errors import DatacatError
from datacat.manifest import parquet
from datacat.model import LinkMode, Version
from datacat.opened import OpenedStore
from datacat.sql import Workspace
from datacat.working_copy import marker
from datacat.working_copy.marker import Marker, Pulled
from datacat.working_copy.scan import Scanned


def attach_listing(workspace: Workspace, root: Path, marked: Marker, view: str) -> None:
    """Make `view` show the entries that the marker of `root` speaks of.

    Raises `Corrupt` (`damaged_marker`) when the list is not the one that was written with it.
    """
    path = marker.listing(root, marked.listing)
    try:
        whole = file_checksum(path) == marked.listing
    except OSError as error:
        raise marker.damaged(root, f"{path.name}: {error.strerror}") from error
    if not whole:
        raise marker.damaged(root, f"{path.name} was changed")
    parquet.attach(workspace, path, view)


def id_for(store: OpenedStore, root: Path, was: Marker | None) -> str:
    """The id of the working copy at `root`: the one that it had, or a new one."""
    if was is None:
        return store.client.new_id()
    return marker.copy_id(root, was, host=store.client.host)


def mark_saved(
    store: OpenedStore,
    workspace: Workspace,
    scanned: Scanned,
    version: Version,
    *,
    partial: bool,
) -> None:
    """The folder is now a copy of `version`. Best effort: it may be read-only, or a single file.

    A provider is never written to.
    """
    if scanned.root is None or not scanned.root.is_dir():
        return
    was = scanned.marker
    copy_id = id_for(store, scanned.root, was)
    with suppress(DatacatError, OSError, sql.Error):
        mark(
            store,
            workspace,
            scanned.root,
            version,
            relation="tree",
            patterns=was.patterns if was and partial else (),
            link=was.link if was else LinkMode.COPY,
            copy_id=copy_id,
            pulled_at=store.client.now(),
            saved=True,
            # Into a copy of that folder nobody pulled.
            last_pull=was.last_pull if was and was.id == copy_id else None,
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
    copy_id: str,
    pulled_at: datetime,
    saved: bool = False,
    last_pull: Pulled | None = None,
) -> None:
    """Write the marker of `root`; `relation` holds the entries of `version` that lie there."""
    folder = marker.prepare(root)
    # The list first: a marker never speaks of a list that is not there.
    written = folder / f".manifest-{secrets.token_hex(8)}"
    try:
        parquet.write(workspace, relation, written)
        checksum = file_checksum(written)
        path = marker.listing(root, checksum)
        os.replace(written, path)
    finally:
        written.unlink(missing_ok=True)
    marked = Marker(
        store_id=store.info.id,
        store_url=store.backend.url,
        name=version.name,
        number=version.number,
        hash=version.hash,
        link=link,
        pulled_at=pulled_at,
        user=store.client.user,
        id=copy_id,
        listing=checksum,
        patterns=patterns,
        saved=saved,
        last_pull=last_pull,
        host=store.client.host,
        path=os.path.abspath(root),
        inode=marker.inode_of(root),
    )
    marker.write(root, marked)
    for other in marker.listings(root):
        if other != path:
            other.unlink(missing_ok=True)
