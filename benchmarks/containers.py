"""Fill a store with many small packs, each with one chunk, of a few versions.

Their content does not exist: this measures how a collection lists, decides and deletes.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from datacat import layout
from datacat.backend.posix import PosixBackend
from datacat.catalog.log import digest_of
from datacat.catalog.record import VersionAdd, encode
from datacat.catalog.record_parts import StoredFile, StoredSegment
from datacat.digest import digest_of as content_digest
from datacat.digest import label
from datacat.manifest import parquet
from datacat.manifest.entry import DDL
from datacat.objects.index import CHUNKS_DDL, write_segment
from datacat.sql import Workspace

PACK_BYTES = 100


def write_containers(store: Path, *, versions: int, containers: int) -> None:
    """Append `versions` records to the log of an empty store, each with its part of `containers`.

    Each is a dataset of its own: `packs-0`, `packs-1`, …
    """
    backend = PosixBackend(store)
    prev = digest_of(backend.read(layout.log_record(1)))
    share = containers // versions
    for number in range(versions):
        with Workspace() as workspace:
            record = _version(store, workspace, number, prev, share=share)
        data = encode(record)
        prev = digest_of(data)
        path = store / layout.log_record(record.seq)
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)


def _version(
    store: Path, workspace: Workspace, number: int, prev: str, *, share: int
) -> VersionAdd:
    session = f"{number + 1:032x}"[::-1]
    keys = [layout.pack(session, n) for n in range(share)]
    (store / keys[0]).parent.mkdir(exist_ok=True)
    for key in keys:
        (store / key).write_bytes(bytes(PACK_BYTES))
    workspace.execute(f"create table new_chunks ({CHUNKS_DDL})")
    workspace.execute("create table keys (n bigint, key varchar)")
    workspace.load("keys", enumerate(keys, number * share))
    workspace.execute(
        "insert into new_chunks select unhex(sha256(n::varchar)), 10, key, 16, 10, 'raw', null,"
        " repeat('x', 8)::blob from keys"
    )
    workspace.execute(f"create table entries ({DDL})")
    workspace.execute(
        "insert into entries select 'f' || n, 'file', 10, false, 0, unhex(sha256(n::varchar)), null"
        " from keys order by 1"
    )
    tree = f"{number:064x}"
    manifest, segment = layout.manifest(tree, session), layout.chunks_segment(session)
    (store / manifest).parent.mkdir(exist_ok=True)
    parquet.write(workspace, "entries", store / manifest)
    write_segment(workspace, "chunks", store / segment)
    chunks = _stored(store, segment)
    return VersionAdd(
        seq=number + 2,
        txid=session,
        prev=prev,
        base=number + 1,
        by="bench",
        host="hub",
        at=datetime(2026, 1, 1, tzinfo=UTC),
        dataset=f"packs-{number}",
        number=1,
        tree=f"blake3:{tree}",
        session=session,
        manifest=_stored(store, manifest),
        chunks=StoredSegment(key=chunks.key, size=chunks.size, digest=chunks.digest, rows=share),
        files=share,
        bytes=10 * share,
        segments=(),
    )


def _stored(store: Path, key: str) -> StoredFile:
    data = (store / key).read_bytes()
    return StoredFile(
        key=key, size=len(data), digest=label("blake3", content_digest("blake3", data))
    )
