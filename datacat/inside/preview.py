"""Head: the first rows of a table, the first lines of a text, or what kind of file it is.

Of text only the beginning is read, and DuckDB is shown nothing else; of Parquet what the first rows
need. So a file of any size, and one that was made to do harm, costs a bounded time and memory.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass, replace

from datacat import refs, sql
from datacat.errors import Failed, InvalidInput, NotFound
from datacat.inside.answer import Answer, AnswerColumn
from datacat.inside.asking import ask
from datacat.inside.beginning import Beginning, beginning
from datacat.inside.bridge import PREVIEW, url_of
from datacat.inside.magic import LOOKED_AT_BYTES, is_text, kind_of
from datacat.inside.reach import Reach
from datacat.inside.version_files import VersionFiles
from datacat.manifest.listing import ListedFile
from datacat.model import FileInfo, Kind
from datacat.model.display import Displayed
from datacat.opened import OpenedStore, Watch
from datacat.sql import Row
from datacat.text import count_of, printable
from datacat.transfer.content import Content

ROWS_MAX = 100_000
"""Who wants more rows wants the file, or `sql`."""

COLUMNS_MAX = 4_000
"""A wider table does not fit in DuckDB's memory, and on no screen."""

BEGINNING_BYTES = 1 << 20
"""What is read of a text at first; more when there are fewer rows in it than were asked for."""

BEGINNING_BYTES_MAX = 64 << 20
LINE_CHARACTERS_MAX = 2_000
FOOTER_BYTES_MAX = 32 << 20
"""A Parquet file with more metadata than this has far too many columns or row groups."""

TABLES_MAX = 1_000
_SEPARATED = {".csv": "", ".tsv": ", delim = '\\t'"}
_JSON = (".json", ".jsonl", ".ndjson")
_PARQUET = (".parquet", ".pq")


@dataclass(frozen=True, slots=True)
class Preview(Displayed):
    """What the beginning of a file looks like: a table, lines of text, or only a kind.

    `rows_total` is None where counting would mean to read all of it. `tables` are the files to
    choose from, when a dataset was asked for that has several. `lines` are not escaped. `problem`
    says why a file that is called a table is not shown as one.
    """

    ref: str
    path: str
    kind: str
    bytes: int
    columns: tuple[AnswerColumn, ...] = ()
    rows: tuple[Row, ...] = ()
    rows_total: int | None = None
    lines: tuple[str, ...] | None = None
    more: bool = False
    tables: tuple[FileInfo, ...] = ()
    problem: str | None = None

    @property
    def pull(self) -> str:
        """The command that brings the file here."""
        return f"datacat pull {self.ref} {printable(shlex.quote(self.path))}"


def preview(
    store: OpenedStore,
    text: str,
    *,
    rows: int,
    schema: bool,
    summary: bool,
    watch: Watch,
) -> Preview:
    """The beginning of the file that `text` names, or of the one table of a version.

    Raises `NotFound`, `InvalidInput`, `Corrupt`, and `Failed` (`unreadable_table`) when a table is
    asked for its columns and cannot be read.
    """
    if not 0 < rows <= ROWS_MAX:
        raise InvalidInput(f"head shows 1 to {ROWS_MAX:,} rows", kind="too_many_rows")
    ref = refs.parse(text)
    reach = Reach(store)
    files = reach.version(ref)
    path = (ref.path or "").strip("/")
    file = files.find(path)
    if file.kind is Kind.DIR:
        tables = _tables(files, file.path)
        if len(tables) != 1:
            return _choice(files, path, tables)
        (file,) = tables
    looking = _Looking(store, reach, files, file, watch)
    try:
        return looking.table(rows, schema=schema, summary=summary)
    except Failed as error:
        if schema or summary or error.kind != "unreadable_table":
            raise
        return replace(looking.plain(rows), problem=looking.problem)


def _tables(files: VersionFiles, folder: str) -> list[ListedFile]:
    found = (one for one in files.listing.below(folder) if one.kind is Kind.FILE)
    tables = []
    for one in found:
        if _suffix(one.path)[0] in (*_SEPARATED, *_PARQUET, *_JSON[1:]):
            tables.append(one)
            if len(tables) == TABLES_MAX:
                break
    return tables


def _choice(files: VersionFiles, path: str, tables: list[ListedFile]) -> Preview:
    if not tables:
        place = f"{files.ref}/{path}" if path else files.ref
        raise NotFound(
            f"there is no table in {printable(place)}",
            kind="no_table",
            hint="Name a file.",
            commands=[f"datacat ls --files {files.ref}"],
        )
    listed = tuple(FileInfo(one.path, one.size, one.digest.hex(), one.kind) for one in tables)
    return Preview(files.ref, path, "folder", 0, tables=listed)


def _suffix(path: str) -> tuple[str, bool]:
    """What kind of table a name promises, and whether it is packed with gzip."""
    name = path.lower()
    packed = name.endswith(".gz")
    bare = name.removesuffix(".gz")
    return "." + bare.rpartition(".")[2] if "." in bare else "", packed


class _Looking:
    """Looking at one file."""

    def __init__(
        self,
        store: OpenedStore,
        reach: Reach,
        files: VersionFiles,
        file: ListedFile,
        watch: Watch,
    ) -> None:
        self._store = store
        self._reach = reach
        self._ref = files.ref
        self._file = file
        self._content: Content = files.content(file)
        self._watch = watch
        self._suffix, self._packed = _suffix(file.path)
        self.problem: str | None = None

    # Tables

    def table(self, rows: int, *, schema: bool, summary: bool) -> Preview:
        """The file as a table. Raises `Failed` (`unreadable_table`, `too_many_columns`)."""
        whole = self._source(url_of(self._ref, self._file.path))
        try:
            if whole is None or self._content.size == 0:
                raise Failed("it is not a kind of table that head knows", kind="unreadable_table")
            if self._suffix in _PARQUET:
                self._check_footer()
                if summary or schema:
                    return self._asked(_verb(summary).format(whole))
                counts = whole.replace("read_parquet", "parquet_file_metadata", 1)
                (total,) = self._ask(f"select num_rows from {counts}")
                found = self._asked(f"select * from {whole} limit {rows}")
                return replace(found, rows_total=int(total[0]))
            if summary:
                self._first_rows(1, describe=True)  # bounds its columns
                return self._asked(_verb(True).format(whole))
            return self._first_rows(rows, describe=schema)
        except (InvalidInput, Failed) as error:
            if error.kind == "too_many_columns":
                raise
            self.problem = error.message if whole is not None and self._content.size else None
            raise Failed(
                f"{printable(self._file.path)} of {self._ref} cannot be read as a table:"
                f" {error.message}",
                kind="unreadable_table",
                commands=[f"datacat head {shlex.quote(f'{self._ref}/{self._file.path}')}"],
            ) from error

    def _source(self, url: str, *, cut: bool = False, packed: bool | None = None) -> str | None:
        """A call that reads the table at `url`, as SQL; None if the name promises no table."""
        place = sql.literal(url)
        gzip = ", compression = 'gzip'" if (self._packed if packed is None else packed) else ""
        if self._suffix in _PARQUET:
            return None if self._packed else f"read_parquet({place})"
        if self._suffix in _SEPARATED:
            skip = ", ignore_errors = true" if cut else ""
            return f"read_csv({place}{_SEPARATED[self._suffix]}{skip}{gzip})"
        if self._suffix in _JSON:
            return f"read_json({place}{gzip})"
        return None

    def _first_rows(self, rows: int, *, describe: bool) -> Preview:
        """Rows from the beginning of a text, reading more of it until there are enough."""
        size = BEGINNING_BYTES
        while True:
            begun = beginning(self._content, packed=self._packed, limit=size)
            found = self._rows_in(begun, rows, describe=describe)
            enough = describe or begun.whole or len(found.rows) >= rows
            if enough or size >= BEGINNING_BYTES_MAX:
                return found
            size *= 8

    def _rows_in(self, begun: Beginning, rows: int, *, describe: bool) -> Preview:
        if self._suffix == ".json" and not begun.whole:
            raise Failed("it is too long to be read as one", kind="unreadable_table")
        lines = begun.lines()
        if b"\0" in lines.data:
            raise Failed("it holds NUL bytes", kind="unreadable_table")
        if not lines.data:
            raise Failed("its first line has no end", kind="unreadable_table")
        first = lines.data.partition(b"\n")[0]
        wide = max(first.count(mark) for mark in (b",", b"\t", b";", b"|")) + 1
        if self._suffix in _SEPARATED and wide > COLUMNS_MAX:
            raise self._too_wide(wide)
        url = f"{refs.URL_SCHEME}{PREVIEW}{self._suffix}"
        source = self._source(url, cut=not lines.whole, packed=False)
        previews = {url: lines.data}
        if describe:
            return self._asked(_verb(False).format(source), previews)
        found = self._asked(f"select * from {source} limit {rows}", previews)
        if not lines.whole:
            return replace(found, more=True)
        (total,) = self._ask(f"select count(*) from {source}", previews)
        return replace(found, rows_total=int(total[0]))

    def _check_footer(self) -> None:
        tail = self._content.read(max(0, self._content.size - 8))
        if len(tail) < 8 or tail[4:] != b"PAR1":
            raise Failed("it does not end as Parquet does", kind="unreadable_table")
        if int.from_bytes(tail[:4], "little") > min(FOOTER_BYTES_MAX, self._content.size):
            raise Failed("its description is impossibly long", kind="unreadable_table")
        url = sql.literal(url_of(self._ref, self._file.path))
        (columns,) = self._ask(f"select count(*) from parquet_schema({url})")
        if columns[0] > 2 * COLUMNS_MAX:
            raise self._too_wide(int(columns[0]))

    def _too_wide(self, columns: int) -> Failed:
        return Failed(
            f"{printable(self._file.path)} has {count_of(columns, 'column')}; head shows tables of"
            f" up to {COLUMNS_MAX:,}",
            kind="too_many_columns",
            commands=[f"datacat pull {self._ref} {printable(shlex.quote(self._file.path))}"],
        )

    def _ask(self, question: str, previews: dict[str, bytes] | None = None) -> list[Row]:
        with self._answer(question, previews) as answer:
            return answer.rows()

    def _asked(self, question: str, previews: dict[str, bytes] | None = None) -> Preview:
        with self._answer(question, previews) as answer:
            rows = tuple(answer.rows())
            return replace(self._described("table"), columns=answer.columns, rows=rows)

    def _answer(self, question: str, previews: dict[str, bytes] | None) -> Answer:
        return ask(
            self._store,
            question,
            reach=lambda: self._reach,
            watch=self._watch,
            previews=previews,
        )

    # Everything else

    def plain(self, count: int) -> Preview:
        """The file as text, else only what kind of file it is."""
        size = min(max(BEGINNING_BYTES // 4, count * 200), BEGINNING_BYTES_MAX)
        begun = beginning(self._content, packed=False, limit=size)
        look = begun.data[:LOOKED_AT_BYTES]
        kind = kind_of(look)
        if kind is None and is_text(begun.data, whole=begun.whole):
            return self._text(begun, count)
        return self._described(kind or "binary data")

    def _text(self, begun: Beginning, count: int) -> Preview:
        text = begun.data.decode("utf-8", "ignore").removeprefix("\ufeff")
        lines = text.split("\n")
        if lines[-1] == "" and begun.whole:
            lines.pop()
        shown = tuple(
            line.removesuffix("\r")[:LINE_CHARACTERS_MAX]
            + ("…" if len(line) > LINE_CHARACTERS_MAX else "")
            for line in lines[:count]
        )
        more = len(lines) > count or not begun.whole
        return replace(self._described("text"), lines=shown, more=more)

    def _described(self, kind: str) -> Preview:
        return Preview(self._ref, self._file.path, kind, self._file.size)


def _verb(summary: bool) -> str:
    """The question for the columns of a source, with `{}` for that."""
    if summary:
        return "summarize select * from {}"
    return 'select column_name as "column", column_type as type from (describe select * from {})'
