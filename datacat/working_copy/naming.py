"""What a word means that may be a version or a folder: the same in `diff`, `verify` and `--from`.

A word with a separator, or that begins with `.` or `~`, is a path. A bare word is a reference when
there is such a dataset, else a path when there is one; `./cmr` is always the folder.
"""

from __future__ import annotations

import os
from pathlib import Path

from datacat import refs
from datacat.catalog.query import CatalogQuery
from datacat.errors import InvalidInput, NotFound
from datacat.model import Version
from datacat.text import printable

Word = str | os.PathLike[str]
"""A reference or a path; a `Path` object is never a reference."""


def find_meaning(query: CatalogQuery, word: Word) -> Version | Path:
    """The version that `word` refers to, or the absolute path of a file or folder that exists.

    Raises `NotFound` for a path or a version that does not exist, `InvalidInput` for what can be
    neither.
    """
    text = os.fspath(word)
    if not isinstance(word, str) or _is_spelled_as_path(text):
        return _existing(query, text)
    if not _is_dataset(query, text) and os.path.lexists(text):
        return Path(os.path.abspath(text))
    return query.resolve(refs.parse(text))


def _is_spelled_as_path(text: str) -> bool:
    if text.startswith(refs.URL_SCHEME):
        return False
    separators = (os.sep, os.altsep or os.sep)
    return text.startswith((".", "~")) or any(separator in text for separator in separators)


def _existing(query: CatalogQuery, text: str) -> Path:
    path = Path(os.path.abspath(text))
    if os.path.lexists(path):
        return path
    head = text.partition("/")[0]
    raise NotFound(
        f"{printable(text)} does not exist",
        kind="path_not_found",
        hint=f"A word with a / is a path here. For the version:  {head}"
        if "@" in head and _is_dataset(query, head)
        else None,
    )


def _is_dataset(query: CatalogQuery, text: str) -> bool:
    try:
        return query.current_name(refs.parse(text).name) is not None
    except InvalidInput:
        return False
