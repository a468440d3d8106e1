"""Facts that people look at in a notebook show themselves as a table or a card."""

from __future__ import annotations

from importlib import import_module
from typing import TypeVar

_T = TypeVar("_T")


class Displayed:
    """What a notebook shows as HTML, and `print` as a table of text; `repr` stays what it was.

    How it looks is the business of `datacat.render`, which is far above the facts and is only
    loaded when somebody looks.
    """

    __slots__ = ()

    def _repr_html_(self) -> str:
        drawn: str = import_module("datacat.render.notebook").html_of(self)
        return drawn

    def __str__(self) -> str:
        drawn: str = import_module("datacat.render.notebook").text_of(self)
        return drawn


class Rows(list[_T], Displayed):
    """A list that a notebook shows as a table."""
