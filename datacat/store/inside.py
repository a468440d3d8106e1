"""The verbs that look into versions without pulling them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from datacat.inside.answer import Answer
from datacat.inside.asking import ask
from datacat.inside.finding import find_files, names_dataset
from datacat.inside.reach import Reach
from datacat.model import FoundFile
from datacat.progress import Listener, StopSignal, ignore
from datacat.store.handle import Handle, watching
from datacat.transfer.chunk_cache import CACHE_BYTES

if TYPE_CHECKING:
    from datacat.inside.connection import Connection
    from datacat.inside.preview import Preview


class Inside(Handle):
    """What is in the files of versions."""

    def reach(self, *, cache_bytes: int = CACHE_BYTES) -> Reach:
        """Random reads of any file of any version, for file systems. It stays usable when the
        store is closed. `cache_bytes` bounds what it keeps of what was read.

        >>> from datacat import refs
        >>> files = store.reach().version(refs.parse("cmr@v1"))
        >>> files.content(files.find("labels.csv")).read(5, 4)
        b'1,2\\n'
        """
        return Reach(self._opened, cache_bytes=cache_bytes)

    def sql(
        self, question: str, *, listener: Listener = ignore, stop: StopSignal | None = None
    ) -> Answer:
        """Ask the catalog anything, in DuckDB's SQL: one statement that reads.

        The views are `datasets`, `versions`, `files`, `aliases`, `tags`, `sources`, `params`,
        `metrics`, `activity`, `copies`; a file of a version is `'datacat://cmr@v1/labels.csv'`
        (CSV, Parquet, JSON). Nothing else is read, and nothing is written. The answer is computed
        while it is read: read it to its end, or close it.

        Raises `InvalidInput` with what DuckDB says, `Refused` for what would write or read
        elsewhere, `NotFound`, `Corrupt`, `Cancelled`.

        >>> store.sql("select ref, path, bytes from files where extension = '.csv'").rows()
        [('cmr@v1', 'labels.csv', 9)]
        >>> answer = store.sql("select sum(v) as total from 'datacat://cmr@v1/labels.csv'")
        >>> answer.names, answer.rows()
        (('total',), [(2,)])
        """
        return ask(self._opened, question, reach=self.reach, watch=watching(listener, stop))

    def connect(self, *, config: Mapping[str, str] | None = None) -> Connection:
        """A DuckDB connection of your own, with the views of `sql` and `datacat://` URLs.

        Unlike `sql` it is not locked: it reads and writes whatever DuckDB can, sees the data frames
        of your program, and has a database in memory for your tables. The catalog itself is
        read-only, and as it is now; connect again to see what was saved since. `config` holds
        settings of DuckDB. It stays usable when the store is closed; close it when you are done.

        What goes wrong with a file of a version is raised as `NotFound`, `Corrupt` or
        `StorageError`.

        >>> with store.connect() as con:
        ...     con.sql("select ref, files from versions").fetchall()
        ...     con.execute("select v from 'datacat://cmr@v1/*.csv' where id = ?", [1]).fetchone()
        [('cmr@v1', 2)]
        (2,)
        """
        from datacat.inside.connection import connect

        return connect(self._opened, self.reach(), config=config)

    def head(
        self,
        ref: str,
        *,
        rows: int = 10,
        schema: bool = False,
        summary: bool = False,
        listener: Listener = ignore,
        stop: StopSignal | None = None,
    ) -> Preview:
        """The first rows of a table, the first lines of a text, or what kind of file it is.

        `ref` is `NAME@VERSION/PATH`; without a path the one table in it, else the tables to choose
        from. `schema` asks for the columns instead, `summary` for what is in them, which reads all
        of it. Only what is shown is read.

        Raises `NotFound`, `Corrupt`, `Failed` (`unreadable_table`, `too_many_columns`).

        >>> seen = store.head("cmr@v1/labels.csv")
        >>> [column.name for column in seen.columns], seen.rows, seen.rows_total
        (['id', 'v'], ((1, 2),), 1)
        >>> store.head("cmr@v1/sub-1/sax.bin").kind
        'binary data'
        """
        from datacat.inside.preview import preview  # imports fsspec, which most verbs never need

        return preview(
            self._opened,
            ref,
            rows=rows,
            schema=schema,
            summary=summary,
            watch=watching(listener, stop),
        )

    def names_dataset(self, text: str) -> bool:
        """Whether `text` is a reference to a dataset that there is, with or without a version.

        >>> store.names_dataset("cmr@v1"), store.names_dataset("labels.csv")
        (True, False)
        """
        return names_dataset(self._query(), text)

    def find_files(
        self,
        text: str,
        *,
        limit: int | None = None,
        listener: Listener = ignore,
        stop: StopSignal | None = None,
    ) -> Iterator[FoundFile]:
        """Which versions hold a file, over all versions: by dataset and path.

        `text` is a part of a path, without case; with `*`, `?` or `[` a pattern of names, or with a
        `/` of paths; or at least 7 digits of a hash.

        >>> [(found.path, found.refs) for found in store.find_files("LABELS")]
        [('labels.csv', ('cmr@v1',))]
        >>> digits = next(store.files("cmr")).hash[:9]
        >>> [found.path for found in store.find_files(digits)]
        ['labels.csv']
        """
        watch = watching(listener, stop)
        return find_files(self._opened, text, limit=limit, reach=self.reach, watch=watch)
