"""Makes logs for the tests: valid records in a chain, with ids that a counter gives."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import xxhash

from datacat import layout
from datacat.backend.base import Backend, Created
from datacat.catalog.log import Log, digest_of
from datacat.catalog.record import Record, StoreCreate, VersionAdd, encode
from datacat.catalog.record_parts import StoredFile, StoredSegment

GENESIS = b'{"format":1}\n'
STORE_ID = "5" * 32
START = datetime(2026, 11, 1, tzinfo=UTC)


def hex_of(number: int, digits: int) -> str:
    return f"{number:0{digits}x}"


def seal(body: bytes) -> bytes:
    """`body` (an object and a newline) as a record with a right check."""
    rest = body[1:]
    return b'{"check":"' + xxhash.xxh3_64_hexdigest(rest).encode() + b'",' + rest


def seal_unchecked(record: Record) -> bytes:
    """A record's bytes even if a reader finds it void."""
    return seal(msgspec.json.encode(record) + b"\n")


class Chain:
    """Appends records to a backend, one after the other, as the only client."""

    def __init__(self, backend: Backend, *, begin: bool = True) -> None:
        self.backend = backend
        self.seq = 0
        self.prev = digest_of(GENESIS)
        self.lines: list[bytes] = []
        if begin:
            self.append(StoreCreate, store_id=STORE_ID, name="imaging")

    @property
    def log(self) -> Log:
        return Log(self.backend, genesis=GENESIS)

    def common(self, **fields: Any) -> dict[str, Any]:
        seq = self.seq + 1
        return {
            "seq": seq,
            "txid": hex_of(seq, 32),
            "prev": self.prev,
            "base": self.seq,
            "by": "alice",
            "host": "hub",
            "client": "datacat 0",
            "at": START + timedelta(minutes=seq),
            **fields,
        }

    def make(self, kind: type[Record], **fields: Any) -> Record:
        if kind is VersionAdd:
            fields = version_fields(self.seq + 1) | fields
        return kind(**self.common(**fields))

    def append(self, kind: type[Record], **fields: Any) -> int:
        return self.put(encode(self.make(kind, **fields)))

    def put(self, data: bytes) -> int:
        """Fill the next slot with exactly these bytes."""
        self.seq += 1
        self.prev = digest_of(data)
        self.lines.append(data)
        assert self.backend.create(layout.log_record(self.seq), data) is Created.CREATED
        return self.seq

    def add(self, dataset: str, number: int, **fields: Any) -> int:
        return self.append(VersionAdd, dataset=dataset, number=number, **fields)


def version_fields(seed: int, *, tree: str | None = None) -> dict[str, Any]:
    """What a version needs besides its dataset and number."""
    session = hex_of(seed, 32)
    digest = tree or f"blake3:{hex_of(seed, 64)}"
    return {
        "tree": digest,
        "session": session,
        "manifest": StoredFile(
            key=layout.manifest(digest.partition(":")[2], session), size=100, digest=digest
        ),
        "chunks": StoredSegment(
            key=layout.chunks_segment(session), size=50, digest=digest, rows=seed
        ),
        "files": seed,
        "bytes": seed * 1_000,
        "new_bytes": seed * 10,
        "stored_bytes": seed,
    }
