"""Presence: every file that the catalog and the index name is there, with the size that it had.

One listing of the store, compared as a set. No byte of content is read, so that it takes seconds
where reading everything takes a day.
"""

from __future__ import annotations

from collections.abc import Iterator

from datacat import layout
from datacat.backend import Stat
from datacat.catalog.query import CatalogQuery
from datacat.digest import DIGEST_BYTES
from datacat.maintenance.gc_plan import PLACES
from datacat.model import Damage
from datacat.objects.pack import entry_bytes
from datacat.opened import OpenedStore, Watch
from datacat.progress import Finished, Started
from datacat.sql import Workspace

REPORTED_MAX = 10_000
"""Files that are named; with more, the store needs more than a list."""

_TRAILER_BYTES = 32


def examine_presence(
    store: OpenedStore, workspace: Workspace, query: CatalogQuery, watch: Watch
) -> None:
    """Make `present(key, size)`, `expected(key, size, exact)`, and `wrong(key, size, found)` of
    those that are missing (`found` is null) or have another size.

    Of a pack only the least is known that its index says. Needs the view `usable`; manifests are
    those of all versions that are kept, also in the trash.
    """
    watch.listener(Started("Listing the store"))
    workspace.execute("create table present (key varchar, size bigint)")
    workspace.load(
        "present",
        ((found.key, found.size_bytes) for place in PLACES for found in _keys(store, place, watch)),
    )
    workspace.execute("create table expected (key varchar, size bigint, exact boolean)")
    manifests = ((one.manifest.key, one.manifest.size, True) for one in query.kept())
    segments = ((part.file.key, part.file.size, True) for part in query.segments())
    workspace.load("expected", manifests)
    workspace.load("expected", segments)
    entry = entry_bytes(DIGEST_BYTES[store.algorithm])
    workspace.execute(
        f"""
        insert into expected
        select container,
               max("offset" + stored_size) + case
                   when starts_with(container, '{layout.WHOLE}') then 0
                   else count(distinct "offset") * {entry} + {_TRAILER_BYTES}
               end,
               starts_with(container, '{layout.WHOLE}')
        from usable group by container
        """
    )
    workspace.execute(
        """
        create table wrong as
        select distinct e.key, e.size, p.size as found
        from expected e left join present p using (key)
        where p.key is null or p.size < e.size or (e.exact and p.size <> e.size)
        """
    )
    watch.listener(Finished("Listing the store"))


def _keys(store: OpenedStore, place: str, watch: Watch) -> Iterator[Stat]:
    """What lies below `place`; can be stopped."""
    for found in store.backend.keys(place):
        watch.stop.check()
        yield found


def wrong_files(workspace: Workspace, *, missing: bool, but: str = "") -> list[Damage]:
    """The files of `wrong` that are missing, or else those of another size.

    Without the keys that the query `but` gives.
    """
    besides = f"and key not in ({but})" if but else ""
    rows = workspace.all(
        f"""
        select key, size, found from wrong
        where (found is null) = {missing} {besides} order by key limit {REPORTED_MAX}
        """
    )
    return [
        Damage(
            None,
            key,
            "it is not there" if found is None else f"it has {found} bytes instead of {size}",
        )
        for key, size, found in rows
    ]
