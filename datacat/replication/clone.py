"""Make a store out of another one, with an id of its own: the whole history, byte for byte.

What must always hold: `store.json`, which makes a place a store, is written last. Until then the
place belongs to the clone that `tmp/clone.json` describes, and whoever runs it again goes on with
that. Others may save and collect in the source meanwhile: what was deleted there while it was being
carried is not part of a later state, and the clone is made of the latest state that was carried.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import takewhile

import msgspec

from datacat import layout, recovery
from datacat.backend import Backend
from datacat.catalog import store_file
from datacat.catalog.bundle import NotBundledError
from datacat.catalog.log import Log
from datacat.catalog.query import CatalogQuery
from datacat.catalog.snapshot import Snapshot
from datacat.errors import (
    Corrupt,
    Failed,
    NoStore,
    Refused,
    StorageError,
    StorageMissing,
)
from datacat.model import CloneResult, StoreInfo
from datacat.opened import OpenedStore, Watch
from datacat.progress import Advanced, Finished, Started
from datacat.replication.carry import Carried, carry
from datacat.replication.relink import relinked
from datacat.sql import Loader, Workspace
from datacat.text import count_of, printable
from datacat.transfer.executor import run_bounded, threads
from datacat.working_copy.lookup import attach_index

PASSES_MAX = 20
"""So often what others save and delete meanwhile is followed."""

NAMED_MAX = 5


class _Pending(msgspec.Struct, frozen=True, kw_only=True):
    """What an unfinished clone is to become: of which store, and its `store.json`."""

    source: str
    store: str


@dataclass(frozen=True, slots=True)
class CloneRequest:
    """How the new store is to be; without a `name` it is called like the old one."""

    name: str | None = None
    group: str | None = None
    shared: bool = True


def clone(source: OpenedStore, target: Backend, request: CloneRequest, watch: Watch) -> CloneResult:
    """Make `target`, an empty place, a clone of `source`; go on if that was begun before.

    Raises `Refused` when there is a store, `Failed` when something else lies there, `Corrupt`
    naming what is damaged in the source (then the clone stays unfinished), `NoStore` when the place
    cannot create atomically, `StorageError`.
    """
    return _Clone(source, target, request, watch).run()


class _Clone:
    def __init__(
        self, source: OpenedStore, target: Backend, request: CloneRequest, watch: Watch
    ) -> None:
        self._source = source
        self._target = target
        self._request = request
        self._watch = watch
        self._sent = 0
        self._known: dict[str, set[bytes]] = {}

    def run(self) -> CloneResult:
        genesis = self._begin()
        info = store_file.decode(genesis, self._target.url)
        snapshot, there = self._carry_all()
        self._target.sync()
        # INV order: containers, segments and manifests are durable before any record names them.
        self._write_log(snapshot, info, genesis)
        for key, data in recovery.files().items():
            self._put(key, data)
        self._target.sync()
        # The store appears, with all its history at once.
        self._put(layout.STORE, genesis)
        self._target.sync()
        self._target.delete(layout.CLONE)
        query = CatalogQuery(snapshot)
        listing = query.datasets(limit=1)
        return CloneResult(
            url=self._target.url,
            info=info,
            datasets=listing.datasets_total,
            versions=listing.versions_total,
            records=snapshot.seq,
            bytes=there,
            sent_bytes=self._sent,
        )

    # The place

    def _begin(self) -> bytes:
        """The bytes of the `store.json` to be: of a clone that was begun, or of a new one."""
        target = self._target
        path = target.path_of(layout.TEMPORARY + "x")
        # A folder without the places of a store is no broken one: it is not one yet.
        is_bare = path is not None and not path.parent.is_dir()
        if not is_bare and target.stat(layout.STORE) is not None:
            raise Refused(
                f"{target.url} is a store already",
                kind="already_a_store",
                hint="A clone needs a place of its own. To bring versions to that store:",
                commands=[f"datacat copy REF --to {shlex.quote(target.url)}"],
            )
        pending = None if is_bare else self._pending()
        if pending is None and (path is None or path.parent.parent.is_dir()):
            taken = next(iter(target.keys("")), None)
            if taken is not None:
                raise Failed(
                    f"{target.url} is not empty and not a store",
                    kind="not_empty",
                    hint=f"It holds '{printable(taken.key[:80])}'. A clone needs a place of its"
                    " own.",
                )
        return self._reserved(pending)

    def _reserved(self, pending: _Pending | None) -> bytes:
        """The place is ours now: of several who begin at once, one decides what it is to be."""
        target, source = self._target, self._source
        if pending is None:
            target.initialise(
                layout.directories(), group=self._request.group, shared=self._request.shared
            )
            if not target.capabilities.atomic_create:
                raise NoStore(
                    f"{target.url} cannot create a file so that exactly one of several writers"
                    " wins; a store there could lose versions",
                    kind="no_atomic_create",
                )
            mine = _Pending(source=source.info.id, store=store_file.encode(self._info()).decode())
            target.create(layout.CLONE, msgspec.json.encode(mine))
            target.sync()
            pending = self._pending()
        if pending is None or pending.source != source.info.id:
            raise Failed(
                f"{target.url} holds the unfinished clone of another store",
                kind="other_clone",
                hint="Delete that folder, or take another one.",
            )
        return pending.store.encode()

    def _pending(self) -> _Pending | None:
        try:
            data = self._target.read(layout.CLONE, limit_bytes=store_file.STORE_FILE_BYTES_MAX * 2)
            return msgspec.json.decode(data, type=_Pending)
        except StorageMissing:
            return None
        except msgspec.MsgspecError as error:
            raise Corrupt(
                f"{layout.CLONE} in {self._target.url} is damaged", kind="store_file_damaged"
            ) from error

    def _info(self) -> StoreInfo:
        old, client = self._source.info, self._source.client
        return StoreInfo(
            id=client.new_id(),
            name=self._request.name or old.name,
            description=old.description,
            created_at=client.now().replace(microsecond=0),
            created_by=client.user,
            parameters=old.parameters,
            link=old.link,
            shared=self._request.shared,
            trash_days=old.trash_days,
        )

    # The content

    def _carry_all(self) -> tuple[Snapshot, int]:
        """Carry all that a state of the source is made of; that state, and how large it is."""
        vanished: set[str] = set()
        with Workspace() as workspace:
            workspace.execute("create table there (key varchar, size bigint)")
            for place in _PLACES:
                found = self._target.keys(place)
                workspace.load("there", ((stat.key, stat.size_bytes) for stat in found))
            for _ in range(PASSES_MAX):
                snapshot = self._source.catalog.sync()
                try:
                    self._list_wanted(workspace, snapshot)
                except Corrupt:
                    if self._source.catalog.sync().seq == snapshot.seq:
                        raise
                    continue  # gc was faster; a later state does not name it any more
                gone, damaged = self._carry_missing(workspace)
                # What is gone twice was not deleted by gc: then a later state would not name it.
                damaged |= gone & vanished
                if damaged:
                    raise _lost(damaged)
                if not gone:
                    (size,) = workspace.row("select coalesce(sum(size), 0)::bigint from wanted")
                    return snapshot, int(size)
                vanished = gone
        raise Failed(
            f"{self._source.backend.url} changed too often while it was cloned",
            kind="condemned",
            hint="Run the same command again: it goes on.",
        )

    def _list_wanted(self, workspace: Workspace, snapshot: Snapshot) -> None:
        """Make `wanted(key, size, digest)`: every file that the catalog of `snapshot` reads."""
        query = CatalogQuery(snapshot, store=self._source.backend.url)
        workspace.execute(
            "create or replace table wanted (key varchar, size bigint, digest varchar)"
        )
        self._known = {}
        for container, chunk in query.quarantined():
            self._known.setdefault(container, set()).update(() if chunk is None else (chunk,))
        named = {one.manifest.key: one.manifest for one in query.kept()}
        named |= {part.file.key: part.file for part in query.segments()}
        workspace.load("wanted", ((f.key, f.size, f.digest) for f in named.values()))
        with Workspace() as index:
            attach_index(self._source, index, query, needed=None)
            containers = index.rows("select distinct container from held")
            workspace.execute("create or replace table containers (key varchar)")
            workspace.load("containers", containers)
        workspace.execute("create or replace table stored (key varchar, size bigint)")
        for place in (layout.WHOLE, layout.PACKS):
            found = self._source.backend.keys(place)
            workspace.load("stored", ((stat.key, stat.size_bytes) for stat in found))
        algorithm = self._source.algorithm
        workspace.execute(
            f"""
            insert into wanted
            select c.key, s.size,
                case when starts_with(c.key, '{layout.WHOLE}')
                    then '{algorithm}:' || split_part(split_part(c.key, '/', 3), '-', 1) end
            from containers c left join stored s using (key)
            """
        )

    def _carry_missing(self, workspace: Workspace) -> tuple[set[str], set[str]]:
        """Carry what is `wanted` and not `there`; what is gone at the source, and what damaged."""
        missing = "from wanted w where not exists (select 1 from there t where t.key = w.key)"
        files, size = workspace.row(f"select count(*), coalesce(sum(size), 0)::bigint {missing}")
        watch, jobs = self._watch, self._source.client.jobs
        watch.listener(Started("Cloning", files, int(size)))
        gone: set[str] = set()
        damaged: set[str] = set()

        def bring(row: tuple[str, int | None, str | None]) -> tuple[str, int, str]:
            key, length, digest = row
            if length is None:
                return key, 0, "gone"
            watch.stop.check()
            file = Carried(key, length, digest, frozenset(self._known.get(key, ())))
            try:
                carry(
                    self._source.backend,
                    self._target,
                    file,
                    algorithm=self._source.algorithm,
                    stop=watch.stop,
                )
            except StorageMissing:
                return key, 0, "gone"
            except Corrupt:
                return key, 0, "damaged"
            watch.listener(Advanced(1, length))
            return key, length, ""

        # Large ones first, so that the last to end is a short one.
        rows: Iterator[tuple[str, int | None, str | None]] = (
            (key, length, digest)
            for key, length, digest in workspace.rows(
                f"select key, size, digest {missing} order by size desc"
            )
        )
        with threads(jobs) as executor, Loader(workspace, "there") as there:
            for key, length, failed in run_bounded(
                executor, bring, rows, jobs=jobs, stop=watch.stop
            ):
                if failed:
                    (gone if failed == "gone" else damaged).add(key)
                else:
                    self._sent += length
                    there.add([(key, length)])
        watch.listener(Finished("Cloning"))
        return gone, damaged

    # The log

    def _write_log(self, snapshot: Snapshot, info: StoreInfo, genesis: bytes) -> None:
        watch, log = self._watch, self._source.catalog.log
        entries = takewhile(
            lambda entry: entry.seq <= snapshot.seq, log.read_from(0, log.genesis_digest)
        )
        records = enumerate(relinked(entries, info=info, genesis=genesis), start=1)
        watch.listener(Started("Writing the log", snapshot.seq, 0))

        def write(record: tuple[int, bytes]) -> None:
            watch.stop.check()
            self._put(layout.log_record(record[0]), record[1])
            watch.listener(Advanced(1, 0))

        jobs = self._source.client.jobs * 4  # small ones, which mostly wait
        with threads(jobs) as executor:
            for _ in run_bounded(executor, write, records, jobs=jobs, stop=watch.stop):
                pass
        self._target.sync()
        self._publish_bundles(snapshot.seq, Log(self._target, genesis=genesis))
        watch.listener(Finished("Writing the log"))

    def _publish_bundles(self, head: int, log: Log) -> None:
        """Bundles, out of what was written: so all of it is read back and compared."""
        for size in reversed(layout.BUNDLE_SIZES):
            for first in range(1, head - size + 2, size):
                try:
                    log.publish_bundle(first, size)
                except NotBundledError:
                    continue
                except StorageError as error:
                    if error.kind != "key_exists":
                        raise
        last = 0
        for entry in log.read_from(0, log.genesis_digest):
            last = entry.seq
        if last != head:
            raise Failed(
                f"of {head:,} records {last:,} arrived at {self._target.url}", kind="clone_failed"
            )

    def _put(self, key: str, data: bytes) -> None:
        """Write what may be there from a try before, but then must be the same."""
        try:
            self._target.write(key, data)
        except StorageError as error:
            if error.kind != "key_exists" or self._target.read(key) != data:
                raise


_PLACES = (layout.MANIFESTS, layout.SEGMENTS, layout.WHOLE, layout.PACKS)


def _lost(keys: set[str]) -> Corrupt:
    named = ", ".join(sorted(keys)[:NAMED_MAX])
    more = f", … {len(keys) - NAMED_MAX:,} more" if len(keys) > NAMED_MAX else ""
    return Corrupt(
        f"{count_of(len(keys), 'file')} of the store {'is' if len(keys) == 1 else 'are'} damaged or"
        f" missing, so there is no clone yet: {named}{more}",
        kind="container_damaged",
        hint="Mend it, then run the same command again: it goes on.",
        commands=["datacat verify --all"],
    )
