"""How many rows and which columns a table file has: a line of `diff` for CSV and Parquet."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from datacat import sql
from datacat.errors import Corrupt, Failed
from datacat.sql import Workspace
from datacat.text import printable

SUFFIXES = (".csv", ".tsv", ".csv.gz", ".tsv.gz", ".parquet")
TABLE_BYTES_MAX = 2_000_000_000
"""A larger CSV is not counted: it would take longer than a person waits for a hint."""

COLUMNS_NAMED_MAX = 5


@dataclass(frozen=True, slots=True)
class TableShape:
    """The number of data rows, and the column names in order."""

    rows: int
    columns: tuple[str, ...]


def is_table(path: str) -> bool:
    """True for a file name that says it holds a table."""
    return path.lower().endswith(SUFFIXES)


def shape_of(workspace: Workspace, file: Path, *, name: str) -> TableShape | None:
    """The shape of the table in the local `file`, which is called `name`; None if it is none."""
    if name.lower().endswith(".parquet"):
        source = sql.parquet(file)
    else:
        pattern = sql.literal(sql.path_pattern(file))
        packed = ", compression = 'gzip'" if name.lower().endswith(".gz") else ""
        source = f"read_csv({pattern}, all_varchar = true{packed})"
    try:
        columns = tuple(str(row[0]) for row in workspace.all(f"describe select * from {source}"))
        (rows,) = workspace.row(f"select count(*) from {source}")
    except (sql.Error, Corrupt, Failed):
        return None
    return TableShape(rows, columns)


def difference(old: TableShape, new: TableShape) -> str:
    """`rows 4,812 → 4,836, columns same`."""
    rows = f"rows {old.rows:,}" + ("" if old.rows == new.rows else f" → {new.rows:,}")
    if old.rows == new.rows:
        rows += " as before"
    if old.columns == new.columns:
        return f"{rows}, columns same"
    added = [f"+{printable(name)}" for name in new.columns if name not in old.columns]
    gone = [f"-{printable(name)}" for name in old.columns if name not in new.columns]
    named = [*added, *gone]
    if not named:
        return f"{rows}, columns in another order"
    more = f" and {len(named) - COLUMNS_NAMED_MAX} more" if len(named) > COLUMNS_NAMED_MAX else ""
    return f"{rows}, columns {' '.join(named[:COLUMNS_NAMED_MAX])}{more}"
