"""Mark: which stored bytes the versions of each dataset are read from, as sets in a workspace.

A *holder* is a dataset: its versions outside the trash and those in it hold content. A holder uses
the first place where a piece of content lies, and each that its own versions wrote: a version whose
add did not know of the first place may refer to nothing else. What is not marked can go, and no
reader misses it; some of what is marked could go as well.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from datacat import sql
from datacat.backend.download import StoredFile
from datacat.catalog.query import CatalogQuery, KeptVersion
from datacat.objects.parts import choose_parts
from datacat.opened import OpenedStore, Watch
from datacat.progress import Advanced, Finished, Started
from datacat.sql import Workspace
from datacat.transfer.manifests import fetch_manifests
from datacat.working_copy.lookup import attach_index

MERGE_ROWS = 4_000_000
"""Rows that `holdings` may grow by before those that are there twice are merged."""

Holding = tuple[int, bool]
"""A holder, and whether it holds the content outside the trash."""


def mark(
    store: OpenedStore,
    workspace: Workspace,
    query: CatalogQuery,
    kept: Sequence[KeptVersion],
    *,
    holders: Mapping[str, int],
    watch: Watch,
) -> None:
    """Make `holdings`, `places` and `uses`: tables of the content of `kept`, all that is to stay.

    Needs `containers(id, key, size, packed)`, those that are there. `holders` numbers the datasets.

    * `holdings(digest, size, holder, live)`: the content of files; live if outside the trash.
    * `places(digest, seq, container, "offset", stored_size, size, …)`: where any of it lies.
    * `uses(holder, container, "offset", live)`: a frame of a pack; offset 0 stands for a whole
      container, or for a pack apart from its frames.

    Each manifest is downloaded once, and read by every call: a few tenths of a millisecond if it
    is small. Raises `Corrupt` naming a manifest or a part of the index that cannot be read.
    """
    _hold(store, workspace, kept, holders=holders, watch=watch)
    attach_index(store, workspace, query, needed=None)
    workspace.execute("create table writers (seq bigint, holder integer)")
    workspace.load("writers", ((version.seq, holders[version.dataset]) for version in kept))
    watch.stop.check()
    _reach(workspace)
    watch.stop.check()
    _place(workspace)


def _hold(
    store: OpenedStore,
    workspace: Workspace,
    kept: Sequence[KeptVersion],
    *,
    holders: Mapping[str, int],
    watch: Watch,
) -> None:
    """Read the manifests into `holdings`, one for each tree: the same versions share it."""
    manifests: dict[str, StoredFile] = {}
    holdings: dict[str, set[Holding]] = {}
    for version in kept:
        file = version.manifest
        manifests.setdefault(version.tree, StoredFile(file.key, file.size, file.digest))
        holding = (holders[version.dataset], not version.trashed)
        holdings.setdefault(version.tree, set()).add(holding)
    by_key = {manifests[tree].key: holding for tree, holding in holdings.items()}

    workspace.execute(
        "create table holdings (digest blob, size bigint, holder integer, live boolean)"
    )
    watch.listener(Started("Reading lists", len(manifests)))
    rows_merged = 0
    for batch in fetch_manifests(
        store.backend,
        workspace,
        list(manifests.values()),
        store.cache / "manifests",
        jobs=store.client.jobs,
        stop=watch.stop,
    ):
        _read(workspace, {path: by_key[key] for key, path in batch.items()})
        (rows,) = workspace.row("select count(*) from holdings")
        if rows > 2 * rows_merged + MERGE_ROWS:
            rows_merged = _merge(workspace)
        watch.listener(Advanced(len(batch), 0))
    _merge(workspace)
    watch.listener(Finished("Reading lists"))


def _read(workspace: Workspace, manifests: Mapping[Path, set[Holding]]) -> None:
    """Add the content of a batch of manifests to `holdings`."""
    workspace.execute(
        "create or replace temp table batch (name varchar, holder integer, live boolean)"
    )
    workspace.load(
        "batch", ((path.name, *one) for path, holding in manifests.items() for one in holding)
    )
    workspace.execute(
        f"""
        insert into holdings
        select m.digest, any_value(m.size), b.holder, bool_or(b.live)
        from {sql.parquet(list(manifests))} m
        join batch b on b.name = parse_filename(m.filename)
        where m.kind = 'file' and m.size > 0
        group by m.digest, b.holder
        """
    )


def _merge(workspace: Workspace) -> int:
    """Leave one row for each digest and holder in `holdings`; how many there are."""
    workspace.execute(
        """
        create or replace table holdings as
        select digest, any_value(size) as size, holder, bool_or(live) as live
        from holdings group by digest, holder
        """
    )
    (rows,) = workspace.row("select count(*) from holdings")
    return int(rows)


def _reach(workspace: Workspace) -> None:
    """Make `reached(digest, holder, live)`: the chunks that what is held is read from.

    By the rule of `objects.parts`; besides, the recipe that a holder's version wrote, if none of
    its versions wrote that content as one chunk.
    """
    run = workspace.execute
    run("create view content as select distinct digest from holdings")
    choose_parts(workspace, "content", into="parts")
    run(
        """
        create table written as
        select distinct r.object, r.chunk, w.holder
        from usable_recipes r
        join writers w on w.seq = r.seq
        semi join holdings h on h.digest = r.object and h.holder = w.holder
        """
    )
    run(
        """
        create table simple as
        select distinct u.digest, w.holder
        from usable u
        join writers w on w.seq = u.seq
        semi join written m on m.object = u.digest
        """
    )
    run(
        """
        create table reached as
        select p.chunk as digest, h.holder, bool_or(h.live) as live
        from holdings h
        join (
            select object, chunk, null::integer as holder from parts
            union all
            select m.* from written m
            anti join simple s on s.digest = m.object and s.holder = m.holder
        ) p on p.object = h.digest and coalesce(p.holder, h.holder) = h.holder
        group by p.chunk, h.holder
        """
    )


def _place(workspace: Workspace) -> None:
    """Make `places`, and `uses` of what is reached and of what that was made against."""
    run = workspace.execute
    run(
        """
        create table places as
        with needed as (
            select digest from reached
            union
            select u.reference from usable u semi join reached r on r.digest = u.digest
            where u.reference is not null
        )
        select u.digest, u.seq, c.id as container, u."offset", u.stored_size, u.size, u.reference,
               row_number() over (
                   partition by u.digest
                   order by u.reference is not null, u.seq, c.id, u."offset"
               ) = 1 as first
        from usable u
        join containers c on c.key = u.container
        semi join needed n on n.digest = u.digest
        """
    )
    run(
        """
        create table read as
        select r.holder, r.live, p.container, p."offset", p.reference
        from reached r
        join places p on p.digest = r.digest
        left join writers w on w.seq = p.seq
        where p.first or w.holder = r.holder
        """
    )
    # Chains are one link long: what others are made against lies there as it is.
    run(
        """
        insert into read
        select distinct r.holder, r.live, p.container, p."offset", null
        from read r
        join places p on p.digest = r.reference and p.reference is null
        left join writers w on w.seq = p.seq
        where p.first or w.holder = r.holder
        """
    )
    run(
        """
        create table uses as
        select r.holder, r.container, case when c.packed then r."offset" else 0 end as "offset",
               bool_or(r.live) as live
        from read r
        join containers c on c.id = r.container
        group by all
        """
    )
    run(
        """
        insert into uses
        select u.holder, u.container, 0, bool_or(u.live)
        from uses u
        join containers c on c.id = u.container
        where c.packed
        group by u.holder, u.container
        """
    )
