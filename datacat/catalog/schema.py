"""The catalog's SQL, read from the package `catalog_schema`: one relation per file.

The tables live in the DuckDB schema `fold` and are ours alone; the views in `main` are what
people query. Both are derived from the log: they are never migrated, only rebuilt.
"""

from __future__ import annotations

import functools
import hashlib
from dataclasses import dataclass
from importlib import resources

from datacat.sql import Connection

_VIEWS_FIRST = ("versions", "datasets")
"""Views that others may build on; the rest follow by name."""

_ASKED_FIRST = ("datasets", "versions", "files", "aliases", "tags", "sources", "params", "metrics")


@dataclass(frozen=True, slots=True)
class Relation:
    """One file of `catalog_schema`: what a row is, a query to try, and the statement."""

    name: str
    describes: str
    example: str
    sql: str

    def standing(self, schema: str) -> str:
        """The statement that makes a supplied view for as long as a connection is open, for all of
        its cursors, out of what lies in `schema` instead of `temp`."""
        return self.sql.replace("create temp view ", "create view ").replace(
            " temp.", f" {schema}."
        )


@functools.cache
def tables() -> tuple[Relation, ...]:
    """Every table of the fold, by name."""
    return _relations("tables")


@functools.cache
def views() -> tuple[Relation, ...]:
    """Every view for people, in the order to create them."""
    return tuple(
        sorted(
            _relations("views"),
            key=lambda view: (
                _VIEWS_FIRST.index(view.name) if view.name in _VIEWS_FIRST else 9,
                view.name,
            ),
        )
    )


@functools.cache
def supplied() -> tuple[Relation, ...]:
    """The views for people whose rows come from elsewhere, by name: made for one question."""
    return _relations("supplied")


@functools.cache
def for_people() -> tuple[Relation, ...]:
    """Every view that a person can ask, the most used first. What is supplied comes before what
    the catalog has under the same name."""
    found = {view.name: view for view in (*views(), *supplied())}
    first = [found.pop(name) for name in _ASKED_FIRST]
    return (*first, *sorted(found.values(), key=lambda view: view.name))


@functools.cache
def digest() -> str:
    """Names this schema: a cached catalog of another one is rebuilt."""
    text = "\n".join(relation.sql for relation in (*tables(), *views()))
    return hashlib.sha256(text.encode()).hexdigest()


def create(connection: Connection) -> None:
    """Make every table and view in an empty database."""
    connection.execute("create schema fold")
    for relation in (*tables(), *views()):
        connection.execute(relation.sql)


def _relations(folder: str) -> tuple[Relation, ...]:
    files = (resources.files("catalog_schema") / folder).iterdir()
    found = []
    for file in sorted(files, key=lambda file: file.name):
        if file.name.endswith(".sql"):
            text = file.read_text(encoding="utf-8")
            describes, example, *_ = text.splitlines()
            found.append(
                Relation(
                    name=file.name.removesuffix(".sql"),
                    describes=describes.removeprefix("-- "),
                    example=example.removeprefix("-- Try: "),
                    sql=text,
                )
            )
    return tuple(found)
