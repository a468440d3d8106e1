"""The second look at a plan: would anything that can still be read be lost?

It is made to disagree. It replays the log by itself, in memory instead of in a database; it goes
the other way, from the files that are to go to the versions that need them; and it takes nothing
from the plan but those names and the versions that are said to be expired.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from datacat import sql
from datacat.backend.download import StoredFile
from datacat.catalog.fold import Applied, Fold
from datacat.catalog.record import (
    ContainersCondemn,
    ObjectRelocate,
    VersionAdd,
    VersionRemove,
    VersionRestore,
)
from datacat.catalog.rows import VersionKey
from datacat.errors import Refused
from datacat.maintenance.gc_plan import Plan
from datacat.opened import OpenedStore, Watch
from datacat.sql import Workspace
from datacat.transfer.manifests import fetch_manifests

BATCH_RECORDS = 20_000


@dataclass(slots=True)
class _Saved:
    """What one record said that its version is read from."""

    seq: int
    manifest: StoredFile
    own: tuple[str, ...]
    segments: tuple[int, ...] | None


@dataclass(slots=True)
class _History:
    """The log, as far as it tells what is needed."""

    saved: dict[VersionKey, _Saved] = field(default_factory=dict)
    removed: dict[VersionKey, int] = field(default_factory=dict)
    condemned: set[str] = field(default_factory=set)
    relocated: dict[int, tuple[str, ...]] = field(default_factory=dict)
    """What was put elsewhere, for any version: the record, and its part of the index."""


def check(store: OpenedStore, workspace: Workspace, plan: Plan, watch: Watch) -> None:
    """Raise `Refused` (`gc_unsafe`) if a name in `doomed` or `left_over` is still needed."""
    history = _replay(store, plan.snapshot.seq)
    needed = _needed(history, plan)
    seqs = _drawn_on(needed.values())
    if seqs is not None:
        seqs |= history.relocated.keys()
    names = {
        row[0]
        for row in workspace.rows(
            "select key from doomed where rank < 2"
            " union all select key from left_over where key not like 'whole/%'"
            " and key not like 'packs/%'"
        )
    }
    for key, saved in needed.items():
        if saved.manifest.key in names:
            raise _alarm(f"the list of files of version {key[1]} of dataset {key[0]}")
    for saved in history.saved.values():
        if (seqs is None or saved.seq in seqs) and not names.isdisjoint(saved.own):
            raise _alarm(f"the index that record {saved.seq} added")
    for seq, own in history.relocated.items():
        if needed and not names.isdisjoint(own):
            raise _alarm(f"the index that record {seq} added")
    _affected(workspace, seqs)
    (some,) = workspace.row("select count(*) from affected")
    if some:
        _compare(store, workspace, [saved.manifest for saved in needed.values()], watch)


def _replay(store: OpenedStore, head: int) -> _History:
    """Every record that took effect up to `head`."""
    log, fold, history = store.catalog.log, Fold(), _History()
    for entry in log.read_from(0, log.genesis_digest):
        if entry.seq > head:
            break
        applied = fold.apply(entry.seq, entry.record)
        if isinstance(applied, Applied):
            _note(history, entry.record, entry.seq, applied.dataset_id or 0, fold)
        if entry.seq % BATCH_RECORDS == 0:
            fold.drain()
    return history


def _note(history: _History, record: object, seq: int, identity: int, fold: Fold) -> None:
    match record:
        case VersionAdd():
            file = record.manifest
            history.saved[identity, record.number] = _Saved(
                seq,
                StoredFile(file.key, file.size, file.digest),
                _own_segments(record),
                record.segments,
            )
        case VersionRemove():
            history.removed.update(((identity, number), seq) for number in record.numbers)
        case VersionRestore():
            for number in record.numbers:
                history.removed.pop((identity, number), None)
        case ObjectRelocate():
            history.relocated[seq] = _own_segments(record)
            for moved in record.manifests:
                key = (_identity(fold, moved.dataset), moved.number)
                file = moved.manifest
                stored = StoredFile(file.key, file.size, file.digest)
                history.saved[key] = replace(history.saved[key], manifest=stored)
        case ContainersCondemn():
            history.condemned.update(n for n in record.names if n.startswith("manifests/"))


def _identity(fold: Fold, name: str) -> int:
    row = fold.resolve(name)
    return 0 if row is None else row.id


def _own_segments(record: VersionAdd | ObjectRelocate) -> tuple[str, ...]:
    return tuple(part.key for part in (record.chunks, record.recipes) if part is not None)


def _needed(history: _History, plan: Plan) -> dict[VersionKey, _Saved]:
    """Every version but those that the plan calls expired, or that an earlier gc took."""
    for key, seq in plan.expired.items():
        if history.removed.get(key) != seq:
            raise _alarm(f"version {key[1]} of dataset {key[0]}, which is not in the trash")
    return {
        key: saved
        for key, saved in history.saved.items()
        if key not in plan.expired
        and not (key in history.removed and saved.manifest.key in history.condemned)
    }


def _drawn_on(needed: Iterable[_Saved]) -> set[int] | None:
    """The records whose parts of the index are needed; None stands for all of them."""
    seqs: set[int] = set()
    for saved in needed:
        if saved.segments is None:
            return None
        seqs.add(saved.seq)
        seqs.update(saved.segments)
    return seqs


def _affected(workspace: Workspace, seqs: set[int] | None) -> None:
    """Make `affected(digest)`: content that is read, also, from a file that is to go."""
    run = workspace.execute
    run("create table counted (seq bigint)")
    if seqs is None:
        run("insert into counted select distinct seq from segments")
    else:
        workspace.load("counted", ((seq,) for seq in seqs))
    run("create view read_from as select * from chunks where seq in (select seq from counted)")
    # What was condemned before may have been saved again since: then it lies elsewhere as well.
    run(
        """
        create table affected as
        select digest from read_from where container in (select key from doomed)
        union
        select digest from read_from where container in (select key from left_over)
            and digest not in (
                select digest from read_from
                where container not in (select key from doomed)
                    and container not in (select key from given_up)
            )
        """
    )
    run(
        """
        insert into affected
        select digest from read_from where reference in (select digest from affected)
        """
    )
    run(
        """
        insert into affected
        select r.object from recipes r
        where r.seq in (select seq from counted) and r.chunk in (select digest from affected)
        """
    )


def _compare(
    store: OpenedStore, workspace: Workspace, manifests: list[StoredFile], watch: Watch
) -> None:
    """Raise `Refused` if one of the lists of files names content that is affected."""
    for batch in fetch_manifests(
        store.backend,
        workspace,
        manifests,
        store.cache / "manifests",
        jobs=store.client.jobs,
        stop=watch.stop,
    ):
        found = workspace.all(
            f"""
            select path from {sql.parquet(list(batch.values()))}
            where kind = 'file' and size > 0 and digest in (select digest from affected)
            limit 1
            """
        )
        if found:
            raise _alarm(f"the content of {found[0][0]}")


def _alarm(what: str) -> Refused:
    return Refused(
        f"gc would have deleted {what}; nothing was deleted",
        kind="gc_unsafe",
        hint="Two ways to count what is needed disagree. Please report this, and keep the store.",
        commands=["datacat verify --all"],
    )
