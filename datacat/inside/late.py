"""Relations that are read later than they were asked for, and still say what went wrong.

`con.sql(…)` of DuckDB computes nothing: a damaged chunk is only met when the rows are fetched, by
a method of the relation, and DuckDB tells of it in its own words. Here the relation is one of a
class that translates.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

from datacat import sql
from datacat.errors import DatacatError

_T = TypeVar("_T")

Failure = Callable[[str], DatacatError | None]
"""What went wrong, if that is what a text of DuckDB tells of."""


class Telling:
    """Raises what went wrong as the error that it is, for one connection and its relations."""

    def __init__(self, failure_in: Failure) -> None:
        self._failure_in = failure_in
        self._class = _relations_of(self)

    def call(self, call: Callable[[], _T]) -> _T:
        """`call()`; a relation that it gives translates, too."""
        # DuckDB looks for tables among the variables of its callers: these must not be taken for
        # one.
        try:
            _found = call()
        except sql.Error as error:
            failure = self._failure_in(str(error))
            if failure is None:
                raise
            raise failure from None
        if type(_found) is sql.Relation:
            # Still DuckDB's own object: it can be named in a question and given to its functions.
            with suppress(TypeError):
                _found.__class__ = self._class  # type: ignore[assignment]
        return _found

    def wrapped(self, call: Callable[..., _T]) -> Callable[..., _T]:
        """`call`, translated."""

        @functools.wraps(call)
        def telling(*_given: Any, **_named: Any) -> _T:
            return self.call(lambda: call(*_given, **_named))

        return telling


def _relations_of(telling: Telling) -> type[sql.Relation]:
    """The class of the relations of one connection. It holds nothing of its own: only then Python
    lets an object of DuckDB's become one of it."""

    def translated(name: str) -> Callable[..., Any]:
        plain = getattr(sql.Relation, name)

        def method(self: sql.Relation, *_given: Any) -> Any:
            return telling.call(lambda: plain(self, *_given))

        return functools.wraps(plain)(method)

    def attribute(self: sql.Relation, name: str) -> Any:
        found = telling.call(lambda: sql.Relation.__getattribute__(self, name))
        return telling.wrapped(found) if callable(found) and not name.startswith("__") else found

    shown = ("__repr__", "__str__", "__len__", "__getitem__", "__contains__", "__arrow_c_stream__")
    methods = {name: translated(name) for name in shown if hasattr(sql.Relation, name)}
    # Libraries know it by its name and where it is from.
    like = {name: getattr(sql.Relation, name) for name in ("__module__", "__qualname__", "__doc__")}
    body = {"__slots__": (), "__getattribute__": attribute, **like}
    return type(sql.Relation.__name__, (sql.Relation,), {**body, **methods})
