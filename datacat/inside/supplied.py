"""The relations whose rows are not in the catalog: files of versions, working copies.

They are brought only when a question names them: all lists of files may take a while the first
time, and are verified in the cache every time.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from datacat import sql
from datacat.backend.download import StoredFile as Wanted
from datacat.catalog import schema
from datacat.catalog.query import CatalogQuery
from datacat.catalog.record_parts import StoredFile
from datacat.copies import working_copies
from datacat.manifest.entry import DDL
from datacat.model import Copy
from datacat.opened import OpenedStore, Watch
from datacat.progress import Advanced, Finished, Started, ignore
from datacat.sql import Connection, Row, Workspace
from datacat.transfer.manifests import fetch_manifests

PHASE = "Lists of files"

ANNOUNCED_MIN = 64
"""Fewer lists than this are fetched before anybody has read that they are."""

LISTS_DDL = "digest varchar, filename varchar"

COPIES_DDL = """
    ref varchar, name varchar, version bigint, person varchar, host varchar, path varchar,
    linked boolean, partial boolean, pulled_at timestamp, last_seen timestamp
"""


def supply(
    connection: Connection,
    names: Collection[str],
    *,
    store: OpenedStore,
    query: CatalogQuery,
    watch: Watch,
) -> list[Path]:
    """Make those of the supplied relations that `names` asks for; the files that they read.

    Raises `Corrupt` naming a list of files that is damaged.
    """
    wanted = [relation for relation in schema.supplied() if relation.name in names]
    files: list[Path] = []
    if any(relation.name == "files" for relation in wanted):
        files = _supply_manifests(connection, store, query, watch)
    if any(relation.name in ("copies", "activity") for relation in wanted):
        connection.execute(f"create temp table registered_copies ({COPIES_DDL})")
        sql.append(
            connection, "temp.main.registered_copies", map(copy_row, working_copies(store, query))
        )
    for relation in wanted:
        connection.execute(relation.sql)
    return files


def _supply_manifests(
    connection: Connection, store: OpenedStore, query: CatalogQuery, watch: Watch
) -> list[Path]:
    """Make `manifest_files(digest, filename)` and `manifest_entries` over them, each list once,
    however many versions have it."""
    listed = query.manifests()
    places = fetch_lists(store, listed, watch)
    connection.execute(f"create temp table manifest_files ({LISTS_DDL})")
    sql.append(connection, "temp.main.manifest_files", lists_of(store, listed))
    if places:
        source = f"{sql.parquet(places).removesuffix(')')}, filename = true)"
        connection.execute(f"create temp view manifest_entries as select * from {source}")
    else:
        connection.execute(f"create temp table manifest_entries ({DDL}, filename varchar)")
    return places


def fetch_lists(store: OpenedStore, listed: Sequence[StoredFile], watch: Watch) -> list[Path]:
    """Bring lists of files into the cache, each once; where they are. Raises `Corrupt`."""
    once = {file.digest: Wanted(file.key, file.size, file.digest) for file in listed}
    absent = sum(not place_of(store, file.key).exists() for file in once.values())
    listener = watch.listener if absent >= ANNOUNCED_MIN else ignore
    listener(Started(PHASE, files_total=len(once)))
    places: list[Path] = []
    with Workspace() as workspace:
        batches = fetch_manifests(
            store.backend,
            workspace,
            list(once.values()),
            store.cache / "manifests",
            jobs=store.client.jobs,
            stop=watch.stop,
        )
        for batch in batches:
            places += batch.values()
            listener(Advanced(len(batch), 0))
    listener(Finished(PHASE))
    return places


def lists_of(store: OpenedStore, listed: Sequence[StoredFile]) -> Iterator[Row]:
    """`digest, filename` of each list, also of those that were not fetched yet."""
    keys = {file.digest: file.key for file in listed}
    return ((digest, str(place_of(store, key))) for digest, key in keys.items())


def place_of(store: OpenedStore, key: str) -> Path:
    """Where the list of files `key` is in the cache, when it is there."""
    return store.cache / "manifests" / key.rpartition("/")[2]


def copy_row(copy: Copy) -> Row:
    """A working copy in the columns of `COPIES_DDL`."""
    return (
        copy.ref,
        copy.name,
        copy.version,
        copy.user,
        copy.host,
        copy.path,
        copy.linked,
        copy.partial,
        _utc(copy.pulled_at),
        _utc(copy.last_seen),
    )


def _utc(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.astimezone(UTC).replace(tzinfo=None)
