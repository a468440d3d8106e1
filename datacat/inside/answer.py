"""The answer to a question in SQL: columns with names and types, and rows as they come."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from datacat.closing import Closing
from datacat.errors import InvalidInput
from datacat.model.display import Displayed
from datacat.sql import Row

if TYPE_CHECKING:
    from pandas import DataFrame


@dataclass(frozen=True, slots=True)
class AnswerColumn:
    """A column: its name, unique in the answer, and its type as DuckDB calls it."""

    name: str
    type: str


class Answer(Closing, Displayed):
    """Rows as tuples, in order; they are computed while they are read, and read once.

    Values are Python's own: int, float, Decimal, str, bytes, bool, datetime in UTC, date, list,
    dict, None. It closes itself behind the last row; who does not read so far, closes it.
    """

    def __init__(
        self,
        columns: tuple[AnswerColumn, ...],
        *,
        fetch: Callable[[], list[Row]],
        release: Callable[[], None],
    ) -> None:
        self.columns = columns
        self._fetch = fetch
        self._release = release
        self._open = True
        self._seen: list[Row] = []

    @property
    def closed(self) -> bool:
        """Whether there is nothing more to read."""
        return not self._open and not self._seen

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the columns."""
        return tuple(column.name for column in self.columns)

    def batches(self) -> Iterator[list[Row]]:
        """The rows in lists of some thousands. Raises `Cancelled` when it was stopped."""
        try:
            if self._seen:
                seen, self._seen = self._seen, []
                yield seen
            while self._open and (batch := self._fetch()):
                yield batch
        finally:
            self.close()

    def __iter__(self) -> Iterator[Row]:
        for batch in self.batches():
            yield from batch

    def first(self, count: int = 20) -> list[Row]:
        """The next rows, up to `count`; they are still there for who reads on."""
        while self._open and len(self._seen) < count:
            batch = self._fetch()
            self._seen += batch
            if not batch:
                self._end()
        return self._seen[:count]

    def rows(self) -> list[Row]:
        """All rows that are left, in memory."""
        return [row for batch in self.batches() for row in batch]

    def df(self) -> DataFrame:
        """All rows that are left as a pandas table. Raises `InvalidInput` without pandas."""
        try:
            from pandas import DataFrame
        except ImportError:
            raise InvalidInput(
                "a table needs pandas", kind="pandas_missing", commands=["pip install pandas"]
            ) from None
        return DataFrame(self.rows(), columns=list(self.names))

    def close(self) -> None:
        """Stop computing, and let go of everything. May be called again."""
        self._seen = []
        self._end()

    def _end(self) -> None:
        if self._open:
            self._open = False
            self._release()

    def __del__(self) -> None:
        self.close()
