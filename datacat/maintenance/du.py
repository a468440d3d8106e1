"""Du: what the versions of a store take on its disk, what was saved, what deleting would free.

Every file of the store is counted once: as content that versions are read from, as content that
only the trash holds, as the catalog that describes all this, or as what nothing refers to.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain

from datacat import layout, refs
from datacat.catalog.query import CatalogQuery, KeptVersion
from datacat.digest import DIGEST_BYTES
from datacat.maintenance.mark import mark
from datacat.model import DatasetDiskUse, DiskUse
from datacat.objects.pack import FIXED_BYTES, entry_bytes
from datacat.opened import OpenedStore, Watch
from datacat.sql import Workspace

_THESE = "these"
"""Stands for the versions that are looked at, where mark counts by dataset."""


def disk_use(
    store: OpenedStore, query: CatalogQuery, *, names: Sequence[str], watch: Watch
) -> DiskUse:
    """What the store takes; `names` are the datasets to list, none means all of them.

    Raises `NotFound` and `InvalidInput` for a name, and `Corrupt` when a manifest or a part of the
    index cannot be read: what it refers to would be counted as free.
    """
    listed = [_dataset(query, name) for name in names]
    kept = query.kept()
    holders = {name: number for number, name in enumerate(dict.fromkeys(v.dataset for v in kept))}
    with Workspace() as workspace:
        _list_store(store, workspace, watch)
        mark(store, workspace, query, kept, holders=holders, watch=watch)
        _weigh(workspace, entry=entry_bytes(DIGEST_BYTES[store.algorithm]))
        watch.stop.check()
        return _total(store, workspace, query, kept, holders=holders, names=listed)


def only_held_by(
    store: OpenedStore, query: CatalogQuery, versions: Collection[str], *, watch: Watch
) -> int:
    """Bytes that only these versions, given as references, are read from.

    That is what deleting all of them would free. Raises `Corrupt` as `disk_use`.
    """
    kept = [replace(v, dataset=_THESE if v.ref in versions else "") for v in query.kept()]
    with Workspace() as workspace:
        _list_store(store, workspace, watch)
        mark(store, workspace, query, kept, holders={"": 0, _THESE: 1}, watch=watch)
        _weigh(workspace, entry=entry_bytes(DIGEST_BYTES[store.algorithm]))
        (freed,) = workspace.row(
            """
            select coalesce(sum(n.bytes), 0)::bigint
            from uses u
            join units n on n.container = u.container and n."offset" = u."offset"
            where u.holder = 1 and n.holders = 1
            """
        )
    return int(freed)


def _dataset(query: CatalogQuery, name: str) -> str:
    """The dataset that is meant, by the name it has today."""
    return query.dataset(refs.parse_name(name, command="datacat du")).name


def _list_store(store: OpenedStore, workspace: Workspace, watch: Watch) -> None:
    """Make `stored(key, size)` of everything there is, and `containers` of what holds content.

    The catalog was read before, so that what appears meanwhile is counted as an add that runs.
    """

    def rows() -> Iterator[tuple[int, str, int]]:
        for number, found in enumerate(store.backend.keys("")):
            watch.stop.check()
            yield number, found.key, found.size_bytes

    workspace.execute("create table stored (id bigint, key varchar, size bigint)")
    workspace.load("stored", rows())
    workspace.execute(
        f"""
        create table containers as
        select id, key, size, starts_with(key, '{layout.PACKS}') as packed
        from stored
        where starts_with(key, '{layout.PACKS}') or starts_with(key, '{layout.WHOLE}')
        """
    )


def _weigh(workspace: Workspace, *, entry: int) -> None:
    """Make `units`: for each thing in `uses` how many hold it, what it takes, what it stands for.

    A frame takes its bytes and its entry in the footer; offset 0 of a pack is the rest of that.
    """
    workspace.execute(
        f"""
        create table units as
        with frames as (
            select container, "offset", max(stored_size) + {entry} as bytes, max(size) as plain
            from places group by container, "offset"
        ),
        used as (
            select container, "offset", count(*) as holders, bool_or(live) as live
            from uses group by container, "offset"
        )
        select u.container, u."offset", u.holders, u.live,
               case when u."offset" > 0 then f.bytes
                   when c.packed then {FIXED_BYTES} else c.size end as bytes,
               case when u."offset" > 0 then f.plain
                   when c.packed then 0 else c.size end as plain
        from used u
        join containers c on c.id = u.container
        left join frames f on f.container = u.container and f."offset" = u."offset"
        """
    )


def _total(
    store: OpenedStore,
    workspace: Workspace,
    query: CatalogQuery,
    kept: Sequence[KeptVersion],
    *,
    holders: Mapping[str, int],
    names: Sequence[str],
) -> DiskUse:
    live = [version for version in kept if not version.trashed]
    logical = sum(version.bytes for version in live)
    content, plain, trash = workspace.row(
        """
        select coalesce(sum(bytes) filter (live), 0),
               coalesce(sum(plain) filter (live), 0),
               coalesce(sum(bytes) filter (not live), 0)
        from units
        """
    )
    (distinct,) = workspace.row(
        "select coalesce(sum(size), 0)"
        " from (select any_value(size) as size from holdings where live group by digest)"
    )
    catalog, moved, everything = _besides(workspace, query, kept)
    on_disk = content + catalog
    return DiskUse(
        versions=len(live),
        logical_bytes=logical,
        on_disk_bytes=on_disk,
        catalog_bytes=catalog,
        same_files_bytes=logical - distinct,
        same_parts_bytes=distinct - plain,
        compression_bytes=plain - content,
        trash_versions=len(kept) - len(live),
        trash_bytes=trash + moved,
        unused_bytes=max(0, everything - on_disk - trash - moved),
        free_bytes=store.backend.free_bytes(),
        datasets=_datasets(workspace, live, holders=holders, names=names),
    )


def _besides(
    workspace: Workspace, query: CatalogQuery, kept: Sequence[KeptVersion]
) -> tuple[int, int, int]:
    """Bytes of the catalog, bytes that gc moved away, and bytes of everything there is."""
    workspace.execute("create table described (key varchar)")
    named = chain((v.manifest.key for v in kept), (part.file.key for part in query.segments()))
    workspace.load("described", ((key,) for key in named))
    catalog, moved, everything = workspace.row(
        f"""
        select
            coalesce(sum(size) filter (place = 'other' or key in (from described)), 0),
            coalesce(sum(size) filter (place = 'trash'), 0),
            coalesce(sum(size), 0)
        from (
            select key, size, case
                when starts_with(key, '{layout.TRASH}') then 'trash'
                when starts_with(key, '{layout.WHOLE}') or starts_with(key, '{layout.PACKS}')
                    or starts_with(key, '{layout.MANIFESTS}')
                    or starts_with(key, '{layout.SEGMENTS}') then 'named'
                else 'other'
            end as place
            from stored
        )
        """
    )
    return catalog, moved, everything


def _datasets(
    workspace: Workspace,
    live: Sequence[KeptVersion],
    *,
    holders: Mapping[str, int],
    names: Sequence[str],
) -> tuple[DatasetDiskUse, ...]:
    """The datasets that have versions, those that take most first."""
    taken = {
        holder: (on_disk, only_here)
        for holder, on_disk, only_here in workspace.all(
            """
            select u.holder, sum(n.bytes),
                   coalesce(sum(n.bytes) filter (n.holders = 1), 0)
            from uses u
            join units n on n.container = u.container and n."offset" = u."offset"
            where u.live
            group by u.holder
            """
        )
    }
    versions = Counter(version.dataset for version in live)
    logical: Counter[str] = Counter()
    for version in live:
        logical[version.dataset] += version.bytes
    listed = dict.fromkeys(names or versions)
    found = [
        DatasetDiskUse(name, versions[name], logical[name], *taken.get(holders[name], (0, 0)))
        for name in listed
    ]
    return tuple(sorted(found, key=lambda one: (-one.on_disk_bytes, -one.logical_bytes, one.name)))
