"""Where an add goes: the dataset, the version it follows, and what it was made from."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from datacat import refs
from datacat.catalog.query import CatalogQuery
from datacat.errors import InvalidInput
from datacat.model import Version
from datacat.opened import OpenedStore
from datacat.text import printable
from datacat.working_copy.marker import Marker
from datacat.working_copy.naming import Word, find_meaning
from datacat.working_copy.scan import marker_of


@dataclass(frozen=True, slots=True)
class Target:
    """The dataset's name, its newest version if it has one, and the version that the folder
    started from, when it is a working copy of this dataset; `gone` if gc has taken that one since.
    `asked` is the name that found it, perhaps an old one."""

    name: str
    asked: str
    newest: Version | None
    base: Version | None
    first: bool
    gone: bool = False

    @property
    def overtaken(self) -> bool:
        """Someone saved a version after the one that this folder started from."""
        return (
            self.base is not None
            and self.newest is not None
            and self.newest.number > self.base.number
        )


def find_target(
    query: CatalogQuery, *, stem: str, name: str | None, marked: Marker | None
) -> Target:
    """The name, in order: the one given, the marker's, that of `stem`. Raises `InvalidInput`."""
    if name is None:
        name = marked.name if marked else refs.normalise_name(stem)
    name = refs.check_name(name.lower())
    current = query.current_name(name)
    if current is None:
        return Target(name, name, None, None, first=True)
    base = None
    if marked is not None and query.current_name(marked.name) == current:
        base = query.find_version(current, marked.number)
    gone = base is not None and base.trashed_at is not None and query.is_gone(base)
    return Target(current, name, query.newest(current), base, first=False, gone=gone)


def find_sources(store: OpenedStore, query: CatalogQuery, words: Sequence[Word]) -> tuple[str, ...]:
    """Canonical references of sources; each word is a reference or the path of a pulled copy.

    Raises `NotFound` for an unknown one, `InvalidInput` for a folder that is no working copy of
    this store.
    """
    return tuple(dict.fromkeys(_source(store, query, word).ref for word in words))


def _source(store: OpenedStore, query: CatalogQuery, word: Word) -> Version:
    meant = find_meaning(query, word)
    if isinstance(meant, Version):
        return meant
    marked = marker_of(meant, store.info.id)
    if marked is None:
        typed = os.fspath(word)
        raise InvalidInput(
            f"{printable(typed)} is not a working copy of this store, so its version is not known",
            kind="source_not_a_copy",
            hint="Save it first, or name a version:",
            commands=[f"datacat add {shlex.quote(typed)}", "datacat ls"],
        )
    return query.resolve(refs.parse(marked.ref))
