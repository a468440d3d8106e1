"""The one door to DuckDB: hardened connections, bulk loading, quoting.

*Plan with SQL, move bytes with threads*: every operation opens a `Workspace`, an in-memory
database with a memory limit that spills to a temporary folder, loads sets into it, and reads its
plan out of it. No other module imports duckdb, so that no connection is opened without these
settings: no extension is ever loaded or installed, and a path is never taken for a pattern.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

import duckdb

from datacat.closing import Closing
from datacat.errors import Corrupt, Failed, InvalidInput, StorageFull
from datacat.text import printable

MEMORY_LIMIT = "384MiB"
"""DuckDB's share of the 1 GiB that one command may use; more is spilled to disk."""

THREADS = 4
"""More threads than this cost more memory than they save time on the plans we make."""

FETCH_ROWS = 20_000
LOADED_ROWS = 5_000
"""Rows per fetch: large enough to amortise the call, small enough to stay in cache."""

SPILLED_MAX = "20GiB"
"""What one person's question may take of the temporary disk."""

VERSION: str = duckdb.__version__

Connection = duckdb.DuckDBPyConnection
Relation = duckdb.DuckDBPyRelation
Error = duckdb.Error
OutOfMemory = duckdb.OutOfMemoryException
Row = tuple[Any, ...]

_HARDENED = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "allow_community_extensions": "false",
}


def identifier(name: str) -> str:
    """`name` quoted as a SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """`text` quoted as a SQL string, for the statements that take no parameters."""
    return "'" + text.replace("'", "''") + "'"


def path_pattern(path: Path | str) -> str:
    """`path` such that DuckDB's glob matches exactly it and nothing else.

    DuckDB expands `*?[` even in bound parameters: `/x/a[b]c` would read the file in `/x/abc`.
    """
    return "".join(f"[{c}]" if c in "*?[" else c for c in _path_text(path))


def _path_text(path: Path | str) -> str:
    """`path` as DuckDB takes it. Raises `InvalidInput` when it is not UTF-8."""
    text = str(path)
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InvalidInput(
            f"the path {printable(text)} is not UTF-8",
            kind="path_not_utf8",
            hint="Rename the folder, or use one with another name.",
        ) from None
    return text


def parquet(paths: Path | str | Sequence[Path | str]) -> str:
    """A `read_parquet(...)` call over exactly these files, as SQL text."""
    many = [paths] if isinstance(paths, (str, Path)) else list(paths)
    listed = ", ".join(literal(path_pattern(path)) for path in many)
    return f"read_parquet([{listed}])"


def _connect(place: str, config: Mapping[str, str], *, read_only: bool = False) -> Connection:
    """A connection of our own: in a notebook DuckDB would draw how far our questions are."""
    connection = duckdb.connect(place, read_only=read_only, config=dict(config))
    with suppress(duckdb.Error):  # in a notebook without ipywidgets there is none, and no setting
        connection.execute("set enable_progress_bar = false")
    return connection


def open_database(path: Path, *, read_only: bool) -> Connection:
    """Open a local DuckDB file. Never one on shared storage.

    Raises `InvalidInput` when DuckDB would take the path for another one.
    """
    return _connect(_database_path(path), _HARDENED, read_only=read_only)


def create_database(path: Path) -> None:
    """Make an empty local DuckDB file in the storage format that DuckDB 1.2 and later read.

    Raises `InvalidInput` when DuckDB would take the path for another one.
    """
    file = literal(_database_path(path))
    connection = _connect(":memory:", _HARDENED)
    try:
        connection.execute(f"attach {file} as made (storage_version 'v1.2.0')")
        connection.execute("detach made")
    finally:
        connection.close()


def open_for_questions(database: Path, *, folder: Path) -> Connection:
    """A connection over the local DuckDB file `database`, read-only, for a person's SQL.

    Relations may be added to its schema `temp`; then `lock` it. What does not fit in memory is
    spilled to `folder`.
    """
    connection = _connect(
        ":memory:",
        {
            **_HARDENED,
            "python_enable_replacements": "false",
            "memory_limit": MEMORY_LIMIT,
            "threads": str(THREADS),
            "temp_directory": _path_text(folder),
            "max_temp_directory_size": SPILLED_MAX,
        },
    )
    try:
        connection.execute(f"attach {literal(_database_path(database))} as catalog (read_only)")
        connection.execute("use catalog")
    except BaseException:
        connection.close()
        raise
    return connection


def open_for_programs(database: Path, config: Mapping[str, str]) -> Connection:
    """A connection over the local DuckDB file `database`, read-only, for a person's own program.

    It is as free as one that the program had made itself: with the settings of DuckDB and of
    `config`, and an empty database in memory that tables can be made in. Python's variables are
    seen from any caller. Raises `sql.Error` for a setting that does not exist.
    """
    connection = duckdb.connect(":memory:", config={"python_scan_all_frames": "true", **config})
    try:
        connection.execute(f"attach {literal(_database_path(database))} as catalog (read_only)")
    except BaseException:
        connection.close()
        raise
    return connection


def lock(
    connection: Connection, *, files: Iterable[Path] = (), prefixes: Iterable[str] = ()
) -> None:
    """Let `connection` read only `files`, and what begins with one of `prefixes`, for ever."""
    # Both are asked for: the pattern that is looked up, and the file that is opened.
    paths = {text for path in files for text in (_path_text(path), path_pattern(path))}
    connection.execute(f"set allowed_paths = [{', '.join(map(literal, sorted(paths)))}]")
    connection.execute(f"set allowed_directories = [{', '.join(map(literal, prefixes))}]")
    connection.execute("set enable_external_access = false")
    connection.execute("set lock_configuration = true")


def _database_path(path: Path) -> str:
    """`path` as DuckDB takes it: to it `?` begins options, and a backslash is a slash."""
    text = _path_text(path)
    for character in ("?", "\\") if os.sep == "/" else ("?",):
        if character in text:
            raise InvalidInput(
                f"the cache folder {printable(str(path.parent))} has a '{character}' in its path",
                kind="bad_cache_dir",
                commands=["datacat config set cache_dir /another/folder"],
            )
    return text


def append(connection: Connection, table: str, rows: Iterable[Sequence[object]]) -> None:
    """Append `rows` to `table`, in its column order: about a million rows a second."""
    appender = connection.appender(table)
    appender.append_rows(rows)
    appender.flush()


def update(
    connection: Connection,
    table: str,
    rows: Iterable[Sequence[object]],
    *,
    columns: Sequence[str],
    key: Sequence[str],
) -> None:
    """Set `columns` (which include `key`) of the rows that have the same key."""
    appender = connection.appender(table, columns=list(columns), action="update", key=list(key))
    appender.append_rows(rows)
    appender.flush()


def delete(
    connection: Connection, table: str, keys: Iterable[Sequence[object]], *, key: Sequence[str]
) -> None:
    """Remove the rows of `table` whose `key` columns are among `keys`."""
    appender = connection.appender(table, action="delete", key=list(key))
    appender.append_rows(keys)
    appender.flush()


class Workspace(Closing):
    """An in-memory database for one operation, closed and wiped with the `with` block.

    One thread at a time uses the connection: `execute`, `rows` and `load` take a lock, and `rows`
    reads from a cursor of its own, so a caller may run other statements while it iterates.
    """

    def __init__(self, temporary: Path | None = None) -> None:
        _path_text(temporary or tempfile.gettempdir())
        self._folder = Path(tempfile.mkdtemp(prefix="datacat-", dir=temporary))
        self._lock = threading.RLock()
        self.connection = _connect(
            ":memory:",
            {
                **_HARDENED,
                "memory_limit": MEMORY_LIMIT,
                "threads": str(THREADS),
                "temp_directory": str(self._folder),
                "preserve_insertion_order": "false",
            },
        )

    def close(self) -> None:
        """Let go of the database and of the folder."""
        self.connection.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def folder(self) -> Path:
        """A private temporary folder that goes with the workspace."""
        return self._folder

    def execute(self, statement: str, parameters: Sequence[object] = ()) -> None:
        """Run one statement whose result does not matter."""
        with self._lock, _translated():
            self.connection.execute(statement, list(parameters))

    def row(self, statement: str, parameters: Sequence[object] = ()) -> Row:
        """The single row of a query."""
        rows = self.all(statement, parameters)
        if len(rows) != 1:
            raise LookupError(f"the query gave {len(rows)} rows")
        return rows[0]

    def all(self, statement: str, parameters: Sequence[object] = ()) -> list[Row]:
        """Every row of a query that is known to be small."""
        with self._lock, _translated():
            return self.connection.execute(statement, list(parameters)).fetchall()

    def rows(self, statement: str, parameters: Sequence[object] = ()) -> Iterator[Row]:
        """The rows of a query of any length, `FETCH_ROWS` at a time."""
        for batch in self.batches(statement, parameters, size=FETCH_ROWS):
            yield from batch

    def batches(
        self, statement: str, parameters: Sequence[object] = (), *, size: int = FETCH_ROWS
    ) -> Iterator[list[Row]]:
        """The rows of a query in lists of `size`."""
        with self._lock, _translated():
            cursor = self.connection.cursor().execute(statement, list(parameters))
        try:
            while True:
                with self._lock, _translated():
                    batch = cursor.fetchmany(size)
                if not batch:
                    return
                yield batch
        finally:
            cursor.close()

    def load(self, table: str, rows: Iterable[Sequence[object]]) -> None:
        """Append `rows` to `table`, in its column order: about a million rows a second."""
        with self._lock, _translated():
            append(self.connection, table, rows)

    def write_parquet(self, query: str, target: Path, *, row_group_rows: int = 122_880) -> None:
        """Write a query's result as Parquet (V2, zstd), in the order of the query."""
        file = literal(_path_text(target))
        with self._lock, _translated():
            self.connection.execute("set preserve_insertion_order = true")
            self.connection.execute(
                f"copy ({query}) to {file} (format parquet, parquet_version v2,"
                f" compression zstd, row_group_size {row_group_rows})"
            )
            self.connection.execute("set preserve_insertion_order = false")


class Loader:
    """Appends to one table what comes in small pieces: an append costs half a millisecond, however
    few its rows are. All of it is in the table after the `with` block, whatever ended that."""

    def __init__(self, workspace: Workspace, table: str) -> None:
        self._workspace = workspace
        self._table = table
        self._rows: list[Sequence[object]] = []

    def add(self, rows: Iterable[Sequence[object]]) -> None:
        """Take these rows; from time to time they go to the table."""
        self._rows += rows
        if len(self._rows) >= LOADED_ROWS:
            self.flush()

    def flush(self) -> None:
        """Bring everything into the table."""
        rows, self._rows = self._rows, []
        if rows:
            self._workspace.load(self._table, rows)

    def __enter__(self) -> Loader:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.flush()


class _translated:  # noqa: N801 - reads as a verb where it is used
    """DuckDB's own failures in our words."""

    def __enter__(self) -> None:
        return None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if isinstance(error, UnicodeDecodeError):
            # DuckDB quotes the bytes of a damaged file in what it wants to say.
            raise Corrupt("an unreadable Parquet file: its names are not UTF-8") from error
        if isinstance(error, duckdb.Error):
            text = str(error)
            if "No space left" in text or "max_temp_directory_size" in text:
                raise StorageFull(
                    f"no space left in {printable(tempfile.gettempdir())} for temporary files",
                    kind="temporary_full",
                    hint="Set TMPDIR to a folder on a larger disk.",
                ) from error
            if isinstance(error, OutOfMemory):
                raise Failed(
                    f"this needs more than the {MEMORY_LIMIT} of memory that its lists may take",
                    kind="lists_too_large",
                    hint="Name one version, or fewer files, at a time.",
                ) from error
            if isinstance(error, (duckdb.InvalidInputException, duckdb.IOException)) and (
                "parquet" in text.lower()
            ):
                raise Corrupt(f"an unreadable Parquet file: {text}") from error
