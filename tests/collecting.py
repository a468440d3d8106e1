"""What tests of garbage collection share: what is in a store that nobody needs."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

from datacat import layout
from datacat.backend import Backend
from datacat.backend.open import open_backend
from datacat.catalog.stored import StoredQuery
from datacat.model import Periods
from datacat.objects.pack import read_footer
from datacat.sql import Workspace
from datacat.store import Store
from datacat.working_copy.lookup import attach_index, attach_manifest
from tests.conftest import make_client
from tests.trees import Tree, read_tree, without_times

AT_ONCE = Periods(trash=timedelta(0), uploads=timedelta(0))
"""Everything that can go goes."""

NAMED = (layout.MANIFESTS, layout.SEGMENTS, layout.WHOLE, layout.PACKS)


def names(store: Store) -> set[str]:
    """Every file of the store with a session in its name."""
    backend = open_backend(store.url)
    return {found.key for place in NAMED for found in backend.keys(place)}


def holds(backend: Backend, key: str) -> set[bytes]:
    """The digests in a container, as the container itself says."""
    if layout.is_whole(key):
        return {bytes.fromhex(key.rpartition("/")[2].partition("-")[0])}
    found = backend.stat(key)
    assert found is not None
    return {entry.digest for entry in read_footer(backend, key, size_bytes=found.size_bytes)}


def needless(store: Store) -> set[str]:
    """Files that no version outside the trash has a use for: told from what they hold."""
    opened = store._opened
    query = StoredQuery(opened.catalog.sync())
    needed: set[str] = set()
    digests: set[bytes] = set()
    with Workspace() as workspace:
        attach_index(opened, workspace, query, needed=None)
        for number, version in enumerate(query.every_version()):
            needed.add(query.manifest_of(version).key)
            needed.update(part.file.key for part in query.segments(version))
            view = f"files_{number}"
            attach_manifest(opened, workspace, query, version, view)
            digests.update(
                row[0]
                for row in workspace.rows(
                    f"""
                    with files as (select digest from {view} where kind = 'file' and size > 0),
                    pieces as (
                        select digest from files
                        union
                        select chunk from recipes where object in (select digest from files)
                    )
                    select digest from pieces
                    union
                    select reference from chunks
                    where digest in (select digest from pieces) and reference is not null
                    """
                )
            )
        # A part of a whole container may serve, although its own content is in no version.
        serving = {
            container
            for digest, container in workspace.rows("select digest, container from chunks")
            if digest in digests
        }
    backend = open_backend(store.url)
    return {
        key
        for key in names(store)
        if key not in needed
        and not (
            key.startswith((layout.WHOLE, layout.PACKS))
            and (key in serving or not holds(backend, key).isdisjoint(digests))
        )
    }


def assert_are(store: Store, trees: Mapping[str, Tree], folder: Path) -> None:
    """A stranger without a cache gets exactly these trees, by their references."""
    stranger = folder / "stranger"
    shutil.rmtree(stranger, ignore_errors=True)
    with Store.open(store.url, client=make_client(stranger, "carol")) as carol:
        for ref, tree in trees.items():
            carol.pull(ref, dest=stranger / ref)
            assert without_times(read_tree(stranger / ref)) == without_times(tree)
        verified = carol.verify(list(trees)) if trees else []
        assert {one.target: one.ok for one in verified} == dict.fromkeys(trees, True)
    shutil.rmtree(stranger, ignore_errors=True)
