"""What a person may ask in SQL: one statement that only reads.

This is the first of three locks. The second is that the catalog is attached read-only, the third
that the connection reaches no file but those it was given, and cannot be told otherwise.
"""

from __future__ import annotations

import re

from datacat import sql
from datacat.errors import InvalidInput, Refused
from datacat.sql import Connection

_EXPLAIN = re.compile(
    r"\s*explain(?:\s+(?:analyze|verbose))*(?:\s*\([^()']*\))?\s+(?P<rest>.*)", re.I | re.S
)
_PIVOT = re.compile(r"\s*(?:pivot|from|select|with)\b", re.I)
_COMMENT = re.compile(r"\A(?:\s+|--[^\n]*(?:\n|\Z)|/\*.*?\*/)+", re.S)


def check_question(connection: Connection, text: str) -> None:
    """Raise unless `text` is one statement that only reads.

    `InvalidInput` when it cannot be understood or is several, `Refused` (`sql_read_only`) when it
    could change anything: data, settings, files.
    """
    statements = connection.extract_statements(text)
    if len(statements) != 1:
        what = "there is no question" if not statements else "one question at a time"
        raise InvalidInput(
            what,
            kind="bad_sql",
            hint="With several statements, ask one after the other." if statements else None,
            commands=["datacat sql"],
        )
    try:
        kind = statements[0].type.name
    except ValueError:  # one that DuckDB's Python does not know the name of
        raise read_only("this") from None
    bare = _COMMENT.sub("", text)
    if kind == "EXPLAIN":
        # It would run what it explains.
        explained = _EXPLAIN.fullmatch(bare)
        if explained is None:
            raise read_only("EXPLAIN of this")
        check_question(connection, explained["rest"])
    elif kind == "MULTI":
        # PIVOT makes a type for its columns, then reads.
        if _PIVOT.match(bare) is None:
            raise read_only("this")
    elif kind != "SELECT":
        raise read_only(kind.replace("_", " "))


def read_only(what: str) -> Refused:
    """What to say to whoever would write."""
    return Refused(
        f"sql is read-only: {what} is not a question",
        kind="sql_read_only",
        hint="It answers select, from, with, describe, show, summarize, pivot and explain.",
    )


def names_in(connection: Connection, text: str) -> set[str]:
    """The relations that a question names, in lower case; of a PIVOT every word of it."""
    try:
        found = connection.get_table_names(text)
    except sql.Error:
        found = set(re.findall(r"[A-Za-z_]+", text))
    return {name.lower() for name in found}
