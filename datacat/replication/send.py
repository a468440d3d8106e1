"""One version on its way to another store: plan, bring, publish, commit."""

from __future__ import annotations

from msgspec import UNSET

from datacat.catalog.fold import Fold
from datacat.catalog.query import CatalogQuery
from datacat.catalog.record import Envelope, VersionAdd
from datacat.catalog.record_parts import ChangeCounts, CodeState, Origin
from datacat.catalog.snapshot import Snapshot
from datacat.digest import label
from datacat.manifest import diff
from datacat.model import Changes, CopiedVersion, Version
from datacat.objects.index import CHUNKS_DDL, RECIPES_DDL
from datacat.opened import OpenedStore, Watch
from datacat.progress import Finished, Started
from datacat.replication.choose import Chosen
from datacat.replication.travel import attach_version, plan_travel, refuse_damaged
from datacat.sql import Workspace
from datacat.transfer.executor import threads
from datacat.transfer.journal import Adopted, Journal, adopt
from datacat.transfer.relay import Relay
from datacat.working_copy.lookup import attach_index, attach_manifest
from datacat.working_copy.publish import (
    StoredVersion,
    check_condemned,
    choose_chunks,
    store_version,
)


class OvertakenError(Exception):
    """Somebody saved a version of that dataset there in between: look again what it is."""


class Sending:
    """One attempt, with a session id of its own. `workspace` is that of the store there."""

    def __init__(
        self,
        source: OpenedStore,
        target: OpenedStore,
        workspace: Workspace,
        *,
        here: CatalogQuery,
        start: Snapshot,
        watch: Watch,
    ) -> None:
        self._source = source
        self._target = target
        self._workspace = workspace
        self._here = here
        self._start = start
        self._there = CatalogQuery(start, store=target.backend.url)
        self._watch = watch
        self._session = target.client.new_id()

    @staticmethod
    def prepare(target: OpenedStore, workspace: Workspace, there: CatalogQuery) -> None:
        """What is known of the store there, and room for what is new."""
        attach_index(target, workspace, there, needed=None)
        for table in ("new_chunks", "found_chunks"):
            workspace.execute(f"create table {table} ({CHUNKS_DDL})")
        for table in ("new_recipes", "found_recipes"):
            workspace.execute(f"create table {table} ({RECIPES_DDL})")

    def run(self, one: Chosen) -> CopiedVersion:
        """Bring it there. Raises `OvertakenError`, `CondemnedMeanwhileError`, and as `copy`."""
        self.prepare(self._target, self._workspace, self._there)
        folder = self._target.cache / "sessions"
        adopted = adopt(folder, self._target.backend)
        journal = Journal.begin(folder, self._session)
        try:
            sent = self._bring(one.version, journal, adopted)
            choose_chunks(self._workspace)
            stored = store_version(
                self._target,
                self._workspace,
                self._start,
                session=self._session,
                tree=bytes.fromhex(one.version.hash),
            )
            record = self._commit(one, stored)
        except BaseException:
            # INV hands off: what was sent stays; the journals let the next try take it over.
            for unfinished in (journal, *adopted.journals):
                unfinished.close()
            raise
        for finished in (journal, *adopted.journals):
            finished.remove()
        return CopiedVersion(
            ref=one.version.ref,
            there=f"{record.dataset}@v{record.number}",
            created=True,
            hash=one.version.hash,
            files=record.files,
            bytes=record.bytes,
            sent_bytes=sent,
        )

    def _bring(self, version: Version, journal: Journal, adopted: Adopted) -> int:
        workspace, watch = self._workspace, self._watch
        workspace.load("new_chunks", adopted.rows)
        # What gc has condemned is gone soon; and what was made against something that is not
        # there can be read by nobody.
        workspace.execute(
            "delete from new_chunks where container in (select container from barred)"
        )
        workspace.execute(
            """
            delete from new_chunks where reference is not null
                and reference not in (select digest from new_chunks where reference is null)
                and reference not in (select digest from usable where reference is null)
            """
        )
        attach_version(self._source, self._here, version, workspace)
        load = plan_travel(self._source, self._here, version, workspace, session=self._session)
        relay = Relay(
            self._source.backend,
            self._target.backend,
            workspace=workspace,
            parameters=self._target.info.parameters,
            session=self._session,
            journal=journal,
            listener=watch.listener,
            stop=watch.stop,
        )
        watch.listener(Started(f"Copying {version.ref}", load.chunks, load.plain_bytes))
        jobs = self._target.client.jobs
        with threads(jobs) as executor:
            relay.run(executor, jobs=jobs)
        refuse_damaged(version, workspace)
        watch.listener(Finished(f"Copying {version.ref}"))
        return relay.sent_bytes

    def _commit(self, one: Chosen, stored: StoredVersion) -> VersionAdd:
        version, name = one.version, self._there.current_name(one.name) or one.name
        number, newest = self._there.next_number(name), None
        if self._there.current_name(name) is not None:
            newest = self._there.newest(name)
        base = self._base(version, name, newest)
        changes = version.changes
        if base is None or base.hash != self._hash_of(version.base):
            changes = self._changes(base)
        known = self._here.versions_of(list(version.sources))
        placed = self._placed([source for source in version.sources if source in known])
        elsewhere = version.origin.sources if version.origin else ()
        origin = Origin(
            store=version.origin.store if version.origin else self._source.info.id,
            ref=version.origin.ref if version.origin else version.ref,
            txid=one.identity.txid,
            by=version.author,
            at=version.created_at,
            sources=(*(s for s in version.sources if s not in placed), *elsewhere),
        )
        facts = self._here.dataset(version.name)
        taken = {} if newest is None else self._there.dataset(name).aliases
        described = newest is not None and bool(self._there.dataset(name).description)
        code = version.code

        def make(fold: Fold, envelope: Envelope) -> VersionAdd:
            check_condemned(self._workspace, fold, stored.named)
            if fold.next_number(name) != number:
                raise OvertakenError
            return VersionAdd(
                **envelope,
                dataset=name,
                number=number,
                tree=label(self._target.algorithm, bytes.fromhex(version.hash)),
                session=self._session,
                manifest=stored.manifest,
                chunks=stored.chunks,
                recipes=stored.recipes,
                files=stored.files,
                bytes=stored.bytes,
                new_bytes=stored.new_bytes,
                stored_bytes=stored.stored_bytes,
                changes=ChangeCounts(
                    added=changes.added, modified=changes.modified, removed=changes.removed
                ),
                message=version.message,
                base_version=base.number if base else None,
                sources=tuple(placed[s] for s in version.sources if s in placed),
                params=dict(version.params),
                metrics=dict(version.metrics),
                better={key: better.value for key, better in version.better.items()} or UNSET,
                code=CodeState(repo=code.repo, commit=code.commit, dirty=code.dirty)
                if code
                else None,
                sketch=stored.sketch,
                description=None if described else facts.description or None,
                tags=facts.tags,
                aliases=tuple(alias for alias in version.aliases if alias not in taken),
                segments=stored.segments,
                origin=origin,
            )

        committed = self._target.commit(make, start=self._start)
        record = committed.entry.record
        if not isinstance(record, VersionAdd):
            raise TypeError("the record that was committed is not the one that was made")
        return record

    def _placed(self, sources: list[str]) -> dict[str, str]:
        """What these versions are called there, of those that are there."""
        txids = {
            identity.ref: identity.txid
            for name in {source.partition("@")[0] for source in sources}
            for identity in self._here.identities(name)
        }
        found = self._there.by_origin([txids[source] for source in sources])
        return {s: found[txids[s]].ref for s in sources if txids[s] in found}

    def _base(self, version: Version, name: str, newest: Version | None) -> Version | None:
        """The version there that this one follows: what it was edited from if that is there."""
        if version.base is not None:
            placed = self._placed([version.base]).get(version.base)
            if placed is not None and placed.startswith(f"{name}@"):
                return self._there.versions_of([placed])[placed]
        return newest

    def _hash_of(self, ref: str | None) -> str | None:
        return None if ref is None else self._here.versions_of([ref])[ref].hash

    def _changes(self, base: Version | None) -> Changes:
        """How `entries` differ from a version of the store there."""
        if base is None:
            (added,) = self._workspace.row("select count(*) from entries where kind <> 'dir'")
            return Changes(added=added)
        attach_manifest(self._target, self._workspace, self._there, base, "previous")
        diff.compare(self._workspace, "previous", "entries")
        return diff.counts(self._workspace)
