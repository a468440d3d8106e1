"""A DuckDB connection of a person's own, over the catalog and the files of all versions."""

from __future__ import annotations

import atexit
import functools
import weakref
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from datacat import sql
from datacat.catalog.query import CatalogQuery
from datacat.closing import Closing
from datacat.inside.late import Telling
from datacat.inside.reach import Reach
from datacat.inside.standing import StandingBridge, supply_standing
from datacat.opened import OpenedStore


class Connection(Closing):
    """A DuckDB connection, as `datacat.connect` gives it. It has all methods of DuckDB's.

    What goes wrong with a file of a version is raised as the error that it is (`NotFound`,
    `Corrupt`), not in DuckDB's words, also when a relation is read later. For libraries that
    insist on DuckDB's own class there is `duckdb`. As with every connection of DuckDB, each thread
    uses its own `cursor()`.
    """

    def __init__(self, duckdb: sql.Connection, bridge: StandingBridge) -> None:
        self._duckdb = duckdb
        self._bridge = bridge
        self._telling = Telling(bridge.failure_in)
        _open.add(duckdb)
        _answering[id(bridge)] = bridge

    @property
    def duckdb(self) -> sql.Connection:
        """DuckDB's own connection."""
        return self._duckdb

    def cursor(self) -> Connection:
        """Another connection to the same: for another thread, or for a second result."""
        return Connection(self._duckdb.cursor(), self._bridge)

    def close(self) -> None:
        """Let go of what was asked, and of the store with the last connection to it."""
        _abort(self._duckdb)
        self._duckdb.close()

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._duckdb, name)
        if not callable(found):
            return found

        @functools.wraps(found)
        def telling(*_given: Any, **_named: Any) -> Any:
            _answer = self._telling.call(lambda: found(*_given, **_named))
            return self if _answer is self._duckdb else _answer

        return telling

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *dir(self._duckdb)})


_open: weakref.WeakSet[sql.Connection] = weakref.WeakSet()

_answering: weakref.WeakValueDictionary[int, StandingBridge] = weakref.WeakValueDictionary()
"""Longer than the connections: a reader of Arrow that outlives its own asks on."""


@atexit.register
def _close_all() -> None:
    """DuckDB must not call Python once that ends: not even for a result that is only half read."""
    for connection in list(_open):
        _abort(connection)
    for bridge in list(_answering.values()):
        bridge.end()
    for connection in list(_open):
        connection.close()


def _abort(connection: sql.Connection) -> None:
    """Read no more of the result that was begun last."""
    with suppress(sql.Error):
        connection.abort()


def connect(
    store: OpenedStore, reach: Reach, *, config: Mapping[str, str] | None = None
) -> Connection:
    """A connection with every view of the catalog as it is now, and `datacat://` URLs.

    Nothing but the catalog is read before it is asked for. Raises `sql.Error` for a setting in
    `config` that DuckDB does not have.
    """
    snapshot = store.catalog.sync()
    query = CatalogQuery(snapshot, store=store.backend.url)
    connection = sql.open_for_programs(snapshot.path, config or {})
    try:
        bridge = StandingBridge(store, reach, query)
        connection.register_filesystem(bridge)
        supply_standing(connection, bridge, store)
    except BaseException:
        connection.close()
        raise
    return Connection(connection, bridge)
