"""Publish a version: segment, manifest, record, in this order."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from msgspec import UNSET

from datacat import layout
from datacat.catalog.fold import Fold
from datacat.catalog.query import CatalogQuery
from datacat.catalog.record import Envelope, VersionAdd
from datacat.catalog.record_parts import ChangeCounts, CodeState, StoredFile, StoredSegment
from datacat.catalog.snapshot import Snapshot
from datacat.digest import label, new_hasher
from datacat.errors import Corrupt
from datacat.manifest import parquet
from datacat.manifest.sketch import sketch_of
from datacat.model import Changes, Version
from datacat.objects.index import CHUNK_COLUMNS, RECIPE_COLUMNS, write_segment
from datacat.objects.parts import choose_parts
from datacat.opened import OpenedStore
from datacat.sql import Workspace
from datacat.working_copy.conflict import overtaken_meanwhile
from datacat.working_copy.request import SaveRequest
from datacat.working_copy.target import Target

SEGMENTS_LISTED_MAX = 20_000
"""A version that draws on more segments than this does not list them: any may be needed."""

LAST = (1 << 63) - 1
"""Stands for the record that is being made: it comes after every other."""


class CondemnedMeanwhileError(Exception):
    """Content that this session refers to was condemned by `gc`: upload it again."""


@dataclass(frozen=True, slots=True)
class Publication:
    """What is to be published: everything that the record will say besides the request."""

    target: Target
    tree: bytes
    changes: Changes
    sources: tuple[str, ...]
    session: str


def choose_chunks(workspace: Workspace) -> None:
    """Make `chosen`: for each chunk that `entries` needs, the one place it is read from.

    Also for the chunks that those were made against. Raises `Corrupt` when one is nowhere: a
    version never refers to what is not stored.
    """
    run = workspace.execute
    run("create view content as select digest from entries where kind = 'file' and size > 0")
    run(
        f"""
        create view places as
        select {CHUNK_COLUMNS}, seq, false as fresh from usable
        union all
        select {CHUNK_COLUMNS}, null, true from new_chunks
        union all
        select {CHUNK_COLUMNS}, null, false from found_chunks
        """
    )
    run(
        f"""
        create view every_recipe as
        select {RECIPE_COLUMNS}, seq from usable_recipes
        union all
        select {RECIPE_COLUMNS}, {LAST} from new_recipes
        """
    )
    choose_parts(workspace, "content", into="parts", chunks="places", recipes="every_recipe")
    run(
        """
        create table chosen as
        with needed as (select distinct chunk as digest from parts),
        direct as (
            select n.digest, p.* exclude (digest)
            from needed n left join places p on p.digest = n.digest
            qualify row_number() over (
                partition by n.digest
                order by p.seq is null, p.reference is not null, p.seq, p.container
            ) = 1
        ),
        sources as (
            select n.reference as digest, p.* exclude (digest)
            from (select distinct reference from direct where reference is not null) n
            left join places p on p.digest = n.reference and p.reference is null
            qualify row_number() over (
                partition by n.reference order by p.seq is null, p.seq, p.container
            ) = 1
        )
        select * from direct union select * from sources
        """
    )
    (lost,) = workspace.row("select count(*) from chosen where container is null")
    if lost:
        raise Corrupt(f"{lost} pieces of content were not stored", kind="not_stored")


@dataclass(frozen=True, slots=True)
class StoredVersion:
    """A version that is stored and that nobody can see yet: what its record says of its content.

    `named` are the files besides containers that the record refers to.
    """

    manifest: StoredFile
    chunks: StoredSegment | None
    recipes: StoredSegment | None
    segments: tuple[int, ...] | None
    named: frozenset[str]
    files: int
    bytes: int
    new_bytes: int
    stored_bytes: int
    sketch: str


def store_version(
    store: OpenedStore, workspace: Workspace, snapshot: Snapshot, *, session: str, tree: bytes
) -> StoredVersion:
    """Upload segments and manifest of the version whose entries have the digest `tree`.

    Needs `entries` and `chosen`, and what `choose_chunks` needs.
    """
    # What was made against an older chunk is as new as what it takes.
    new_bytes, stored_bytes = workspace.row(
        """
        select coalesce(sum(case when reference is null then size else stored_size end), 0)::bigint,
               coalesce(sum(stored_size), 0)::bigint
        from chosen where fresh
        """
    )
    # INV order: containers are durable already; segments and manifest become so before the record.
    _keep_needed(workspace)
    chunks = publish_segment(store, workspace, "chunks", layout.chunks_segment(session))
    recipes = publish_segment(store, workspace, "recipes", layout.recipes_segment(session))
    path = workspace.folder / "manifest.parquet"
    parquet.write(workspace, "entries", path)
    manifest = uploaded(store, layout.manifest(tree.hex(), session), path)
    store.backend.sync()

    files, size = workspace.row(
        "select count(*) filter (kind <> 'dir'), coalesce(sum(size) filter (kind = 'file'), 0)"
        "::bigint from entries"
    )
    # A recipe may lie in another segment than all the chunks that it is made of.
    drawn_on = {
        row[0]
        for row in workspace.all(
            "select seq from chosen where seq is not null"
            f" union select seq from parts where seq < {LAST}"
        )
    }
    named = {part.file.key for part in CatalogQuery(snapshot).segments() if part.seq in drawn_on}
    # An add that is slower than the upload period may find what it has just uploaded condemned.
    named |= {file.key for file in (manifest, chunks, recipes) if file is not None}
    return StoredVersion(
        manifest=manifest,
        chunks=chunks,
        recipes=recipes,
        segments=tuple(sorted(drawn_on)) if len(drawn_on) <= SEGMENTS_LISTED_MAX else None,
        named=frozenset(named),
        files=files,
        bytes=size,
        new_bytes=new_bytes,
        stored_bytes=stored_bytes,
        sketch=sketch_of(workspace, "entries"),
    )


def publish(
    store: OpenedStore,
    workspace: Workspace,
    snapshot: Snapshot,
    request: SaveRequest,
    publication: Publication,
) -> Version:
    """Upload segment and manifest, then commit the record. Needs `entries` and `chosen`.

    Raises `OvertakenMeanwhileError` when someone saved in between, `CondemnedMeanwhileError`,
    `OutcomeUnknown`.
    """
    session, target, code = publication.session, publication.target, request.code
    stored = store_version(store, workspace, snapshot, session=session, tree=publication.tree)

    def make(fold: Fold, envelope: Envelope) -> VersionAdd:
        check_condemned(workspace, fold, stored.named)
        overtaken_meanwhile(fold, target, force=request.force)
        return VersionAdd(
            **envelope,
            dataset=target.name,
            number=fold.next_number(target.name),
            tree=label(store.algorithm, publication.tree),
            session=session,
            manifest=stored.manifest,
            chunks=stored.chunks,
            recipes=stored.recipes,
            files=stored.files,
            bytes=stored.bytes,
            new_bytes=stored.new_bytes,
            stored_bytes=stored.stored_bytes,
            changes=ChangeCounts(
                added=publication.changes.added,
                modified=publication.changes.modified,
                removed=publication.changes.removed,
            ),
            message=request.message,
            base_version=target.newest.number if target.newest else None,
            sources=publication.sources,
            params=dict(request.params),
            metrics=dict(request.metrics),
            better={key: better.value for key, better in request.better.items()} or UNSET,
            code=CodeState(repo=code.repo, commit=code.commit, dirty=code.dirty) if code else None,
            sketch=stored.sketch,
            description=request.description,
            tags=request.tags,
            aliases=(request.alias,) if request.alias else (),
            segments=stored.segments,
            added_from=request.added_from or UNSET,
        )

    committed = store.commit(make, start=snapshot)
    record = committed.entry.record
    if not isinstance(record, VersionAdd):
        raise TypeError("the record that was committed is not the one that was made")
    return Version(
        name=target.name,
        number=record.number,
        hash=publication.tree.hex(),
        message=record.message,
        author=record.by,
        created_at=record.at,
        files=record.files,
        bytes=record.bytes,
        new_bytes=record.new_bytes,
        stored_bytes=record.stored_bytes,
        base=target.newest.ref if target.newest else None,
        changes=publication.changes,
        aliases=record.aliases,
        sources=record.sources,
        params=record.params,
        metrics=record.metrics,
        better=request.better,
        code=code,
        added_from=request.added_from,
    )


def _keep_needed(workspace: Workspace) -> None:
    """Leave in `new_chunks` and `new_recipes` what this commit adds to the index."""
    run = workspace.execute
    run(
        "delete from new_chunks n where not exists (select 1 from chosen c where c.fresh"
        " and c.digest = n.digest and c.container = n.container)"
    )
    # Each once: old content may repeat itself, and another file may have stored the same meanwhile.
    run(
        f"""
        insert into new_chunks
        select {CHUNK_COLUMNS} from found_chunks
        where digest not in (select digest from new_chunks where reference is null)
          and digest not in (select digest from usable where reference is null)
        qualify row_number() over (partition by digest order by container, "offset") = 1
        """
    )
    run("delete from new_recipes where object not in (select object from parts)")
    run(f"insert into new_recipes select {RECIPE_COLUMNS} from found_recipes")
    # A reader refuses a segment that says anything twice: whoever noted it, it is published once.
    for table, once in (
        ("new_chunks", "digest, reference is null"),
        ("new_recipes", "object, ordinal"),
    ):
        run(
            f"delete from {table} where rowid not in"
            f" (select min(rowid) from {table} group by {once})"
        )


def publish_segment(
    store: OpenedStore, workspace: Workspace, relation: str, key: str
) -> StoredSegment | None:
    """Upload `new_chunks` or `new_recipes`: what a commit adds to the index, if anything."""
    (rows,) = workspace.row(f"select count(*) from new_{relation}")
    if not rows:
        return None
    path = workspace.folder / f"{relation}.parquet"
    write_segment(workspace, relation, path)
    file = uploaded(store, key, path)
    return StoredSegment(key=file.key, size=file.size, digest=file.digest, rows=rows)


def uploaded(store: OpenedStore, key: str, path: Path) -> StoredFile:
    """Upload a local file, and say how a record names it."""
    hasher = new_hasher(store.algorithm)
    with path.open("rb") as file:
        while data := file.read(4 * 1024 * 1024):
            hasher.update(data)
    store.backend.write_file(key, path)
    return StoredFile(
        key=key, size=path.stat().st_size, digest=label(store.algorithm, hasher.digest())
    )


def check_condemned(workspace: Workspace, fold: Fold, named: frozenset[str]) -> None:
    """What gc has condemned must not be referred to again (INV names), nor what is damaged.

    `named` are manifest and segments, of this session and those that it draws on; the containers
    are in `chosen`.
    """
    names = fold.condemned_since_base() | fold.quarantined_since_base()
    if not named.isdisjoint(names):
        raise CondemnedMeanwhileError
    if names:
        (hit,) = workspace.row(
            "select count(*) from chosen where container in (select unnest($1::varchar[]))",
            [sorted(names)],
        )
        if hit:
            raise CondemnedMeanwhileError
