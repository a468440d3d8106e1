"""The relations of a connection that stays open: the views of the catalog, and what they read.

The lists of files of all versions, and who has working copies, are only fetched when a question
is about them, although the views are there from the beginning: they read names that no dataset
has, for which the bridge brings what is asked for.
"""

from __future__ import annotations

import threading
from datetime import datetime
from typing import Any

import msgspec

from datacat import refs, sql
from datacat.catalog import schema
from datacat.catalog.query import CatalogQuery
from datacat.copies import working_copies
from datacat.inside.bridge import Bridge
from datacat.inside.reach import Reach
from datacat.inside.supplied import COPIES_DDL, LISTS_DDL, copy_row, fetch_lists, lists_of
from datacat.manifest.entry import DDL
from datacat.opened import OpenedStore, Watch
from datacat.sql import Connection, Workspace

SCHEMA = "supplied"
_LISTS = "lists:"
_EMPTY = "lists:none.parquet"
_COPIES = "copies:all.jsonl"
"""Names that no dataset has, because of the colon."""


class StandingBridge(Bridge):
    """A bridge that brings what the standing views read, when they are read."""

    def __init__(self, store: OpenedStore, reach: Reach, query: CatalogQuery) -> None:
        super().__init__(reach, previews={_EMPTY: _no_list(), _COPIES: b""})
        self._store = store
        self._query = query
        self._listed = query.manifests()
        self._bringing = threading.Lock()
        self._places: dict[str, None] | None = None
        self.complete = False
        """Whether the views were made: before, DuckDB only asks what their columns are."""

    def _supplied(self, name: str) -> list[str] | None:
        if name.startswith(_LISTS):
            return [self.unstrip_protocol(_EMPTY), *self._lists()]
        if name == _COPIES and self.complete:
            # One line of JSON each: its types are those that the view says, not guessed ones.
            rows = map(copy_row, working_copies(self._store, self._query))
            names = [column.split()[0] for column in COPIES_DDL.split(",")]
            lines = [
                msgspec.json.encode(dict(zip(names, map(_plain, row), strict=True))) for row in rows
            ]
            self._previews[_COPIES] = b"".join(line + b"\n" for line in lines)
        return super()._supplied(name)

    def _lists(self) -> list[str]:
        """Their paths in the cache: once they are there, DuckDB reads them by itself."""
        if not self.complete:
            return []
        with self._bringing:
            if self._places is None:
                found = fetch_lists(self._store, self._listed, Watch())
                self._places = dict.fromkeys(map(str, found))
            return list(self._places)

    def unstrip_protocol(self, name: str) -> str:
        # DuckDB asks this of whatever `glob` gave.
        return name if name in (self._places or ()) else super().unstrip_protocol(name)


def supply_standing(connection: Connection, bridge: StandingBridge, store: OpenedStore) -> None:
    """Make every view for people in `connection`, over the attached catalog and `bridge`."""
    for view in schema.views():
        if view.name not in {one.name for one in schema.supplied()}:
            connection.execute(f"create view {view.name} as from catalog.main.{view.name}")
    connection.execute(f"create schema {SCHEMA}")
    connection.execute(f"create table {SCHEMA}.manifest_files ({LISTS_DDL})")
    sql.append(connection, f"memory.{SCHEMA}.manifest_files", lists_of(store, bridge._listed))
    connection.execute(
        f"create view {SCHEMA}.manifest_entries as select *"
        f" from read_parquet('{refs.URL_SCHEME}{_LISTS}*', filename = true)"
    )
    columns = ", ".join(
        f"{name}: {sql.literal(kind)}"
        for name, kind in (column.split() for column in COPIES_DDL.split(","))
    )
    connection.execute(
        f"create view {SCHEMA}.registered_copies as select *"
        f" from read_json('{refs.URL_SCHEME}{_COPIES}', format = 'newline_delimited',"
        f" columns = {{{columns}}})"
    )
    for view in schema.supplied():
        connection.execute(view.standing(SCHEMA))
    bridge.complete = True


def _no_list() -> bytes:
    """A list of files that lists none: what the columns are, while no other list is there."""
    with Workspace() as workspace:
        workspace.execute(f"create table nothing ({DDL})")
        target = workspace.folder / "nothing.parquet"
        workspace.write_parquet("from nothing", target)
        return target.read_bytes()


def _plain(value: Any) -> Any:
    return value.isoformat(sep=" ") if isinstance(value, datetime) else value
