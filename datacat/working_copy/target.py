"""Where an add goes: the dataset, the version it follows, and what it was made from."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from datacat import refs
from datacat.catalog.query import CatalogQuery
from datacat.errors import InvalidInput
from datacat.model import Version
from datacat.working_copy import marker
from datacat.working_copy.marker import Marker


@dataclass(frozen=True, slots=True)
class Target:
    """The dataset's name, its newest version if it has one, and the version that the folder
    started from, when it is a working copy of this dataset."""

    name: str
    newest: Version | None
    base: Version | None
    first: bool

    @property
    def overtaken(self) -> bool:
        """Someone saved a version after the one that this folder started from."""
        return (
            self.base is not None
            and self.newest is not None
            and self.newest.number > self.base.number
        )


def find_target(
    query: CatalogQuery, *, root: Path, name: str | None, marked: Marker | None
) -> Target:
    """The name, in order: the one given, the marker's, the folder's. Raises `InvalidInput`."""
    if name is None:
        name = marked.name if marked else refs.normalise_name(_stem(root))
    name = refs.check_name(name.lower())
    current = query.current_name(name)
    if current is None:
        return Target(name, None, None, first=True)
    base = None
    if marked is not None and query.current_name(marked.name) == current:
        base = query.find_version(current, marked.number)
    return Target(current, query.newest(current), base, first=False)


def _stem(root: Path) -> str:
    return root.name if root.is_dir() else root.name.partition(".")[0] or root.name


def find_sources(query: CatalogQuery, texts: tuple[str, ...]) -> tuple[str, ...]:
    """Canonical references of sources; each text is a reference or the path of a pulled copy.

    Raises `NotFound` for an unknown one, `InvalidInput` for a folder that is no working copy.
    """
    found = [query.resolve(refs.parse(_reference(text))).ref for text in texts]
    return tuple(dict.fromkeys(found))


def _reference(text: str) -> str:
    is_path = text.startswith((".", "~")) or os.sep in text or os.path.isabs(text)
    if not is_path:
        return text
    root = Path(os.path.abspath(text))
    if not marker.has_marker(root):
        raise InvalidInput(
            f"{text} is not a working copy, so its version is not known",
            kind="source_not_a_copy",
            hint="Save it first, or name a version:",
            commands=[f"datacat add {text}", "datacat ls"],
        )
    return marker.read(root).ref
