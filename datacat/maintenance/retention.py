"""Retention: which versions the newest ones have replaced, so that nobody misses them."""

from __future__ import annotations

from datacat.catalog.query import CatalogQuery
from datacat.copies import linked_copies, working_copies
from datacat.errors import InvalidInput
from datacat.opened import OpenedStore


def superseded(store: OpenedStore, *, keep: int) -> tuple[str, ...]:
    """References of all but the newest `keep` versions of the user's own datasets.

    Without those that an alias points to, that another version outside the trash was made from, or
    that a registered working copy holds. Raises `InvalidInput` for less than one.
    """
    if keep < 1:
        raise InvalidInput(
            f"cannot keep {keep} versions",
            kind="bad_count",
            hint="To remove a whole dataset:",
            commands=["datacat rm NAME"],
        )
    query = CatalogQuery(store.catalog.sync(), store=store.backend.url)
    held = {copy.ref for copy in (*working_copies(store, query), *linked_copies(store, query))}
    found: list[str] = []
    for dataset in query.datasets(owner=store.client.user, sort="name").datasets:
        if dataset.versions <= keep:
            continue
        older = [
            version
            for version in query.versions(dataset.name)[keep:]
            if not version.aliases and version.ref not in held
        ]
        sources = {n for _, n in query.made_from(dataset.name, [v.number for v in older])}
        found += [version.ref for version in reversed(older) if version.number not in sources]
    return tuple(found)
