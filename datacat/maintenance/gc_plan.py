"""The plan of a garbage collection: what nothing needs any more, as of one head of the log.

The log is replayed from its first record, whatever this machine has in its cache. What is listed
afterwards and not needed at that head can go if it belongs to a version that was in the trash for
long enough, or to an add that stored nothing for long enough. Ages are counted by the clock of the
storage alone: when it made a file, compared with one that it makes now.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from datacat import layout
from datacat.backend import Backend
from datacat.catalog.database import Catalog
from datacat.catalog.rows import VersionKey
from datacat.catalog.snapshot import Snapshot
from datacat.catalog.stored import StoredQuery, StoredVersion
from datacat.copies import linked_copies
from datacat.errors import StorageError
from datacat.maintenance.gc_explain import explained
from datacat.maintenance.gc_reach import attach_segments, reach
from datacat.model import Collection, Periods, Waiting
from datacat.opened import OpenedStore, Watch
from datacat.progress import Finished, Started
from datacat.sql import Workspace

PLACES = (layout.MANIFESTS, layout.SEGMENTS, layout.WHOLE, layout.PACKS)
"""Where files with a session in their name lie: nothing else is ever condemned."""

_SESSION = r"""
    case
        when regexp_full_match(
            key, '(manifests|whole)/[0-9a-f]{2}/[0-9a-f]{32,64}-[0-9a-f]{32}(\.parquet)?'
        )
        then regexp_extract(key, '-([0-9a-f]{32})(\.parquet)?$', 1)
        when regexp_full_match(key, 'segments/[0-9a-f]{32}\.(chunks|recipes)\.parquet')
        then key[10:41]
        when regexp_full_match(key, 'packs/[0-9a-f]{2}/[0-9a-f]{32}-[0-9]{1,10}\.pack')
        then key[10:41]
    end
"""
"""The session in a name; null for a name that datacat does not make, which is left alone."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What can go, as of `snapshot`. The names are in the workspace's tables.

    `doomed(key, size, rank)` are to be condemned, in the order of `rank`: lists of files, parts of
    the index, containers. `left_over(key, size)` were condemned before, `temporary(key, size)` were
    never published. `expired` are the versions that go, with the record that removed each.
    """

    snapshot: Snapshot
    expired: Mapping[VersionKey, int]
    collection: Collection


def make_plan(store: OpenedStore, workspace: Workspace, *, periods: Periods, watch: Watch) -> Plan:
    """Replay the log, find the roots, list the store, and subtract.

    Raises `Corrupt` when a record, a list of files or a part of the index cannot be read, and
    `StorageError` when a registered copy cannot be: then nothing is known to be free.
    """
    watch.listener(Started("Reading the log"))
    catalog = Catalog(store.catalog.log, workspace.folder / "catalog", store.info.id)
    snapshot = catalog.sync()
    watch.listener(Finished("Reading the log"))
    query = StoredQuery(snapshot, store=store.backend.url)
    # The log before the copies: a folder of links is registered before the first link is there,
    # and its version was outside the trash at that time.
    linked = {
        (copy.name, copy.version): copy.place or "a folder" for copy in linked_copies(store, query)
    }
    now = _now(store.backend)
    ages = _Ages(store.backend, now)
    roots: list[StoredVersion] = []
    expired: list[StoredVersion] = []
    waiting: list[Waiting] = []
    for version in query.stored_versions():
        if version.trashed_seq is None:
            roots.append(version)
            continue
        place = linked.get((version.dataset, version.number))
        if place is None and ages.of(version.trashed_seq) >= periods.trash:
            expired.append(version)
            continue
        roots.append(version)
        until = None if place or not version.trashed_at else version.trashed_at + periods.trash
        waiting.append(Waiting(version.ref, until, place))
    attach_segments(store, workspace, query)
    reach(store, workspace, roots, watch, relocations=query.relocations())
    _list(store.backend, workspace, query, watch)
    _subtract(workspace, expired, before=now - _nanoseconds(periods.uploads))
    return Plan(
        snapshot,
        {v.key: v.trashed_seq for v in expired if v.trashed_seq is not None},
        explained(store, workspace, query, roots=roots, expired=expired, waiting=waiting),
    )


def _now(backend: Backend) -> int:
    """What the clock of the storage says, in nanoseconds: when it made a file that it made now."""
    key = f"{layout.TEMPORARY}clock-{secrets.token_hex(16)}"
    backend.write(key, b"datacat")
    try:
        found = backend.stat(key)
    finally:
        backend.delete(key)
    if found is None:
        raise StorageError(f"{backend.url} lost a file that was just written")
    return found.modified_ns


def _nanoseconds(period: timedelta) -> int:
    return period // timedelta(microseconds=1) * 1_000


class _Ages:
    """How long ago records were made, by the clock of the storage."""

    def __init__(self, backend: Backend, now: int) -> None:
        self._backend = backend
        self._now = now
        self._known: dict[int, timedelta] = {}

    def of(self, seq: int) -> timedelta:
        """The age of a record; nothing for one that is only in a bundle, or from the future."""
        if seq not in self._known:
            found = self._backend.stat(layout.log_record(seq))
            nanoseconds = self._now - found.modified_ns if found else 0
            self._known[seq] = timedelta(microseconds=max(0, nanoseconds) // 1_000)
        return self._known[seq]


def _list(backend: Backend, workspace: Workspace, query: StoredQuery, watch: Watch) -> None:
    """Make `stored(key, size, modified, session)` of what is there, and what is known of it:
    `sessions`, those that committed, `given_up`, every name that was ever condemned, and
    `condemned`, those of them that are not yet said to be deleted."""

    def rows() -> Iterator[tuple[str, int, int]]:
        # On an object store nothing is written in steps, so that no temporary is ever left.
        temporaries = [layout.TEMPORARY] if backend.capabilities.local else []
        for place in (*PLACES, *temporaries):
            for found in backend.keys(place):
                watch.stop.check()
                yield found.key, found.size_bytes, found.modified_ns

    watch.listener(Started("Listing the store"))
    workspace.execute("create table listed (key varchar, size bigint, modified bigint)")
    workspace.load("listed", rows())
    watch.listener(Finished("Listing the store"))
    workspace.execute(f"create table stored as select *, {_SESSION} as session from listed")
    workspace.execute("drop table listed")
    workspace.execute("create table sessions (session varchar)")
    workspace.load("sessions", ((session,) for session in query.sessions()))
    workspace.execute("create table protected (session varchar)")
    workspace.load("protected", ((session,) for session in query.unindexed_sessions()))
    workspace.execute("create table given_up (key varchar)")
    workspace.load("given_up", ((name,) for name in query.condemned()))
    workspace.execute("create table condemned (key varchar)")
    workspace.load("condemned", ((name,) for name in query.unswept()))


def _subtract(workspace: Workspace, expired: Sequence[StoredVersion], *, before: int) -> None:
    """Make `doomed`, `left_over` and `temporary`. An add that stored nothing since `before`, by the
    clock of the storage, is not running any more."""
    workspace.execute(
        """
        create table unfinished as
        select session, max(modified) as modified
        from stored
        where session is not null and session not in (select session from sessions)
            and key not in (select key from live) and key not in (select key from condemned)
        group by session
        """
    )
    workspace.execute(
        """
        create table doomed as
        select s.key, s.size, s.session, case
                when starts_with(s.key, 'manifests/') then 0
                when starts_with(s.key, 'segments/') then 1
                else 2
            end as rank
        from stored s
        where s.session is not null
            and s.key not in (select key from live)
            and s.key not in (select key from condemned)
            and s.session not in (select session from unfinished where modified > $1)
            -- Whoever lost a part of the index does not know all that is needed of these.
            and s.session not in (select session from protected)
        """,
        [before],
    )
    # A list of files that somebody deleted is condemned all the same: its version is not kept.
    workspace.execute("create table last_lists (key varchar)")
    workspace.load("last_lists", ((version.manifest.key,) for version in expired))
    workspace.execute(
        "insert into doomed select key, 0, null, 0 from last_lists"
        " where key not in (select key from stored)"
    )
    workspace.execute(
        """
        create table left_over as
        select c.key, coalesce(s.size, 0) as size, s.key is not null as is_there
        from condemned c left join stored s on s.key = c.key
        """
    )
    workspace.execute(
        f"create table temporary as select key, size from stored"
        f" where starts_with(key, '{layout.TEMPORARY}') and modified <= $1",
        [before],
    )
