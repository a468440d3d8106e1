"""A malicious writer: a store whose files were rewritten, under records and a log that are valid.

Whoever can write to a store can forge everything but digests. The files of a `Forger` have right
sizes, digests and checks all the way up to the head of the log; what they say is wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from datacat import layout, sql
from datacat.catalog import log, record
from datacat.catalog.record import Record, VersionAdd
from datacat.catalog.record_parts import StoredFile, StoredSegment
from datacat.digest import digest_of, label
from datacat.manifest.entry import COLUMNS, tree_digest
from datacat.objects.index import CHUNK_COLUMNS, RECIPE_COLUMNS
from datacat.sql import Workspace

_ORDER = {"chunks": "digest", "recipes": "object, ordinal", "manifest": "path"}
_COLUMNS = {"chunks": CHUNK_COLUMNS, "recipes": RECIPE_COLUMNS, "manifest": COLUMNS}


class Forger:
    """Rewrites the store in the folder `store`."""

    def __init__(self, store: Path) -> None:
        self.store = store

    def records(self) -> list[Record]:
        """The records of the log, which must be whole."""
        found: list[Record] = []
        while (path := self.store / layout.log_record(len(found) + 1)).exists():
            one = record.decode(path.read_bytes(), str(path))
            if isinstance(one, record.Void):
                raise TypeError(one.reason)
            found.append(one)
        return found

    def write_log(self, records: Sequence[Record]) -> None:
        """A log of these records, each linked to the one before it."""
        prev = log.digest_of((self.store / layout.STORE).read_bytes())
        for one in records:
            data = record.encode(msgspec.structs.replace(one, prev=prev))
            self.put(layout.log_record(one.seq), data)
            prev = log.digest_of(data)

    def put(self, key: str, data: bytes) -> None:
        path = self.store / key
        path.unlink(missing_ok=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)

    def put_described(self, relation: str, seq: int, data: bytes) -> str:
        """Put other bytes for a segment or the manifest of a record; returns the key."""
        records = self.records()
        version = records[seq - 1]
        if not isinstance(version, VersionAdd):
            raise TypeError(f"record {seq} adds no version")
        old: StoredFile | None = getattr(version, relation)
        if old is None:
            raise LookupError(f"record {seq} has no {relation}")
        algorithm = old.digest.partition(":")[0]
        facts = {"size": len(data), "digest": label(algorithm, digest_of(algorithm, data))}
        self.put(old.key, data)
        records[seq - 1] = msgspec.structs.replace(
            version, **{relation: msgspec.structs.replace(old, **facts)}
        )
        self.write_log(records)
        return old.key

    def alter(
        self, relation: str, seq: int, *statements: str, select: str = "", tree: bool = False
    ) -> str:
        """Run SQL over the table `t` of a segment or manifest, put the result; returns the key.

        `select` replaces the columns that are written. With `tree` the record also names the
        tree digest of what the manifest lists now.
        """
        with Workspace() as workspace:
            old = self.stored(relation, seq)
            workspace.execute(f"create table t as from {sql.parquet(self.store / old.key)}")
            for statement in statements:
                workspace.execute(statement)
            target = workspace.folder / "forged.parquet"
            columns = select or _COLUMNS[relation]
            workspace.write_parquet(f"select {columns} from t order by {_ORDER[relation]}", target)
            key = self.put_described(relation, seq, target.read_bytes())
            if tree:
                records = self.records()
                named = label("blake3", tree_digest(workspace, "t", algorithm="blake3"))
                records[seq - 1] = msgspec.structs.replace(records[seq - 1], tree=named)  # type: ignore[call-arg]
                self.write_log(records)
            return key

    def stored(self, relation: str, seq: int) -> StoredFile:
        """What record `seq` says of its segment or manifest."""
        version = self.records()[seq - 1]
        stored: StoredFile | StoredSegment | None = getattr(version, relation, None)
        if stored is None:
            raise LookupError(f"record {seq} has no {relation}")
        return stored

    def seqs(self, relation: str) -> list[int]:
        """The records that have a segment of this relation, or a manifest."""
        return [one.seq for one in self.records() if getattr(one, relation, None) is not None]

    def rows(self, relation: str, seq: int, query: str = "from t") -> list[sql.Row]:
        """Rows of the table `t` of a segment or manifest."""
        with Workspace() as workspace:
            path = self.store / self.stored(relation, seq).key
            workspace.execute(f"create view t as from {sql.parquet(path)}")
            return workspace.all(query)
