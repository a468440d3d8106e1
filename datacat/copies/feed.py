"""What the team did: the records of the log, and the pulls that working copies tell of."""

from __future__ import annotations

import heapq
from datetime import datetime
from itertools import islice

from datacat.catalog.query import CatalogQuery
from datacat.copies.reading import pulls, working_copies
from datacat.model import LogEntry
from datacat.opened import OpenedStore


def feed(
    store: OpenedStore,
    query: CatalogQuery,
    *,
    user: str | None = None,
    since: datetime | None = None,
    limit: int | None = None,
) -> list[LogEntry]:
    """The newest `limit` entries of one person, or of everybody, newest first.

    Records are in the order of the log whatever the clocks of their writers said. Of each working
    copy there is its last pull.
    """
    recorded = query.feed(user=user, since=since, limit=limit)
    pulled = [
        entry
        for entry in pulls(working_copies(store, query))
        if (user is None or entry.user == user) and (since is None or entry.at >= since)
    ]
    # What was saved and pulled in one second was saved first.
    both = heapq.merge(pulled, recorded, key=lambda entry: entry.at, reverse=True)
    return list(islice(both, limit))
