"""Heal: what an add stores again that was found damaged, older versions are read from as well."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

from datacat import layout
from datacat.catalog.fold import Fold
from datacat.catalog.query import CatalogQuery
from datacat.catalog.record import REPAIR, Envelope, ObjectRelocate
from datacat.catalog.record_parts import MovedManifest, StoredSegment
from datacat.catalog.snapshot import Snapshot
from datacat.errors import Conflict, OutcomeUnknown, StorageError
from datacat.opened import OpenedStore
from datacat.sql import Workspace
from datacat.working_copy.publish import publish_segment


@dataclass(frozen=True, slots=True)
class Relocation:
    """What a session stored again: its parts of the index, and lists of files."""

    session: str
    chunks: StoredSegment | None
    recipes: StoredSegment | None
    manifests: tuple[MovedManifest, ...] = ()


def relocate(
    store: OpenedStore, snapshot: Snapshot, moved: Relocation, *, containers: set[str]
) -> None:
    """Record that content lies elsewhere as well, in `containers`.

    Raises `Conflict` when one of them was condemned meanwhile: then it is as if nothing was done.
    """

    def make(fold: Fold, envelope: Envelope) -> ObjectRelocate:
        if not containers.isdisjoint(fold.condemned_since_base()):
            raise Conflict(
                "what was to be mended changed meanwhile",
                kind="changed_meanwhile",
                hint="Run the same command again.",
            )
        return ObjectRelocate(
            **envelope,
            crit=(REPAIR,),
            session=moved.session,
            chunks=moved.chunks,
            recipes=moved.recipes,
            manifests=moved.manifests,
        )

    store.commit(make, start=snapshot)


def heal(store: OpenedStore, workspace: Workspace, snapshot: Snapshot) -> None:
    """Tell every version of what this session stored, if any of it was there before and damaged.

    Needs `new_chunks` and `new_recipes` as `publish` or `Ingest` left them, all durable. Best
    effort: what was saved is saved; without this, `repair` finds it.
    """
    query = CatalogQuery(snapshot)
    if not query.quarantined():
        return
    # Of a lost part of the index nobody knows what it held: then all of it may help.
    (known,) = workspace.row(
        f"""
        select count(*) from new_chunks
        where digest not in (select digest from usable) and (
            digest in (select digest from chunks) or digest in (select object from recipes)
            or exists (from damaged where starts_with(container, '{layout.SEGMENTS}'))
        )
        """
    )
    if not known:
        return
    keep_each_once(workspace)
    session = store.client.new_id()
    with suppress(Conflict, OutcomeUnknown, StorageError):
        chunks = publish_segment(store, workspace, "chunks", layout.chunks_segment(session))
        recipes = publish_segment(store, workspace, "recipes", layout.recipes_segment(session))
        store.backend.sync()
        used = workspace.all("select distinct container from new_chunks")
        relocate(
            store,
            snapshot,
            Relocation(session, chunks, recipes),
            containers={row[0] for row in used},
        )


def keep_each_once(workspace: Workspace) -> None:
    """Leave one row of each chunk and each part of a recipe in `new_chunks` and `new_recipes`: a
    reader refuses a segment that says anything twice."""
    for table, once in (
        ("new_chunks", "digest, reference is null"),
        ("new_recipes", "object, ordinal"),
    ):
        workspace.execute(
            f"delete from {table} where rowid not in"
            f" (select min(rowid) from {table} group by {once})"
        )
