"""What a garbage collection says of itself: which versions go, whose they were, what that frees."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from datacat import layout, sql
from datacat.backend.download import StoredFile
from datacat.catalog.rows import VersionKey
from datacat.catalog.stored import StoredQuery, StoredVersion
from datacat.copies import working_copies
from datacat.digest import DIGEST_BYTES
from datacat.errors import Corrupt
from datacat.model import Collected, Collection, Waiting
from datacat.objects.pack import FIXED_BYTES, entry_bytes
from datacat.opened import OpenedStore
from datacat.progress import StopSignal
from datacat.sql import Workspace
from datacat.transfer.manifests import fetch_manifests

_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


def explained(
    store: OpenedStore,
    workspace: Workspace,
    query: StoredQuery,
    *,
    roots: Sequence[StoredVersion],
    expired: Sequence[StoredVersion],
    waiting: Sequence[Waiting],
) -> Collection:
    """What the tables of the plan come to."""
    files, size = workspace.row(
        """
        select count(*), coalesce(sum(size), 0)::bigint from (
            select size from doomed
            union all select size from left_over where is_there
            union all select size from temporary
        )
        """
    )
    (unfinished,) = workspace.row(
        "select count(distinct session) from doomed"
        " where session in (select session from unfinished)"
    )
    (left_over,) = workspace.row("select count(*) from left_over")
    only_here = _only_here(store, workspace, expired)
    pulled = _last_pulled(store, query) if expired else {}
    live = [version for version in roots if version.trashed_seq is None]
    return Collection(
        versions=tuple(
            Collected(
                ref=version.ref,
                owner=version.owner,
                trashed_by=version.trashed_by or "",
                trashed_at=version.trashed_at or _LONG_AGO,
                bytes=version.bytes,
                only_here_bytes=only_here.get(version.key),
                last_pulled=pulled.get(version.ref),
            )
            for version in expired
        ),
        trashed=(),
        waiting=tuple(waiting),
        unfinished=unfinished,
        left_over_files=left_over,
        freed_files=files,
        freed_bytes=size,
        kept_versions=len(live),
        kept_datasets=len({version.dataset_id for version in live}),
        unused_bytes=_unused(workspace, entry=entry_bytes(DIGEST_BYTES[store.algorithm])),
    )


def _last_pulled(store: OpenedStore, query: StoredQuery) -> dict[str, datetime]:
    """When somebody pulled a version last, as far as people share that."""
    pulled: dict[str, datetime] = {}
    for copy in working_copies(store, query):
        if (last := copy.last_pull) is not None:
            pulled[last.ref] = max(last.at, pulled.get(last.ref, last.at))
    return pulled


def _only_here(
    store: OpenedStore, workspace: Workspace, expired: Sequence[StoredVersion]
) -> dict[VersionKey, int]:
    """The size of the doomed files that belong to one of the expired versions alone.

    Nothing when a list of files is lost: that is no reason to keep what it listed.
    """
    if not expired:
        return {}
    numbers = {version.manifest.key: number for number, version in enumerate(expired)}
    run = workspace.execute
    run("create table going (digest blob, version integer)")
    wanted = [StoredFile(v.manifest.key, v.manifest.size, v.manifest.digest) for v in expired]
    try:
        for batch in fetch_manifests(
            store.backend,
            workspace,
            wanted,
            store.cache / "manifests",
            jobs=store.client.jobs,
            stop=StopSignal(),  # one that a failure here may set
        ):
            run("create or replace temp table batch (name varchar, version integer)")
            workspace.load("batch", ((path.name, numbers[key]) for key, path in batch.items()))
            run(
                f"""
                insert into going
                select distinct m.digest, b.version
                from {sql.parquet(list(batch.values()))} m
                join batch b on b.name = parse_filename(m.filename)
                where m.kind = 'file' and m.size > 0
                """
            )
    except Corrupt:
        return {}
    found = workspace.all(
        """
        with pieces as (
            select digest, version from going
            union
            select r.chunk, g.version from recipes r join going g on g.digest = r.object
        ),
        held as (
            select c.container as key, p.version
            from chunks c join pieces p on p.digest = c.digest
            group by all
        ),
        alone as (
            select key, any_value(version) as version
            from held group by key having count(*) = 1
        )
        select a.version, sum(d.size)::bigint
        from alone a join doomed d on d.key = a.key
        group by a.version
        """
    )
    taken: dict[int, int] = dict(found)
    return {version.key: int(taken.get(n, 0)) for n, version in enumerate(expired)}


def _unused(workspace: Workspace, *, entry: int) -> int:
    """Bytes of packs that stay which nothing is read from."""
    (unused,) = workspace.row(
        f"""
        with packs as (
            select s.key, s.size from stored s semi join live l on l.key = s.key
            where starts_with(s.key, '{layout.PACKS}')
        ),
        frames as (
            select d.container as key, d."offset", max(d.stored_size) + {entry} as bytes
            from drawn d
            semi join reached r on r.digest = d.digest
            group by d.container, d."offset"
        )
        select coalesce((select sum(size - {FIXED_BYTES}) from packs), 0)::bigint - coalesce(
            (select sum(bytes) from frames f semi join packs p on p.key = f.key), 0
        )::bigint
        """
    )
    return max(0, int(unused))
