"""Create a store: its folders, `store.json`, and the first record of its log."""

from __future__ import annotations

import shlex

from datacat import layout, recovery
from datacat.backend import Backend
from datacat.catalog import store_file
from datacat.catalog.log import Log
from datacat.catalog.record import StoreCreate, encode
from datacat.digest import ALGORITHMS
from datacat.errors import Failed, InvalidInput, NoStore, Refused, StorageDenied, StorageMissing
from datacat.model import LinkMode, Parameters, StoreInfo
from datacat.opened import Client, read_store_file
from datacat.text import printable


def create_store(
    backend: Backend,
    *,
    client: Client,
    name: str | None,
    description: str,
    group: str | None,
    parameters: Parameters,
    link: LinkMode,
    shared: bool,
    trash_days: int,
) -> None:
    """Make `backend` a store, unless it is one: of several who try, one decides what it is.

    Raises `InvalidInput` (parameters, group), `NotFound` (no parent folder), `Failed` (something
    else lies there), `Refused` (links where there can be none), `StorageDenied`, and
    `NoStore` when the storage cannot create atomically.
    """
    if parameters.digest not in ALGORITHMS:
        raise InvalidInput(f"unknown digest: {parameters.digest}", kind="bad_parameters")
    if not 0 <= trash_days <= store_file.TRASH_DAYS_MAX:
        raise InvalidInput(f"not a number of days: {trash_days}", kind="bad_parameters")
    if not backend.capabilities.local:
        _refuse_taken(backend)
        if link in (LinkMode.HARDLINK, LinkMode.SYMLINK):
            raise Refused(
                f"{backend.url} is not in anybody's file system, so nothing can be linked there",
                kind="no_links",
            )
    backend.initialise(layout.directories(), group=group, shared=shared)
    if not backend.capabilities.atomic_create:
        raise NoStore(
            f"{backend.url} cannot create a file so that exactly one of several writers wins;"
            " a store there could lose versions",
            kind="no_atomic_create",
            hint="Use another one: NFS, Lustre, a local disk, a server that knows If-None-Match.",
        )
    info = StoreInfo(
        id=client.new_id(),
        name=name or backend.url.rstrip("/").rpartition("/")[2],
        description=description,
        created_at=client.now().replace(microsecond=0),
        created_by=client.user,
        parameters=parameters,
        link=link,
        shared=shared,
        trash_days=trash_days,
    )
    backend.create(layout.STORE, store_file.encode(info))
    for key, data in recovery.files().items():
        backend.create(key, data)
    begin_log(backend, client=client)
    backend.keep_reserve()


def _refuse_taken(backend: Backend) -> None:
    """Raise `Failed` when the place holds something that is no store: it was probably mistyped."""
    try:
        taken = next(iter(backend.keys("")), None)
    except StorageDenied as error:
        if error.kind != "not_listed":
            raise
        return  # such a place takes no store either, and says so itself
    if taken is None:
        return
    try:
        backend.read(layout.STORE, limit_bytes=1)
    except StorageMissing:
        raise Failed(
            f"{backend.url} is not empty and not a store",
            kind="not_empty",
            hint=f"It holds '{printable(taken.key[:80])}'. A store needs a place of its own.",
            commands=[f"datacat init {shlex.quote(backend.url.rstrip('/') + '/datacat')}"],
        ) from None


def begin_log(backend: Backend, *, client: Client) -> None:
    """Write the first record of the log, unless it is there."""
    genesis = read_store_file(backend)
    info = store_file.decode(genesis, backend.url)
    log = Log(backend, genesis=genesis)
    if log.read(1) is None:
        first = StoreCreate(
            seq=1,
            txid=client.new_id(),
            prev=log.genesis_digest,
            base=0,
            by=client.user,
            host=client.host,
            client=client.program,
            at=client.now().replace(microsecond=0),
            store_id=info.id,
            name=info.name,
        )
        # INV slots: whoever comes second finds the slot taken; both mean the same.
        backend.create(layout.log_record(1), encode(first))
        backend.sync()
    if log.read(1) is None:
        raise NoStore(
            f"the first record of the store {backend.url} could not be written",
            kind="store_incomplete",
            commands=[f"datacat init {backend.url}"],
        )
