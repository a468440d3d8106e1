"""Questions about what the store keeps for its versions, as garbage collection asks them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from datacat import layout, refs
from datacat.catalog import answers
from datacat.catalog.query import CatalogQuery
from datacat.catalog.record_parts import StoredFile


@dataclass(frozen=True, slots=True)
class StoredVersion:
    """A version that was not collected: what it is read from, and whether it is in the trash.

    `segments` are the records whose parts of the index it draws on besides its own, None when it
    may draw on every older one. `trashed_seq` is the record that removed it.
    """

    dataset_id: int
    dataset: str
    owner: str
    number: int
    seq: int
    bytes: int
    manifest: StoredFile
    segments: tuple[int, ...] | None
    trashed_seq: int | None
    trashed_at: datetime | None
    trashed_by: str | None

    @property
    def key(self) -> tuple[int, int]:
        """Its dataset's id and its number."""
        return (self.dataset_id, self.number)

    @property
    def ref(self) -> str:
        return refs.version_ref(self.dataset, self.number)


class StoredQuery(CatalogQuery):
    """A `CatalogQuery` that also knows the files of every version, and what gc did so far."""

    def stored_versions(self) -> Iterator[StoredVersion]:
        """Every version that gc did not take, oldest first, also those in the trash."""
        rows = self._connection.cursor().execute(
            f"""
            select v.dataset_id, d.name, d.owner, v.number, v.seq, v.bytes,
                v.manifest_key, v.manifest_size, v.manifest_digest, v.segments,
                v.trashed_seq, v.trashed_at, v.trashed_by
            from fold.versions v
            join fold.datasets d on d.id = v.dataset_id
            {answers.RESTORABLE}
            order by v.seq
            """
        )
        while batch := rows.fetchmany(1_000):
            for dataset_id, name, owner, number, seq, size, key, length, digest, *rest in batch:
                segments, trashed_seq, trashed_at, trashed_by = rest
                yield StoredVersion(
                    *(dataset_id, name, owner, number, seq, size),
                    StoredFile(key=key, size=length, digest=digest),
                    None if segments is None else tuple(segments),
                    trashed_seq,
                    None if trashed_at is None else answers.utc(trashed_at),
                    trashed_by,
                )

    def sessions(self) -> Iterator[str]:
        """The sessions of all versions that were ever saved, and of what was relocated."""
        return self._column(
            "select distinct session from fold.versions union select session from fold.relocations"
        )

    def unindexed_sessions(self) -> Iterator[str]:
        """Sessions whose part of the index is lost: what they stored may be needed all the same."""
        return self._column(
            f"""
            select distinct substr(name, {len(layout.SEGMENTS) + 1}, 32) from fold.quarantined
            where starts_with(name, '{layout.SEGMENTS}')
            """
        )

    def unswept(self) -> Iterator[str]:
        """Names that were condemned and not yet said to be deleted."""
        return self._column("select name from fold.condemned where swept_seq is null")

    def _column(self, statement: str) -> Iterator[str]:
        rows = self._connection.cursor().execute(statement)
        while batch := rows.fetchmany(10_000):
            yield from (row[0] for row in batch)
