"""The rows that the fold reads and writes, and the question it asks its base.

Column orders are those of `catalog_schema/tables/`; `database.py` writes them in bulk.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

import msgspec

from datacat.catalog.record import VersionAdd
from datacat.catalog.record_parts import StoredFile, Values
from datacat.sql import Row

VersionKey = tuple[int, int]
"""A version: its dataset's id and its number."""


class DatasetRow(msgspec.Struct, kw_only=True, gc=False):
    """A dataset as the fold knows it. Times are UTC without a zone, as DuckDB keeps them."""

    id: int
    name: str
    description: str
    owner: str
    created_at: datetime
    created_by: str
    updated_at: datetime
    next_number: int


class VersionState(msgspec.Struct, kw_only=True, gc=False):
    """What may still change about a version, and its manifest, which may be condemned."""

    manifest_key: str
    message: str
    trashed_seq: int | None = None
    trashed_at: datetime | None = None
    trashed_by: str | None = None
    trash_reason: str | None = None


class AliasRow(msgspec.Struct, kw_only=True, gc=False):
    """Where an alias points, and which record says so."""

    number: int
    seq: int
    set_at: datetime
    set_by: str


class Rows(Protocol):
    """The fold of the records up to `head`: what a further fold looks up, in sets."""

    head: int
    any_condemned: bool

    def datasets(self, names: Collection[str]) -> dict[str, DatasetRow]:
        """Datasets by any name they have or had; names that nobody has are left out."""

    def versions(self, keys: Collection[VersionKey]) -> dict[VersionKey, VersionState]:
        """Versions that exist, trashed ones too."""

    def aliases(self, keys: Collection[tuple[int, str]]) -> dict[tuple[int, str], AliasRow]:
        """Aliases that are set, by dataset id and alias."""

    def txids(self, txids: Collection[str]) -> set[str]:
        """Those transactions that took effect already."""

    def condemned(self, names: Collection[str]) -> set[str]:
        """Those names on shared storage that were condemned."""


class Nothing:
    """The base of the first fold: a store without records."""

    head = 0
    any_condemned = False

    def datasets(self, names: Collection[str]) -> dict[str, DatasetRow]:  # noqa: ARG002
        return {}

    def versions(self, keys: Collection[VersionKey]) -> dict[VersionKey, VersionState]:  # noqa: ARG002
        return {}

    def aliases(self, keys: Collection[tuple[int, str]]) -> dict[tuple[int, str], AliasRow]:  # noqa: ARG002
        return {}

    def txids(self, txids: Collection[str]) -> set[str]:  # noqa: ARG002
        return set()

    def condemned(self, names: Collection[str]) -> set[str]:  # noqa: ARG002
        return set()


@dataclass(slots=True)
class Changes:
    """What a fold adds to its base and changes in it, per table.

    `states` are versions of the base whose state changed; new versions carry theirs along.
    `params` and `metrics` are all that a new version has, and what changes of one in the base.
    `manifests` are lists of files that were made again.
    None in `aliases`, `directions` and in values of the base, and False in `tags`, say that the row
    is gone.
    """

    records: list[Row] = field(default_factory=list)
    datasets: dict[int, DatasetRow] = field(default_factory=dict)
    names: list[Row] = field(default_factory=list)
    versions: dict[VersionKey, tuple[VersionAdd, VersionState]] = field(default_factory=dict)
    states: dict[VersionKey, VersionState] = field(default_factory=dict)
    aliases: dict[tuple[int, str], AliasRow | None] = field(default_factory=dict)
    tags: dict[tuple[int, str], bool] = field(default_factory=dict)
    sources: list[Row] = field(default_factory=list)
    params: dict[VersionKey, Values] = field(default_factory=dict)
    metrics: dict[VersionKey, Values] = field(default_factory=dict)
    directions: dict[tuple[int, str], str | None] = field(default_factory=dict)
    segments: list[Row] = field(default_factory=list)
    condemned: dict[str, int] = field(default_factory=dict)
    swept: dict[str, int] = field(default_factory=dict)
    quarantined: list[Row] = field(default_factory=list)
    relocations: list[Row] = field(default_factory=list)
    manifests: dict[VersionKey, StoredFile] = field(default_factory=dict)
