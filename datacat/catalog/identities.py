"""Which versions of different stores are the same: one transaction saved them first.

A version that is copied to another store takes that transaction along (`Origin`), also when it is
copied on from there, and back.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from datacat.catalog.references import References


@dataclass(frozen=True, slots=True)
class Identity:
    """A version by its place in this store (`seq` is its record) and by its first transaction."""

    ref: str
    number: int
    seq: int
    txid: str
    hash: str
    trashed: bool


class Identities(References):
    """Versions by the transaction that saved them first."""

    def identities(self, name: str) -> list[Identity]:
        """All versions that a dataset ever had, the oldest first. Raises `NotFound`."""
        identity, _ = self._identity(name)
        return self._identities("v.dataset_id = $1", identity)

    def by_origin(self, txids: Collection[str]) -> dict[str, Identity]:
        """The newest version outside the trash for each of these transactions that has one."""
        found = self._identities(
            "v.trashed_seq is null and v.origin_txid in (select unnest($1::varchar[]))",
            list(txids),
        )
        return {one.txid: one for one in found}

    def _identities(self, condition: str, parameter: object) -> list[Identity]:
        found = self._all(
            f"""
            select d.name || '@v' || v.number, v.number, v.seq, v.origin_txid,
                split_part(v.tree, ':', 2), v.trashed_seq is not null
            from fold.versions v join fold.datasets d on d.id = v.dataset_id
            where {condition} order by v.seq
            """,
            [parameter],
        )
        return [Identity(*row) for row in found]
