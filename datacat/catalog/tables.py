"""The fold's tables in DuckDB: the base that a fold looks up in, and how its changes are written.

Both work on sets: a batch of 20,000 records costs a few queries and a few bulk loads.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator

from datacat import sql
from datacat.catalog.record import VersionAdd
from datacat.catalog.record_parts import Origin, Values
from datacat.catalog.rows import AliasRow, Changes, DatasetRow, VersionKey, VersionState
from datacat.sql import Connection, Row

_MANIFEST = ("manifest_key", "manifest_size", "manifest_digest")
_STATE = ("message", "trashed_seq", "trashed_at", "trashed_by", "trash_reason")


class StoredRows:
    """The base of a fold that lies in a database: implements `Rows`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        found = connection.execute(
            "select head_seq, exists (from fold.condemned) from fold.state"
        ).fetchall()
        self.head: int = found[0][0]
        self.any_condemned: bool = found[0][1]

    def datasets(self, names: Collection[str]) -> dict[str, DatasetRow]:
        """Datasets by any name they have or had."""
        found = self._all(
            """
            select n.name, d.id, d.name, d.description, d.owner, d.created_at, d.created_by,
                d.updated_at, d.next_number
            from fold.dataset_names n
            join fold.datasets d on d.id = n.dataset_id
            where n.name in (select unnest($1::varchar[]))
            """,
            list(names),
        )
        return {
            row[0]: DatasetRow(
                id=row[1],
                name=row[2],
                description=row[3],
                owner=row[4],
                created_at=row[5],
                created_by=row[6],
                updated_at=row[7],
                next_number=row[8],
            )
            for row in found
        }

    def versions(self, keys: Collection[VersionKey]) -> dict[VersionKey, VersionState]:
        """Versions that exist, trashed ones too."""
        found = self._all(
            """
            select v.dataset_id, v.number, v.manifest_key, v.message, v.trashed_seq, v.trashed_at,
                v.trashed_by, v.trash_reason
            from fold.versions v
            semi join (
                select unnest($1::bigint[]) as dataset_id, unnest($2::bigint[]) as number
            ) k on k.dataset_id = v.dataset_id and k.number = v.number
            """,
            [identity for identity, _ in keys],
            [number for _, number in keys],
        )
        return {
            (row[0], row[1]): VersionState(
                manifest_key=row[2],
                message=row[3],
                trashed_seq=row[4],
                trashed_at=row[5],
                trashed_by=row[6],
                trash_reason=row[7],
            )
            for row in found
        }

    def aliases(self, keys: Collection[tuple[int, str]]) -> dict[tuple[int, str], AliasRow]:
        """Aliases that are set, by dataset id and alias."""
        found = self._all(
            """
            select a.dataset_id, a.alias, a.number, a.seq, a.set_at, a.set_by
            from fold.aliases a
            semi join (
                select unnest($1::bigint[]) as dataset_id, unnest($2::varchar[]) as alias
            ) k on k.dataset_id = a.dataset_id and k.alias = a.alias
            """,
            [identity for identity, _ in keys],
            [alias for _, alias in keys],
        )
        return {
            (row[0], row[1]): AliasRow(number=row[2], seq=row[3], set_at=row[4], set_by=row[5])
            for row in found
        }

    def txids(self, txids: Collection[str]) -> set[str]:
        """Those transactions that took effect already."""
        found = self._all(
            "select txid from fold.records"
            " where void is null and txid in (select unnest($1::varchar[]))",
            list(txids),
        )
        return {row[0] for row in found}

    def condemned(self, names: Collection[str]) -> set[str]:
        """Those names on shared storage that were condemned."""
        found = self._all(
            "select name from fold.condemned where name in (select unnest($1::varchar[]))",
            list(names),
        )
        return {row[0] for row in found}

    def _all(self, query: str, *parameters: list[object] | list[str] | list[int]) -> list[Row]:
        return self._connection.execute(query, list(parameters)).fetchall()


def write(connection: Connection, changes: Changes, *, base: int, head: int, digest: str) -> None:
    """Make the database the fold up to `head`, whose record has `digest`.

    `changes` are what a fold over the database at `base` collected.
    """
    for table, rows in (
        ("records", changes.records),
        ("dataset_names", changes.names),
        ("sources", changes.sources),
        ("segments", changes.segments),
        ("condemned", [(name, seq, None) for name, seq in changes.condemned.items()]),
        ("quarantined", changes.quarantined),
        ("relocations", changes.relocations),
    ):
        if rows:
            sql.append(connection, f"fold.{table}", rows)
    _write_versions(connection, changes)
    write_datasets(connection, changes, base=base)
    _write_states(connection, changes)
    _write_aliases(connection, changes, base)
    _write_tags(connection, changes, base)
    _write_directions(connection, changes, base)
    _write_values(connection, changes)
    if changes.manifests:
        sql.update(
            connection,
            "fold.versions",
            [(*key, file.key, file.size, file.digest) for key, file in changes.manifests.items()],
            columns=["dataset_id", "number", *_MANIFEST],
            key=["dataset_id", "number"],
        )
    if changes.swept:
        sql.update(
            connection,
            "fold.condemned",
            list(changes.swept.items()),
            columns=["name", "swept_seq"],
            key=["name"],
        )
    connection.execute("update fold.state set head_seq = $1, head_digest = $2", [head, digest])


def _write_versions(connection: Connection, changes: Changes) -> None:
    """New versions, which carry their state along. Their rows are never all in memory."""
    rows = (_version_row(key, record, state) for key, (record, state) in changes.versions.items())
    if changes.versions:
        sql.append(connection, "fold.versions", rows)


def _version_row(key: VersionKey, record: VersionAdd, state: VersionState) -> Row:
    """A row of `fold.versions`."""
    code = record.code
    origin = record.origin if isinstance(record.origin, Origin) else None
    return (
        *key,
        record.seq,
        record.tree,
        record.session,
        record.manifest.key,
        record.manifest.size,
        record.manifest.digest,
        record.files,
        record.bytes,
        record.new_bytes,
        record.stored_bytes,
        record.changes.added,
        record.changes.modified,
        record.changes.removed,
        origin.by if origin else record.by,
        record.host,
        (origin or record).at.replace(tzinfo=None),
        record.base_version,
        code.repo if code else None,
        code.commit if code else None,
        code.dirty if code else None,
        record.added_from or None,
        list(record.segments) if record.segments is not None else None,
        state.message,
        state.trashed_seq,
        state.trashed_at,
        state.trashed_by,
        state.trash_reason,
        origin.txid if origin else record.txid,
        origin.store if origin else None,
        origin.ref if origin else None,
        record.by if origin else None,
        record.at.replace(tzinfo=None) if origin else None,
        list(origin.sources) if origin else [],
    )


def write_datasets(connection: Connection, changes: Changes, *, base: int) -> None:
    """Write the changed datasets alone, of which those up to `base` are there already."""
    old = [(identity,) for identity in changes.datasets if identity <= base]
    if old:
        sql.delete(connection, "fold.datasets", old, key=["id"])
    rows = [
        (
            row.id,
            row.name,
            row.description,
            row.owner,
            row.created_at,
            row.created_by,
            row.updated_at,
            row.next_number,
        )
        for row in changes.datasets.values()
    ]
    if rows:
        sql.append(connection, "fold.datasets", rows)


def _write_states(connection: Connection, changes: Changes) -> None:
    if changes.states:
        sql.update(
            connection,
            "fold.versions",
            [
                (
                    *key,
                    state.message,
                    state.trashed_seq,
                    state.trashed_at,
                    state.trashed_by,
                    state.trash_reason,
                )
                for key, state in changes.states.items()
            ],
            columns=["dataset_id", "number", *_STATE],
            key=["dataset_id", "number"],
        )


def _write_aliases(connection: Connection, changes: Changes, base: int) -> None:
    old = [key for key in changes.aliases if key[0] <= base]
    if old:
        sql.delete(connection, "fold.aliases", old, key=["dataset_id", "alias"])
    rows = [
        (*key, row.number, row.seq, row.set_at, row.set_by)
        for key, row in changes.aliases.items()
        if row is not None
    ]
    if rows:
        sql.append(connection, "fold.aliases", rows)


def _write_tags(connection: Connection, changes: Changes, base: int) -> None:
    old = [key for key in changes.tags if key[0] <= base]
    if old:
        sql.delete(connection, "fold.tags", old, key=["dataset_id", "tag"])
    rows = [key for key, there in changes.tags.items() if there]
    if rows:
        sql.append(connection, "fold.tags", rows)


def _write_directions(connection: Connection, changes: Changes, base: int) -> None:
    old = [key for key in changes.directions if key[0] <= base]
    if old:
        sql.delete(connection, "fold.directions", old, key=["dataset_id", "key"])
    rows = [(*key, better) for key, better in changes.directions.items() if better is not None]
    if rows:
        sql.append(connection, "fold.directions", rows)


def _write_values(connection: Connection, changes: Changes) -> None:
    for table, values in (("fold.params", changes.params), ("fold.metrics", changes.metrics)):
        old = [
            (*key, name)
            for key, named in values.items()
            if key not in changes.versions
            for name in named
        ]
        if old:
            sql.delete(connection, table, old, key=["dataset_id", "number", "key"])
        if values:
            sql.append(connection, table, _value_rows(values, new=changes.versions))


def _value_rows(values: dict[VersionKey, Values], *, new: Collection[VersionKey]) -> Iterator[Row]:
    """Rows of params or metrics. Null is a value of a `new` version, elsewhere it is gone."""
    for key, named in values.items():
        for name, value in named.items():
            if isinstance(value, float):
                yield (*key, name, float.__repr__(value), value)
            elif value is not None or key in new:
                counted = isinstance(value, int) and not isinstance(value, bool)
                yield (*key, name, _text(value), value if counted else None)


_text = json.JSONEncoder(ensure_ascii=False).encode
