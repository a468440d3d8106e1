"""Ask in SQL: a hardened connection over the catalog and over the files of versions.

Nothing outside the store is read and nothing is written, whatever the question says: see
`statement` for the three locks. The question runs in a thread of its own, within a bounded memory,
and can be stopped at any time.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from datacat import refs, sql
from datacat.catalog import schema
from datacat.catalog.query import CatalogQuery
from datacat.errors import Cancelled, Failed, InvalidInput, Refused, StorageFull
from datacat.inside.answer import Answer, AnswerColumn
from datacat.inside.running import Runner
from datacat.inside.statement import check_question, names_in, read_only
from datacat.inside.supplied import supply
from datacat.opened import OpenedStore, Watch
from datacat.sql import Row

if TYPE_CHECKING:
    from datacat.inside.bridge import Bridge
    from datacat.inside.reach import Reach

FETCH_ROWS = 5_000
_WITH_ZONE = "WITH TIME ZONE"
_KIND = re.compile(r"\A[A-Za-z ]{3,40} Error: ")
_END = re.compile(r"[\s;]*(?:;(?:\s|--[^\n]*|/\*.*?\*/)*)?\Z", re.S)


def ask(
    store: OpenedStore,
    question: str,
    *,
    reach: Callable[[], Reach],
    watch: Watch,
    previews: Mapping[str, bytes] | None = None,
) -> Answer:
    """The answer to one question. `previews` are files by their URLs, for this question only.

    Raises `InvalidInput` (`bad_sql`) with what DuckDB says, `Refused` for what would write or
    reach outside, `NotFound` and `Corrupt` for files of versions, `Cancelled`.
    """
    folder = Path(tempfile.mkdtemp(prefix="datacat-sql-"))
    try:
        asking = _Asking(store, folder, watch)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    try:
        return asking.answer(question, reach=reach, previews=previews)
    except BaseException:
        asking.close()
        raise


class _Asking:
    """The connection of one question."""

    def __init__(self, store: OpenedStore, folder: Path, watch: Watch) -> None:
        self._store = store
        self._folder = folder
        self._watch = watch
        snapshot = store.catalog.sync()
        self._query = CatalogQuery(snapshot, store=store.backend.url)
        self._connection = sql.open_for_questions(snapshot.path, folder=folder)
        self._runner = Runner(self._connection.interrupt, stop=watch.stop)
        self._bridge: Bridge | None = None

    def answer(
        self,
        question: str,
        *,
        reach: Callable[[], Reach],
        previews: Mapping[str, bytes] | None,
    ) -> Answer:
        connection = self._connection
        try:
            question.encode()
            check_question(connection, question)
            files = supply(
                connection,
                names_in(connection, question),
                store=self._store,
                query=self._query,
                watch=self._watch,
            )
            if refs.URL_SCHEME in question.lower():
                from datacat.inside.bridge import Bridge

                self._bridge = Bridge(reach(), previews=previews)
                connection.register_filesystem(self._bridge)
            sql.lock(connection, files=files, prefixes=[refs.URL_SCHEME])
            self._runner.call(lambda: connection.execute(question))
            described = list(connection.description or [])
            unlike_python = [_WITH_ZONE in str(column[1]) for column in described]
            if any(unlike_python):
                plain = _without_zones(question, described)
                self._runner.call(lambda: connection.execute(plain))
        except (sql.Error, UnicodeError) as error:
            raise self._in_our_words(error) from error
        columns = tuple(
            AnswerColumn(name, str(column[1]))
            for name, column in zip(_unique(described), described, strict=True)
        )
        zoned = [index for index, one in enumerate(described) if str(one[1]).endswith(_WITH_ZONE)]

        def fetch() -> list[Row]:
            try:
                batch = self._runner.call(lambda: connection.fetchmany(FETCH_ROWS))
            except sql.Error as error:
                raise self._in_our_words(error) from error
            return _in_utc(batch, zoned) if zoned else batch

        return Answer(columns, fetch=fetch, release=self.close)

    def close(self) -> None:
        """Let go of the connection and of what it spilled."""
        self._runner.close()
        if not self._runner.stuck:
            if self._bridge is not None:
                with suppress(sql.Error):
                    self._connection.unregister_filesystem(self._bridge.protocol)
            self._connection.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _in_our_words(self, error: Exception) -> Exception:  # noqa: PLR0911 - one for each kind
        """What DuckDB raised, without its stack, as what a caller would do about it."""
        if self._bridge is not None and self._bridge.failure is not None:
            return self._bridge.failure
        if isinstance(error, UnicodeError):
            return InvalidInput("the question is not text", kind="bad_sql")
        kind = type(error).__name__
        said = _said(str(error))
        if kind == "InterruptException":
            return Cancelled("stopped")
        if kind == "PermissionException":
            return Refused(
                f"sql reads only the catalog and {refs.URL_SCHEME} files: {said}",
                kind="sql_outside",
                commands=[f"""datacat sql "from '{refs.URL_SCHEME}NAME@v1/FILE'\""""],
            )
        if "read-only mode" in said:
            return read_only("what changes tables")
        if kind == "OutOfMemoryException" or "max_temp_directory_size" in said:
            if "No space left" in said:
                return StorageFull(
                    f"no space left in {tempfile.gettempdir()} for temporary files",
                    kind="temporary_full",
                    hint="Set TMPDIR to a folder on a larger disk.",
                )
            return Failed(
                f"the question needs more memory than it may use: {said}",
                kind="sql_too_large",
                hint="Ask for fewer columns or rows, or aggregate before you sort.",
            )
        unknown = kind == "CatalogException" and "Table with name" in said
        views = ", ".join(view.name for view in schema.for_people())
        return InvalidInput(
            said.partition(" Did you mean")[0] if unknown else said,
            kind="bad_sql",
            hint=f"Views: {views}." if unknown else None,
            commands=["datacat sql"] if unknown else (),
        )


def _said(text: str) -> str:
    """The first paragraph of what DuckDB says, without the name of its kind of error."""
    first = _KIND.sub("", text.strip()).split("\n\n")[0]
    return " ".join(first.split())[:1_000] or "the question failed"


def _unique(described: Sequence[Sequence[Any]]) -> list[str]:
    """Names of columns, the later of two that are the same with a number."""
    names: list[str] = []
    for column in described:
        name, number = str(column[0]), 0
        unique = name
        while unique in names[:1_000]:
            number += 1
            unique = f"{name}_{number}"
        names.append(unique)
    return names


def _without_zones(question: str, described: Sequence[Sequence[Any]]) -> str:
    """The question with times that Python can take without another library."""
    names = [f"c{number}" for number in range(len(described))]
    taken = [
        f"make_timestamp(epoch_us({name}))"
        if str(column[1]) == f"TIMESTAMP {_WITH_ZONE}"
        else f"{name}::varchar"
        if _WITH_ZONE in str(column[1])
        else name
        for name, column in zip(names, described, strict=True)
    ]
    inner = _END.sub("", question)
    return f"select {', '.join(taken)} from (\n{inner}\n) as asked({', '.join(names)})"


def _in_utc(batch: list[Row], columns: Sequence[int]) -> list[Row]:
    found = []
    for row in batch:
        values = list(row)
        for index in columns:
            if isinstance(values[index], datetime):
                values[index] = values[index].replace(tzinfo=UTC)
        found.append(tuple(values))
    return found
