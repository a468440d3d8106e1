"""The relations whose rows are not in the catalog: files of versions, working copies.

They are brought only when a question names them: all lists of files may take a while the first
time, and are verified in the cache every time.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime
from pathlib import Path

from datacat import sql
from datacat.backend.download import StoredFile
from datacat.catalog import schema
from datacat.catalog.query import CatalogQuery
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

_COPIES_DDL = """
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
        connection.execute(f"create temp table registered_copies ({_COPIES_DDL})")
        sql.append(
            connection, "temp.main.registered_copies", map(_row, working_copies(store, query))
        )
    for relation in wanted:
        connection.execute(relation.sql)
    return files


def _supply_manifests(
    connection: Connection, store: OpenedStore, query: CatalogQuery, watch: Watch
) -> list[Path]:
    """Make `manifest_files(digest, filename)` and `manifest_entries` over them, each list once,
    however many versions have it."""
    listed = {
        file.digest: StoredFile(file.key, file.size, file.digest) for file in query.manifests()
    }
    digests = {stored.key: digest for digest, stored in listed.items()}
    folder = store.cache / "manifests"
    absent = sum(not (folder / key.rpartition("/")[2]).exists() for key in digests)
    listener = watch.listener if absent >= ANNOUNCED_MIN else ignore
    listener(Started(PHASE, files_total=len(listed)))
    places: dict[str, Path] = {}
    with Workspace() as workspace:
        batches = fetch_manifests(
            store.backend,
            workspace,
            list(listed.values()),
            folder,
            jobs=store.client.jobs,
            stop=watch.stop,
        )
        for batch in batches:
            places.update(batch)
            listener(Advanced(len(batch), 0))
    listener(Finished(PHASE))
    connection.execute("create temp table manifest_files (digest varchar, filename varchar)")
    sql.append(
        connection,
        "temp.main.manifest_files",
        ((digests[key], str(path)) for key, path in places.items()),
    )
    files = list(places.values())
    if files:
        source = f"{sql.parquet(files).removesuffix(')')}, filename = true)"
        connection.execute(f"create temp view manifest_entries as select * from {source}")
    else:
        connection.execute(f"create temp table manifest_entries ({DDL}, filename varchar)")
    return files


def _row(copy: Copy) -> Row:
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
