"""An opened store, as the layers above see it: its parts, and who is asking.

Opening reads `store.json` and nothing else; the catalog is brought up to date when a verb needs
it. Everything a verb does to shared storage goes through `backend`.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from datacat import layout
from datacat.backend import Backend
from datacat.backend.open import NO_OPTIONS, Options, open_backend
from datacat.cache_dir import personal
from datacat.catalog import store_file
from datacat.catalog.database import Catalog
from datacat.catalog.fold import Fold
from datacat.catalog.log import Log, digest_of
from datacat.catalog.record import Envelope, Record
from datacat.catalog.remembered import Remembered
from datacat.catalog.sketches import Sketches
from datacat.catalog.snapshot import Snapshot
from datacat.catalog.writer import Committed, Writer
from datacat.errors import (
    Corrupt,
    NoStore,
    StorageError,
    StorageFull,
    StorageMissing,
    StorageTransient,
)
from datacat.model import StoreInfo
from datacat.objects.index import Index
from datacat.progress import Listener, StopSignal, ignore


@dataclass(frozen=True, slots=True)
class Client:
    """Who is asking, and with what means.

    `cache_dir` holds disposable files of this user, or of a team (`cache_dir.py`); `jobs` is the
    number of worker threads; `program` names the client in records; `activity` lets the team know
    where this user's working copies are; `executor` is where `add` works when nobody says. Clock
    and random ids can be replaced in tests.
    """

    user: str
    host: str
    cache_dir: Path
    jobs: int = 4
    program: str = "datacat"
    activity: bool = True
    executor: str = "threads"
    now: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))
    new_id: Callable[[], str] = field(default=lambda: secrets.token_hex(16))

    @property
    def own_cache_dir(self) -> Path:
        """The part of `cache_dir` that only this user writes to."""
        return personal(self.cache_dir)


@dataclass(frozen=True, slots=True)
class Watch:
    """How a long call is watched: who hears of its progress, and who may stop it."""

    listener: Listener = ignore
    stop: StopSignal = field(default_factory=StopSignal)


@dataclass(frozen=True, slots=True)
class OpenedStore:
    """The parts of one store."""

    backend: Backend
    info: StoreInfo
    catalog: Catalog
    index: Index
    client: Client
    options: Options = field(default_factory=lambda: NO_OPTIONS)
    recalled: Remembered | None = None
    """What `store.json` was recalled from instead of read, if it was."""

    @property
    def cache(self) -> Path:
        """This client's folder of disposable files about this store."""
        return self.client.own_cache_dir / self.info.id

    @property
    def shared_cache(self) -> Path:
        """The folder of content of this store that was fetched, by all who share the cache."""
        return self.client.cache_dir / self.info.id

    @property
    def sketches(self) -> Sketches:
        """What is known of every version without its manifest."""
        return Sketches(self.backend, self.cache / "sketches")

    @property
    def algorithm(self) -> str:
        """The store's digest algorithm."""
        return self.info.parameters.digest

    @property
    def local_path(self) -> Path | None:
        """The store's folder, when it lies in the local file system."""
        folder = self.backend.path_of(layout.STORE)
        return None if folder is None else folder.parent

    def commit(
        self,
        make: Callable[[Fold, Envelope], Record],
        *,
        start: Snapshot | None = None,
        writer: Writer | None = None,
    ) -> Committed:
        """Append one record to the log, by this client and now, as `Writer.commit` does.

        `make(fold, envelope)` is asked anew for each slot that is tried. `start` is the snapshot
        that the session began with; who appends many records has a `writer`. Raises what `make`
        raises, `Conflict`, `OutcomeUnknown`, and `NoStore` when the place became another store
        since it was last looked at.
        """
        self.confirm()
        writer = writer or self.catalog.writer(start)
        txid, at = self.client.new_id(), self.client.now().replace(microsecond=0)

        def build(fold: Fold, seq: int, prev: str) -> Record:
            envelope = Envelope(
                seq=seq,
                txid=txid,
                prev=prev,
                base=writer.base.seq,
                by=self.client.user,
                host=self.client.host,
                client=self.client.program,
                at=at,
            )
            return make(fold, envelope)

        return writer.commit(build)

    def commit_on_reserve(
        self,
        make: Callable[[Fold, Envelope], Record],
        *,
        start: Snapshot | None = None,
        writer: Writer | None = None,
    ) -> Committed:
        """As `commit`, for what frees space: on a full drive the space that was set aside is used.

        What is left of it is set aside again.
        """
        try:
            return self.commit(make, start=start, writer=writer)
        except StorageFull:
            # It is certain that nothing was recorded: else the error would be `OutcomeUnknown`.
            if not self.backend.release_reserve():
                raise
            try:
                return self.commit(make, start=start, writer=writer)
            finally:
                self.backend.keep_reserve()

    def confirm(self) -> None:
        """Make sure that the place is still the store that was recalled. Raises `NoStore`.

        Before anything is recorded, for a record must never be put into another store's log; and
        before what is missing is called damage.
        """
        if self.recalled is None:
            return
        if digest_of(read_store_file(self.backend)) != self.catalog.log.genesis_digest:
            self.recalled.forget()
            raise NoStore(
                f"the store at {self.backend.url} was made anew meanwhile",
                kind="store_replaced",
                hint="Nothing was saved. Run the same command again.",
            )

    @contextmanager
    def confirmed(self) -> Iterator[None]:
        """What is found to be damaged is, or it is said that the store is another one."""
        try:
            yield
        except Corrupt:
            self.confirm()
            raise


def open_store(url: str, *, client: Client, options: Options = NO_OPTIONS) -> OpenedStore:
    """Open the store at `url`. Raises `NoStore` when there is none, or it cannot be reached."""
    return assemble(open_backend(url, options), client=client, options=options)


def assemble(
    backend: Backend, *, client: Client, fresh: bool = False, options: Options = NO_OPTIONS
) -> OpenedStore:
    """Open the store that `backend` reaches. `fresh`: do not recall what it was a while ago."""
    remembered = Remembered(backend, client.own_cache_dir)
    recalled = None if fresh else remembered.recall(client.now())
    genesis = recalled or read_store_file(backend)
    if recalled is None:
        remembered.note(genesis)
    info = store_file.decode(genesis, backend.url)
    cache = client.own_cache_dir / info.id
    return OpenedStore(
        backend=backend,
        info=info,
        catalog=Catalog(Log(backend, genesis=genesis), client.own_cache_dir, info.id),
        index=Index(backend, cache / "segments"),
        client=client,
        options=options,
        recalled=remembered if recalled else None,
    )


def read_store_file(backend: Backend) -> bytes:
    """The bytes of `store.json`. Raises `NoStore` when the place is not a store."""
    try:
        return backend.read(layout.STORE, limit_bytes=store_file.STORE_FILE_BYTES_MAX)
    except StorageMissing as error:
        if _is_unfinished(backend):
            raise NoStore(
                f"{backend.url} is going to be the clone of another store, and not finished",
                kind="unfinished_clone",
                hint="Run the same datacat clone again: it goes on where it stopped.",
            ) from error
        raise NoStore(
            f"{backend.url} is not a datacat store",
            kind="not_a_store",
            hint="To make one there, or to join another:",
            commands=["datacat init PATH"],
        ) from error
    except StorageTransient as error:
        raise NoStore(
            f"the store at {backend.url} does not answer: {error.message}",
            kind="store_unreachable",
            hint="Is the network there, and the address right?",
        ) from error


def _is_unfinished(backend: Backend) -> bool:
    """Whether a clone was begun there. What cannot be found out is not said."""
    try:
        return backend.stat(layout.CLONE) is not None
    except (StorageError, NoStore):
        return False
