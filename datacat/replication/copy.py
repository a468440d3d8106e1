"""Copy versions to another store: what is missing there travels, and each is committed by itself.

A version keeps its hash, message, author, time, params, metrics and code. Its number is the next
one there. What it was made from is linked where the other store has it, else noted in its origin.
"""

from __future__ import annotations

from contextlib import suppress

from datacat.catalog.query import CatalogQuery
from datacat.catalog.snapshot import Snapshot
from datacat.create import begin_log
from datacat.errors import Failed, InvalidInput
from datacat.model import CopiedVersion, CopyResult
from datacat.opened import OpenedStore, Watch
from datacat.replication.choose import Chosen, CopyRequest, check_order, choose, present
from datacat.replication.send import OvertakenError, Sending
from datacat.replication.travel import attach_version, plan_travel
from datacat.sql import Workspace, parquet
from datacat.transfer.relay import INSIDE
from datacat.working_copy.publish import CondemnedMeanwhileError

__all__ = ["CopyRequest", "copy"]

TRIES = 5
"""A version whose place was taken, or whose content was condemned meanwhile, is tried so often."""


def copy(
    source: OpenedStore, target: OpenedStore, request: CopyRequest, watch: Watch
) -> CopyResult:
    """Copy the versions that `request` names from `source` to `target`.

    Those that were committed stay when a later one fails. Raises `NotFound`, `InvalidInput` (the
    same store, another kind of digest), `Conflict` and `Refused` (what is there is other or newer),
    `Corrupt` naming the files that are damaged here, `StorageError`, `OutcomeUnknown`.
    """
    _refuse_unlike(source, target)
    here = CatalogQuery(source.catalog.sync(), store=source.backend.url)
    chosen = choose(here, request)
    there = CatalogQuery(_head(target, begin=not request.dry_run), store=target.backend.url)
    known = present(here, there, chosen)
    missing = [one for one in chosen if one.version.ref not in known]
    check_order(here, there, missing, request)
    if request.dry_run:
        sent = _measured(source, target, here, there, missing)
        copied = {}
    else:
        copied = {
            one.version.ref: _sent(source, target, one, here=here, request=request, watch=watch)
            for one in missing
        }
        sent = sum(one.sent_bytes for one in copied.values())
    versions = tuple(
        copied.get(one.version.ref) or _unsent(one, known.get(one.version.ref)) for one in chosen
    )
    return CopyResult(
        to=target.backend.url, versions=versions, sent_bytes=sent, dry_run=request.dry_run
    )


def _refuse_unlike(source: OpenedStore, target: OpenedStore) -> None:
    if source.info.id == target.info.id:
        raise InvalidInput(
            f"{target.backend.url} is the store that would be copied from", kind="same_store"
        )
    if source.algorithm != target.algorithm:
        raise InvalidInput(
            f"the stores name content differently ({source.algorithm} here, {target.algorithm}"
            " there): a version would not stay the same",
            kind="other_digest",
            hint="Pull it, and add it there as a new dataset.",
        )


def _head(target: OpenedStore, *, begin: bool) -> Snapshot:
    snapshot = target.catalog.sync()
    if snapshot.seq == 0 and begin:
        # Whoever made the store was interrupted before its first record.
        begin_log(target.backend, client=target.client)
        snapshot = target.catalog.sync()
    return snapshot


def _unsent(one: Chosen, there: str | None) -> CopiedVersion:
    version = one.version
    return CopiedVersion(
        ref=version.ref,
        there=there,
        created=there is None,
        hash=version.hash,
        files=version.files,
        bytes=version.bytes,
    )


def _sent(
    source: OpenedStore,
    target: OpenedStore,
    one: Chosen,
    *,
    here: CatalogQuery,
    request: CopyRequest,
    watch: Watch,
) -> CopiedVersion:
    for _ in range(TRIES):
        with Workspace() as workspace, suppress(CondemnedMeanwhileError, OvertakenError):
            start = target.catalog.sync()
            there = CatalogQuery(start, store=target.backend.url)
            known = present(here, there, [one])
            if known:
                return _unsent(one, known[one.version.ref])
            check_order(here, there, [one], request)
            sending = Sending(source, target, workspace, here=here, start=start, watch=watch)
            return sending.run(one)
    raise Failed(
        f"{target.backend.url} changed too often while {one.version.ref} was copied",
        kind="condemned",
        hint="Run the same command again.",
    )


def _measured(
    source: OpenedStore,
    target: OpenedStore,
    here: CatalogQuery,
    there: CatalogQuery,
    missing: list[Chosen],
) -> int:
    """What would travel for all of these, of which several may need the same."""
    sent = 0
    with Workspace() as counted:
        counted.execute("create table known (digest blob)")
        for one in missing:
            with Workspace() as workspace:
                Sending.prepare(target, workspace, there)
                attach_version(source, here, one.version, workspace)
                plan_travel(source, here, one.version, workspace, session="")
                planned = counted.folder / "planned.parquet"
                workspace.write_parquet(
                    f"select chunk as digest, owner, stored_size from travelling"
                    f" where how <> '{INSIDE}'",
                    planned,
                )
                # What lies inside of something that goes before it need not travel.
                (new,) = counted.row(
                    f"""
                    select coalesce(sum(stored_size), 0)::bigint
                    from {parquet(planned)} p anti join known k on k.digest = p.digest
                    where owner is null or owner = digest
                        or owner not in (select digest from known)
                    """
                )
                counted.execute(f"insert into known select digest from {parquet(planned)}")
                sent += int(new)
    return sent
