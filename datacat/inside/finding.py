"""Which versions hold a file: by a part of its path, a pattern, or the beginning of its hash."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from datacat import refs, sql
from datacat.catalog.query import CatalogQuery
from datacat.errors import InvalidInput
from datacat.inside.asking import ask
from datacat.inside.reach import Reach
from datacat.model import FoundFile, Kind
from datacat.opened import OpenedStore, Watch

_HASH = re.compile(r"(?:[a-z0-9-]+:)?([0-9a-f]{7,64})")
_MARKS = frozenset("*?[")


def names_dataset(query: CatalogQuery, text: str) -> bool:
    """Whether `text` is a reference to a dataset that there is, or was under that name."""
    try:
        ref = refs.parse(text)
    except InvalidInput:
        return False
    return ref.path is None and query.current_name(ref.name) is not None


def find_files(
    store: OpenedStore,
    text: str,
    *,
    limit: int | None,
    reach: Callable[[], Reach],
    watch: Watch,
) -> Iterator[FoundFile]:
    """Every file that `text` means, in all versions outside the trash: by dataset and path.

    A file that is the same in several versions of a dataset comes once. Raises `InvalidInput` for
    an empty text, `Corrupt` when a list of files is damaged.
    """
    refs.check_texts(text)
    if not text.strip("/ "):
        raise InvalidInput("there is nothing to look for", kind="empty_query")
    question = f"""
        select name, path, bytes, hash, kind, list(version order by version)
        from files
        where kind <> 'dir' and ({_condition(text)})
        group by name, path, bytes, hash, kind
        order by name, path, min(version)
        {"" if limit is None else f"limit {int(limit)}"}
    """
    with ask(store, question, reach=reach, watch=watch) as answer:
        for name, path, size, digest, kind, versions in answer:
            yield FoundFile(name, path, size, digest or "", Kind(kind), tuple(versions))


def _condition(text: str) -> str:
    """What a row of `files` must be, in SQL."""
    wanted = text.lower()
    if _MARKS & set(text):
        # A pattern without a folder is one of names.
        place = "path" if "/" in text else "regexp_extract(path, '[^/]*$')"
        return f"lower({place}) glob {sql.literal(wanted)}"
    in_path = f"contains(lower(path), {sql.literal(wanted)})"
    digits = _HASH.fullmatch(wanted)
    if digits is None:
        return in_path
    return f"{in_path} or starts_with(hash, {sql.literal(digits[1])})"
