"""Clients in outline: the real log, fold, records and commit; content in a form that costs nothing.

The real verbs plan in DuckDB, and take a hundred times as long as what is under test here. So these
clients do what `working_copy.publish` does around the commit, call for call, but a segment and a
manifest are JSON, every content has a container of its own, and the catalog before a commit is a
`Fold` in memory instead of a local database. Everything below `OpenedStore.commit` is the real
code.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, cast

from datacat import layout
from datacat.catalog import store_file
from datacat.catalog.database import Catalog
from datacat.catalog.fold import Fold
from datacat.catalog.log import Entry, Log
from datacat.catalog.record import (
    Envelope,
    Record,
    StoreCreate,
    VersionAdd,
    VersionRemove,
    VersionRestore,
    encode,
)
from datacat.catalog.record_parts import StoredFile, StoredSegment
from datacat.catalog.snapshot import Snapshot
from datacat.create import begin_log
from datacat.errors import Conflict, DatacatError, NotFound, OutcomeUnknown, StorageMissing
from datacat.model import LinkMode, Parameters, StoreInfo
from datacat.objects.index import Index
from datacat.opened import Client, OpenedStore
from tests.faults.interleaving import facts
from tests.faults.interleaving.process import NOWHERE, Desk
from tests.faults.interleaving.replayed import FoldedLog, Live
from tests.faults.interleaving.world import EPOCH_SECONDS, World, moment

TRIES = 5
"""As `working_copy.save.CONDEMNED_TRIES`."""

TOO_BUSY = "too_busy"
"""The kind of the one `OutcomeUnknown` that says for certain that nothing was saved."""

PARAMETERS = Parameters(
    digest="sha256",
    small_bytes=1024,
    pack_bytes=16 * 1024,
    chunk_min_bytes=256,
    chunk_mean_bytes=1024,
    chunk_max_bytes=4096,
)
"""Everything small: a file of some kilobytes has many chunks."""

INFO = StoreInfo(
    id="5" * 32,
    name="simulated",
    description="",
    created_at=moment(EPOCH_SECONDS),
    created_by="maker",
    parameters=PARAMETERS,
    link=LinkMode.COPY,
    shared=True,
)
GENESIS = store_file.encode(INFO)


class CondemnedMeanwhileError(Exception):
    """What this session refers to was condemned: once more, with a new session."""


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


class Outline:
    """One client with the real log and commit. Its parts can be replaced by bad ones."""

    def __init__(self, desk: Desk, *, entries: Sequence[Entry] = ()) -> None:
        """`entries`: the records that this client has in its cache already."""
        self.desk = desk
        self.backend = desk.backend
        self.log = Log(desk.backend, genesis=GENESIS)
        self.store = OpenedStore(
            backend=desk.backend,
            info=INFO,
            catalog=Catalog(self.log, NOWHERE, INFO.id),
            index=Index(desk.backend, NOWHERE),
            client=Client(
                user=desk.actor.name,
                host="hub",
                cache_dir=NOWHERE,
                jobs=1,
                now=desk.now,
                new_id=desk.new_id,
            ),
        )
        self.entries = list(entries)

    def follow(self) -> FoldedLog:
        """The log up to its head, by the real reader; only what is new is read."""
        seq, prev = self._head()
        self.entries += self.log.read_from(seq, prev)
        return FoldedLog(*self._head(), tuple(self.entries))

    def _head(self) -> tuple[int, str]:
        if not self.entries:
            return 0, self.log.genesis_digest
        return self.entries[-1].seq, self.entries[-1].digest

    def commit(self, make: Any, start: FoldedLog) -> Record:
        """The real commit, over a catalog that is not in a database."""
        committed = self.store.commit(make, start=cast("Snapshot", start))
        return cast("Record", committed.entry.record)

    # Saving

    def add(self, dataset: str, files: Mapping[str, bytes]) -> None:
        """Save a version and say what came of it."""
        trying = facts.Trying(dataset, facts.tree_of(files))
        self.desk.tell(trying)
        try:
            record = self._saved(dataset, files)
        except OutcomeUnknown as error:
            doubt = error.kind != TOO_BUSY
            self.desk.tell(facts.InDoubt(trying) if doubt else facts.NotSaved(trying, error.kind))
        except DatacatError as error:
            self.desk.tell(facts.NotSaved(trying, error.kind))
        else:
            self.desk.tell(facts.Saved(trying, f"{dataset}@v{record.number}"))

    def _saved(self, dataset: str, files: Mapping[str, bytes]) -> VersionAdd:
        for _ in range(TRIES):
            try:
                return self._session(dataset, files)
            except CondemnedMeanwhileError:
                continue
        raise Conflict("the content was deleted meanwhile", kind="condemned")

    def _session(self, dataset: str, files: Mapping[str, bytes]) -> VersionAdd:
        session = self.desk.new_id()
        start = self.follow()
        if start.seq == 0:
            begin_log(self.backend, client=self.store.client)
            start = self.follow()
        live = Live.at(start)
        known = self.known(live)
        chosen: dict[str, tuple[str, int | None]] = {}
        fresh: dict[str, str] = {}
        for data in files.values():
            name = digest(data)
            if name in chosen:
                continue
            if name in known:
                chosen[name] = known[name]
            else:
                fresh[name] = self.upload(name, data, session)
                chosen[name] = (fresh[name], None)
        # INV order: containers, then segment and manifest, then the record.
        self.backend.sync()
        chunks = self.segment(fresh, session) if fresh else None
        manifest = self.manifest(files, session)
        self.backend.sync()
        return self.publish(dataset, files, session, start, chosen, chunks, manifest)

    def known(self, live: Live) -> dict[str, tuple[str, int | None]]:
        """Of each content where it lies and which record says so, unless that was condemned."""
        known: dict[str, tuple[str, int | None]] = {}
        for seq, key in live.segments.items():
            if key not in live.condemned:
                for name, container in json.loads(self.backend.read(key)).items():
                    if container not in live.condemned:
                        known.setdefault(name, (container, seq))
        return known

    def upload(self, name: str, data: bytes, session: str) -> str:
        """Store one content; the container's key."""
        key = layout.whole(name, session)
        self.backend.write(key, data)
        return key

    def upload_only(self, data: bytes) -> None:
        """What an interrupted session leaves: content that no record refers to."""
        self.upload(digest(data), data, self.desk.new_id())

    def segment(self, fresh: dict[str, str], session: str) -> StoredSegment:
        stored = self._stored(layout.chunks_segment(session), json.dumps(fresh).encode())
        return StoredSegment(
            key=stored.key, size=stored.size, digest=stored.digest, rows=len(fresh)
        )

    def manifest(self, files: Mapping[str, bytes], session: str) -> StoredFile:
        listing = json.dumps({path: digest(data) for path, data in sorted(files.items())}).encode()
        return self._stored(layout.manifest(digest(listing), session), listing)

    def _stored(self, key: str, data: bytes) -> StoredFile:
        self.backend.write(key, data)
        return StoredFile(key=key, size=len(data), digest=f"sha256:{digest(data)}")

    def publish(
        self,
        dataset: str,
        files: Mapping[str, bytes],
        session: str,
        start: FoldedLog,
        chosen: dict[str, tuple[str, int | None]],
        chunks: StoredSegment | None,
        manifest: StoredFile,
    ) -> VersionAdd:
        """Commit the record, unless something that it refers to was condemned meanwhile."""
        segments = {seq for _, seq in chosen.values() if seq is not None}
        used = {container for container, _ in chosen.values()}
        used |= {key for seq, key in Live.at(start).segments.items() if seq in segments}
        used |= {file.key for file in (manifest, chunks) if file is not None}

        def make(fold: Fold, envelope: Envelope) -> VersionAdd:
            self.recheck(fold, used)
            return VersionAdd(
                **envelope,
                dataset=dataset,
                number=fold.next_number(dataset),
                tree=manifest.digest,
                session=session,
                manifest=manifest,
                chunks=chunks,
                files=len(files),
                bytes=sum(map(len, files.values())),
                segments=tuple(sorted(segments)),
            )

        return cast("VersionAdd", self.commit(make, start))

    def recheck(self, fold: Fold, used: set[str]) -> None:
        """INV names: what was condemned is never referred to again."""
        if not used.isdisjoint(fold.condemned_since_base()):
            raise CondemnedMeanwhileError

    # Reading, removing

    def read_all(self) -> None:
        """Read every version that is listed, and say what was seen."""
        start = self.follow()
        live = Live.at(start)
        for ref in live.listed():
            try:
                self.desk.tell(facts.Seen(ref, self.read(live, ref)))
            except StorageMissing as error:
                # Somebody may have removed it while we read.
                if ref in Live.at(self.follow()).listed():
                    self.desk.tell(facts.Unreadable(ref, error.message))
            except DatacatError:
                pass  # storage does not answer: that says nothing about the version

    def read(self, live: Live, ref: str) -> facts.Tree:
        """The content of a version as any client reads it."""
        record = live.versions[ref]
        listing = json.loads(self.backend.read(record.manifest.key))
        places = self.places(live, record)
        found = {}
        for path, name in listing.items():
            if name not in places:
                raise StorageMissing(f"nobody says where {path} lies")
            found[path] = self.backend.read(places[name])
        return facts.tree_of(found)

    def places(self, live: Live, record: VersionAdd) -> dict[str, str]:
        """Of each content the container that a version is read from: the oldest place that was not
        condemned. gc goes by the same rule."""
        places: dict[str, str] = {}
        for key in live.segments_of(record.seq, record):
            for name, container in json.loads(self.backend.read(key)).items():
                if container not in live.condemned:
                    places.setdefault(name, container)
        return places

    def remove(self, dataset: str, number: int) -> None:
        """Put a version into the trash."""
        self.desk.tell(facts.Removing(f"{dataset}@v{number}"))

        def make(_fold: Fold, envelope: Envelope) -> VersionRemove:
            return VersionRemove(**envelope, dataset=dataset, numbers=(number,))

        self._tried(make)

    def restore(self, dataset: str, number: int) -> None:
        """Take a version out of the trash, if it is there and not gone for good."""

        def make(_fold: Fold, envelope: Envelope) -> VersionRestore:
            return VersionRestore(**envelope, dataset=dataset, numbers=(number,))

        if self._tried(make):
            self.desk.tell(facts.Restored(f"{dataset}@v{number}"))

    def _tried(self, make: Any) -> bool:
        try:
            self.commit(make, self.follow())
        except (Conflict, NotFound, OutcomeUnknown):
            return False
        except DatacatError:
            return False
        return True


def new_world(kind: type[World] = World) -> World:
    """A store with the first record of its log."""
    world = kind()
    world.write(layout.STORE, GENESIS)
    first = StoreCreate(
        seq=1,
        txid="0" * 32,
        prev=digest(GENESIS),
        base=0,
        by="maker",
        at=moment(EPOCH_SECONDS),
        store_id=INFO.id,
        name=INFO.name,
    )
    world.create(layout.log_record(1), encode(first))
    return world
