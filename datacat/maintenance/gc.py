"""Garbage collection: the one thing in datacat that deletes, and never what a live version needs.

1. Plan: what nothing needs at the head of the log (`gc_plan`), looked at a second time in another
   way (`gc_check`).
2. Condemn: records with the names, lists of files first. Each is made in a slot of the log only if
   nothing that was saved, restored or condemned since the plan concerns them. From then on no
   record can refer to them: an add that was about to, stores that content again.
3. Sweep: delete, and say so in the log.

INV names is why this is safe whatever is paused or killed: a name is used once, so what was
condemned can be deleted at any later time. What an interrupted gc left is swept by the next one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from dataclasses import replace
from pathlib import Path

from datacat.backend.download import StoredFile, fetched
from datacat.catalog.fold import Fold
from datacat.catalog.record import ContainersCondemn, ContainersSwept, Envelope, VersionAdd
from datacat.catalog.record_parts import StoredSegment
from datacat.catalog.writer import Writer
from datacat.errors import Conflict
from datacat.maintenance.gc_check import check
from datacat.maintenance.gc_plan import Plan, make_plan
from datacat.maintenance.retention import superseded
from datacat.maintenance.trash import remove
from datacat.model import Collection, Periods
from datacat.objects.index import check_segment
from datacat.opened import OpenedStore, Watch
from datacat.progress import Advanced, Finished, Started
from datacat.sql import Workspace, parquet
from datacat.transfer.executor import batched, run_bounded, threads

NAMES_MAX = 8_000
"""Names in one record: of at most 110 bytes each, so that it stays well below its limit."""

TOGETHER = 64
"""What one thread deletes before it is given more: to be given something costs more than a file."""

TRIES = 10
"""A plan that others make void so often is given up: they are busy with what it would free."""

Confirm = Callable[[Collection], bool]


class _OvertakenError(Exception):
    """What others did since the plan concerns it: it has to be made anew."""


def collect(
    store: OpenedStore,
    *,
    periods: Periods,
    keep_last: int | None,
    dry_run: bool,
    confirm: Confirm | None,
    watch: Watch,
) -> Collection:
    """Free what nothing needs; before, move to the trash what `keep_last` does not keep.

    `confirm` is asked once the plan is made. What is moved to the trash now is freed by a later gc.

    Raises `Corrupt` when a record, a list of files or a part of the index cannot be read, and
    `Refused` (`gc_unsafe`) when the second look disagrees: then nothing was condemned. `Conflict`
    when others are too busy, `StorageError`.
    """
    agreed: frozenset[str] | None = None
    for _ in range(TRIES):
        with Workspace() as workspace:
            plan = make_plan(store, workspace, periods=periods, watch=watch)
            retired = superseded(store, keep=keep_last) if keep_last is not None else ()
            collection = replace(plan.collection, trashed=retired)
            if dry_run:
                return collection
            if collection.is_empty:
                store.backend.keep_reserve()
                return collection
            going = frozenset((*(version.ref for version in collection.versions), *retired))
            if confirm is not None and (agreed is None or not going <= agreed):
                if not confirm(collection):
                    return collection
                agreed = going
            check(store, workspace, plan, watch)
            if retired:
                remove(
                    store,
                    retired,
                    force=False,
                    dry_run=False,
                    measure=False,
                    confirm=None,
                    watch=watch,
                )
            writer = store.catalog.writer(plan.snapshot)
            try:
                _condemn(store, workspace, plan, writer)
            except _OvertakenError:
                continue
            _sweep(store, workspace, writer, watch)
            store.backend.keep_reserve()  # whole again, and in stores that never had one
            return replace(collection, done=True)
    raise Conflict(
        "others saved and restored what could have been freed; nothing more was freed",
        kind="gc_overtaken",
        hint="Run the same command again.",
    )


# Condemn


def _condemn(store: OpenedStore, workspace: Workspace, plan: Plan, writer: Writer) -> None:
    """Write the records. Raises `_OvertakenError`; then what is in the log stays condemned.

    Lists of files come first: a version whose list is condemned cannot be restored, and what it
    was read from is condemned only then.
    """
    referring = _Referring(store, workspace, plan)
    own: set[str] = set()
    names = (row[0] for row in workspace.rows("select key from doomed order by rank, key"))
    for batch in batched(names, NAMES_MAX):

        def make(fold: Fold, envelope: Envelope, batch: list[str] = batch) -> ContainersCondemn:
            if not fold.condemned_since_base() <= own:
                raise _OvertakenError  # another gc
            referring.refuse(fold)
            return ContainersCondemn(**envelope, names=tuple(batch))

        store.commit_on_reserve(make, writer=writer)
        own.update(batch)


class _Referring:
    """Finds records that came after the plan and concern what it would condemn."""

    def __init__(self, store: OpenedStore, workspace: Workspace, plan: Plan) -> None:
        self._store = store
        self._workspace = workspace
        self._plan = plan
        self._looked_at: set[int] = set()
        workspace.execute(
            """
            create table hit as
            select distinct seq from chunks where container in (select key from doomed)
            union
            select distinct seq from segments where key in (select key from doomed)
            """
        )
        self._hit = {row[0] for row in workspace.rows("select seq from hit")}

    def refuse(self, fold: Fold) -> None:
        """Raise `_OvertakenError` if a version was saved that may be read from there, or one of the
        expired versions came back."""
        for key, seq in self._plan.expired.items():
            state = fold.changes.states.get(key)
            if state is not None and state.trashed_seq != seq:
                raise _OvertakenError
        if fold.changes.relocations or fold.changes.quarantined:
            # Any version may be read from there now.
            raise _OvertakenError
        for record, _ in fold.changes.versions.values():
            if record.seq not in self._looked_at:
                if self._concerns(record):
                    raise _OvertakenError
                self._looked_at.add(record.seq)

    def _concerns(self, record: VersionAdd) -> bool:
        """Whether a new version draws on a part of the index that places anything there, or names
        it itself: its own files, what it found in older ones, what it took over from an add that
        was interrupted."""
        if record.segments is None or not self._hit.isdisjoint(record.segments):
            return True
        own = [file.key for file in (record.manifest, record.chunks, record.recipes) if file]
        placed = ""
        if record.chunks is not None:
            placed = f" or key in (select container from {parquet(self._fetched(record.chunks))})"
        (some,) = self._workspace.row(
            f"select count(*) from doomed where key in (select unnest($1::varchar[])){placed}",
            [own],
        )
        return bool(some)

    def _fetched(self, segment: StoredSegment) -> Path:
        """A part of the index that appeared since the plan was made."""
        workspace = self._workspace
        stored = StoredFile(segment.key, segment.size, segment.digest)
        target = workspace.folder / segment.key.rpartition("/")[2]

        def check_rows(path: Path) -> None:
            check_segment(workspace, path, "chunks", segment.key)

        return fetched(self._store.backend, stored, target, check=check_rows)


# Sweep


def _sweep(store: OpenedStore, workspace: Workspace, writer: Writer, watch: Watch) -> None:
    """Delete what is condemned, and what an interrupted writer left in `tmp/`.

    INV hands off: only names that a record condemned, or that never were a key of the store.
    """
    (total,) = workspace.row(
        "select (select count(*) from doomed) + (select count(*) from left_over)"
        " + (select count(*) from temporary)"
    )
    watch.listener(Started("Deleting", total))
    condemned = "select key from left_over union all select key from doomed"
    with threads(store.client.jobs) as executor:
        for batch in batched(_rows(workspace, "select key from temporary"), NAMES_MAX):
            _delete(store, executor, batch, watch)
        for batch in batched(_rows(workspace, condemned), NAMES_MAX):
            _delete(store, executor, batch, watch)
            store.backend.sync()
            _note_swept(store, writer, tuple(batch))
    watch.listener(Finished("Deleting"))


def _rows(workspace: Workspace, query: str) -> Iterator[str]:
    return (row[0] for row in workspace.rows(query))


def _delete(store: OpenedStore, executor: Executor, keys: list[str], watch: Watch) -> None:
    def delete(some: list[str]) -> int:
        for key in some:
            store.backend.delete(key)
        return len(some)

    parts, jobs = batched(keys, TOGETHER), store.client.jobs
    for count in run_bounded(executor, delete, parts, jobs=jobs, stop=watch.stop):
        watch.listener(Advanced(count, 0))
    watch.stop.check()


def _note_swept(store: OpenedStore, writer: Writer, names: tuple[str, ...]) -> None:
    def make(_fold: Fold, envelope: Envelope) -> ContainersSwept:
        return ContainersSwept(**envelope, names=names)

    store.commit_on_reserve(make, writer=writer)
