"""Reach: the files of the store that versions are read from, as one set.

From the versions forward: their lists of files, the parts of the index they draw on, all content
that is listed, every recipe and every place of it in those parts, and what a chunk was made
against. It is more than a reader needs, never less: every place counts, not only the first one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from datacat import sql
from datacat.backend.download import StoredFile
from datacat.catalog.stored import StoredQuery, StoredVersion
from datacat.objects.index import Segment
from datacat.opened import OpenedStore, Watch
from datacat.progress import Advanced, Finished, Started
from datacat.sql import Workspace
from datacat.transfer.manifests import fetch_manifests

MERGE_ROWS = 4_000_000
"""Rows that `content` may grow by before those that are there twice are merged."""


def attach_segments(store: OpenedStore, workspace: Workspace, query: StoredQuery) -> None:
    """Make the views `chunks` and `recipes` over the whole index, and `segments(seq, key)`.

    Raises `Corrupt` naming the part of the index that is missing or damaged.
    """
    parts = query.segments()
    workspace.execute("create table segments (seq bigint, key varchar)")
    workspace.load("segments", ((part.seq, part.file.key) for part in parts))
    store.index.attach(
        workspace,
        [Segment(p.seq, p.kind, StoredFile(p.file.key, p.file.size, p.file.digest)) for p in parts],
        merge=True,
    )


def reach(
    store: OpenedStore,
    workspace: Workspace,
    roots: Sequence[StoredVersion],
    watch: Watch,
    *,
    relocations: Iterable[int],
) -> None:
    """Make `live(key)`: every file that `roots` are read from. Needs `attach_segments`.

    Also `reached(digest)`, the chunks that they are made of. `relocations` are the records that put
    content elsewhere. A damaged container stays while anything in it is needed: what can still be
    read of it is all that is left of what is lost. Raises `Corrupt` naming a list of
    files that cannot be read: then nothing is known to be free.
    """
    run = workspace.execute
    _gather_content(store, workspace, roots, watch)
    _gather_segments(workspace, roots, relocations)
    watch.stop.check()
    run("create view drawn as select c.* from chunks c semi join drawn_on using (seq)")
    run(
        """
        create table reached as
        select digest from content
        union
        select r.chunk
        from recipes r
        semi join drawn_on d on d.seq = r.seq
        semi join content c on c.digest = r.object
        """
    )
    # Chains are one link long. Were they longer, all of it would count.
    while True:
        (before,) = workspace.row("select count(*) from reached")
        run(
            """
            insert into reached
            select distinct d.reference
            from drawn d
            semi join reached r on r.digest = d.digest
            where d.reference is not null and d.reference not in (select digest from reached)
            """
        )
        if workspace.row("select count(*) from reached") == (before,):
            break
    watch.stop.check()
    run(
        """
        create table live as
        select distinct d.container as key from drawn d semi join reached r on r.digest = d.digest
        union
        select s.key from segments s semi join drawn_on using (seq)
        """
    )
    workspace.load("live", ((version.manifest.key,) for version in roots))


def _gather_content(
    store: OpenedStore, workspace: Workspace, roots: Sequence[StoredVersion], watch: Watch
) -> None:
    """Make `content(digest)`, what the files of `roots` hold. Each list counts by itself, also
    where two say that they are of the same tree: one of them could be lying."""
    workspace.execute("create table content (digest blob)")
    watch.listener(Started("Reading lists", len(roots)))
    merged = 0
    wanted = [
        StoredFile(root.manifest.key, root.manifest.size, root.manifest.digest) for root in roots
    ]
    for batch in fetch_manifests(
        store.backend,
        workspace,
        wanted,
        store.cache / "manifests",
        jobs=store.client.jobs,
        stop=watch.stop,
    ):
        workspace.execute(
            f"insert into content select distinct digest from {sql.parquet(list(batch.values()))}"
            " where kind = 'file' and size > 0"
        )
        (rows,) = workspace.row("select count(*) from content")
        if rows > 2 * merged + MERGE_ROWS:
            merged = _merge(workspace)
        watch.listener(Advanced(len(batch), 0))
    _merge(workspace)
    watch.listener(Finished("Reading lists"))


def _merge(workspace: Workspace) -> int:
    workspace.execute("create or replace table content as select distinct digest from content")
    (rows,) = workspace.row("select count(*) from content")
    return int(rows)


def _gather_segments(
    workspace: Workspace, roots: Iterable[StoredVersion], relocations: Iterable[int]
) -> None:
    """Make `drawn_on(seq)`: the records whose parts of the index any of `roots` draws on. Where
    content was relocated, any of them may draw on that."""
    listed: set[int] = set(relocations)
    any_before = 0
    for root in roots:
        listed.add(root.seq)
        if root.segments is None:
            any_before = max(any_before, root.seq)
        else:
            listed.update(root.segments)
    workspace.execute("create table drawn_on (seq bigint)")
    workspace.load("drawn_on", ((seq,) for seq in sorted(listed)))
    workspace.execute(
        "insert into drawn_on select distinct seq from segments"
        " where seq < $1 and seq not in (select seq from drawn_on)",
        [any_before],
    )
