"""Publish a version: segment, manifest, record, in this order."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from datacat import layout
from datacat.catalog.fold import Fold
from datacat.catalog.query import CatalogQuery
from datacat.catalog.record import ChangeCounts, CodeState, StoredFile, StoredSegment, VersionAdd
from datacat.catalog.snapshot import Snapshot
from datacat.digest import label, new_hasher
from datacat.errors import Corrupt
from datacat.manifest import parquet
from datacat.manifest.sketch import sketch_of
from datacat.model import Changes, Version
from datacat.objects.index import write_segment
from datacat.opened import OpenedStore
from datacat.sql import Workspace
from datacat.working_copy.conflict import overtaken_meanwhile
from datacat.working_copy.request import SaveRequest
from datacat.working_copy.target import Target

SEGMENTS_LISTED_MAX = 20_000
"""A version that draws on more segments than this does not list them: any may be needed."""


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
    """Make `chosen`: for each piece of content of `entries`, the one place it is read from.

    Raises `Corrupt` when a piece is nowhere: a version never refers to what is not stored.
    """
    workspace.execute(
        """
        create table chosen as
        with content as (
            select distinct digest from entries where kind = 'file' and size > 0
        ),
        needed as (
            select digest from content
            where digest not in (select object from recipes where object is not null)
            union
            select r.chunk from recipes r semi join content c on c.digest = r.object
        ),
        places as (
            select digest, size, stored_size, container, seq from usable
            union all
            select digest, size, stored_size, container, null from new_chunks
        )
        select n.digest, p.size, p.stored_size, p.container, p.seq
        from needed n left join places p on p.digest = n.digest
        qualify row_number() over (
            partition by n.digest order by p.seq is null, p.seq, p.container
        ) = 1
        """
    )
    (lost,) = workspace.row("select count(*) from chosen where container is null")
    if lost:
        raise Corrupt(f"{lost} pieces of content were not stored", kind="not_stored")


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
    session = publication.session
    new_bytes, stored_bytes, rows = workspace.row(
        "select coalesce(sum(size), 0)::bigint, coalesce(sum(stored_size), 0)::bigint, count(*)"
        " from chosen where seq is null"
    )
    # INV order: containers are durable already; segment and manifest become so before the record.
    chunks = None
    if rows:
        workspace.execute(
            "delete from new_chunks n where not exists (select 1 from chosen c where"
            " c.digest = n.digest and c.container = n.container and c.seq is null)"
        )
        key = layout.chunks_segment(session)
        path = workspace.folder / "chunks.parquet"
        write_segment(workspace, "chunks", path)
        file = _uploaded(store, key, path)
        chunks = StoredSegment(key=file.key, size=file.size, digest=file.digest, rows=rows)
    path = workspace.folder / "manifest.parquet"
    parquet.write(workspace, "entries", path)
    manifest = _uploaded(store, layout.manifest(publication.tree.hex(), session), path)
    store.backend.sync()

    files, size = workspace.row(
        "select count(*) filter (kind <> 'dir'), coalesce(sum(size) filter (kind = 'file'), 0)"
        "::bigint from entries"
    )
    seqs = [
        row[0] for row in workspace.all("select distinct seq from chosen where seq is not null")
    ]
    drawn_on = set(seqs)
    segments = {part.file.key for part in CatalogQuery(snapshot).segments() if part.seq in drawn_on}
    sketch = sketch_of(workspace, "entries")
    target, code = publication.target, request.code

    def make(fold: Fold, seq: int, prev: str) -> VersionAdd:
        _check_condemned(workspace, fold, segments)
        overtaken_meanwhile(fold, target, force=request.force)
        return VersionAdd(
            seq=seq,
            txid=txid,
            prev=prev,
            base=snapshot.seq,
            by=store.client.user,
            host=store.client.host,
            client=store.client.program,
            at=at,
            dataset=target.name,
            number=fold.next_number(target.name),
            tree=label(store.algorithm, publication.tree),
            session=session,
            manifest=manifest,
            chunks=chunks,
            files=files,
            bytes=size,
            new_bytes=new_bytes,
            stored_bytes=stored_bytes,
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
            code=CodeState(repo=code.repo, commit=code.commit, dirty=code.dirty) if code else None,
            sketch=sketch,
            description=request.description,
            tags=request.tags,
            aliases=(request.alias,) if request.alias else (),
            segments=tuple(sorted(seqs)) if len(seqs) <= SEGMENTS_LISTED_MAX else None,
        )

    txid, at = store.client.new_id(), store.client.now().replace(microsecond=0)
    committed = store.catalog.commit(make, start=snapshot)
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
        code=code,
    )


def _uploaded(store: OpenedStore, key: str, path: Path) -> StoredFile:
    hasher = new_hasher(store.algorithm)
    with path.open("rb") as file:
        while data := file.read(4 * 1024 * 1024):
            hasher.update(data)
    store.backend.write_file(key, path)
    return StoredFile(
        key=key, size=path.stat().st_size, digest=label(store.algorithm, hasher.digest())
    )


def _check_condemned(workspace: Workspace, fold: Fold, segments: set[str]) -> None:
    """What gc has condemned must not be referred to again (INV names): containers and segments."""
    names = fold.condemned_since_base()
    if not segments.isdisjoint(names):
        raise CondemnedMeanwhileError
    if names:
        (hit,) = workspace.row(
            "select count(*) from chosen where container in (select unnest($1::varchar[]))",
            [sorted(names)],
        )
        if hit:
            raise CondemnedMeanwhileError
