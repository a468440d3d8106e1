"""Read the registrations of the team: one listing, and only those that changed since last time."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping
from functools import partial

import msgspec

from datacat import layout, refs
from datacat.backend import Backend, Stat
from datacat.catalog.query import CatalogQuery
from datacat.copies import cached
from datacat.copies.registration import REGISTRATION_BYTES_MAX, Registration, decode, is_key
from datacat.copies.writing import remembered
from datacat.errors import StorageError, StorageMissing
from datacat.model import Copy, LastPull, LogEntry
from datacat.opened import OpenedStore
from datacat.progress import StopSignal
from datacat.transfer.executor import run_bounded, threads

COPIES_MAX = 10_000
"""Who looks is shown the newest so many: more than any team has, read in a few seconds once."""

PULLED = "pulled"
"""The action of an entry of the feed that comes from a registration."""

_CACHE = "copies.json"
_CACHE_BYTES_MAX = COPIES_MAX * REGISTRATION_BYTES_MAX


class _Known(msgspec.Struct, frozen=True, array_like=True):
    """A key as it was listed, and what was read from it: None if that is no registration."""

    key: str
    size_bytes: int
    modified_ns: int
    found: Registration | None

    @property
    def stat(self) -> Stat:
        return Stat(self.key, self.size_bytes, self.modified_ns)


def working_copies(store: OpenedStore, query: CatalogQuery) -> tuple[Copy, ...]:
    """The working copies that people share, those seen last first, at most `COPIES_MAX`.

    Where the store cannot be asked there are none: this only informs.
    """
    try:
        found = _newest(store)
    except StorageError:
        return ()
    shared = (one for one in found if one.path is not None)
    last: dict[tuple[str | None, ...], Registration] = {}
    for one in sorted(shared, key=lambda one: (one.last_seen, one.id)):
        # A folder that was made anew has another id than before.
        last[(one.user, one.host, one.path)] = one
    return _facts(query, reversed(last.values()))


def hidden_copies(store: OpenedStore, query: CatalogQuery) -> tuple[Copy, ...]:
    """The copies that this user registered without saying who and where, with both: out of the
    cache."""
    return _facts(
        query,
        [
            msgspec.structs.replace(one.copy, user=store.client.user, host=one.host, path=one.path)
            for one in remembered(store)
            if one.copy.path is None and one.path is not None
        ],
    )


def linked_copies(store: OpenedStore, query: CatalogQuery) -> tuple[Copy, ...]:
    """Every registered copy that is links into the store: what it shows must not be freed.

    Read anew, whatever the cache says and however many there are, also of people who do not share
    who and where they are. Raises `StorageError` when one of them cannot be read.
    """
    stats = _listed(store.backend)
    found = (one.found for one in _read(store, stats))
    return _facts(query, (one for one in found if one is not None and one.linked))


def pulls(copies: Iterable[Copy]) -> list[LogEntry]:
    """The entries that copies add to the feed of the team, newest first."""
    found = [
        LogEntry(
            at=copy.last_pull.at,
            user=copy.user,
            host=copy.host or "",
            action=PULLED,
            ref=copy.last_pull.ref,
            path=copy.path,
        )
        for copy in copies
        if copy.last_pull is not None and copy.user is not None
    ]
    return sorted(found, key=lambda entry: entry.at, reverse=True)


def _facts(query: CatalogQuery, found: Iterable[Registration]) -> tuple[Copy, ...]:
    """As facts, under the names of today; of a dataset that nobody knows there are no copies."""
    known = list(found)
    last = (one.last_pull.name for one in known if one.last_pull is not None)
    names = query.current_names({*(one.name for one in known), *last})
    return tuple(
        Copy(
            id=one.id,
            ref=refs.version_ref(names[one.name], one.version),
            name=names[one.name],
            version=one.version,
            user=one.user,
            host=one.host,
            path=one.path,
            linked=one.linked,
            partial=one.partial,
            pulled_at=one.pulled_at,
            last_seen=one.last_seen,
            last_pull=_last_pull(one, names),
        )
        for one in known
        if one.name in names
    )


def _last_pull(one: Registration, names: Mapping[str, str]) -> LastPull | None:
    last = one.last_pull
    if last is not None and last.name in names:
        return LastPull(refs.version_ref(names[last.name], last.version), last.at)
    if one.pulled_at is not None:
        return LastPull(refs.version_ref(names[one.name], one.version), one.pulled_at)
    return None


def _newest(store: OpenedStore) -> list[Registration]:
    listed = heapq.nlargest(
        COPIES_MAX, _listed(store.backend), key=lambda stat: (stat.modified_ns, stat.key)
    )
    cached = {known.stat: known for known in _cached(store)}
    known = [cached[stat] for stat in listed if stat in cached]
    fresh = list(_read(store, (stat for stat in listed if stat not in cached), skip_failing=True))
    if fresh or len(known) != len(cached):
        _keep(store, [*known, *fresh])
    return [one.found for one in (*known, *fresh) if one.found is not None]


def _listed(backend: Backend) -> Iterator[Stat]:
    """What may be a registration, by its name and size."""
    return (
        stat
        for stat in backend.keys(layout.COPIES)
        if is_key(stat.key) and 0 < stat.size_bytes <= REGISTRATION_BYTES_MAX
    )


def _read(
    store: OpenedStore, stats: Iterable[Stat], *, skip_failing: bool = False
) -> Iterator[_Known]:
    """Read registrations in parallel. One that was removed meanwhile is left out."""
    jobs = store.client.jobs
    work = partial(_read_one, store.backend, skip_failing=skip_failing)
    with threads(jobs) as executor:
        for known in run_bounded(executor, work, stats, jobs=jobs, stop=StopSignal()):
            if known is not None:
                yield known


def _read_one(backend: Backend, stat: Stat, *, skip_failing: bool) -> _Known | None:
    try:
        data = backend.read(stat.key, limit_bytes=REGISTRATION_BYTES_MAX + 1)
    except StorageMissing:
        return None
    except StorageError:
        if skip_failing:
            return None
        raise
    return _Known(stat.key, stat.size_bytes, stat.modified_ns, decode(data, stat.key))


def _cached(store: OpenedStore) -> list[_Known]:
    try:
        with (store.cache / _CACHE).open("rb") as file:
            data = file.read(_CACHE_BYTES_MAX)
        return msgspec.json.decode(data, type=list[_Known])
    except (OSError, msgspec.MsgspecError, ValueError, RecursionError):
        return []


def _keep(store: OpenedStore, known: list[_Known]) -> None:
    """Best effort: what is not cached is read again."""
    cached.write(store.cache / _CACHE, msgspec.json.encode(known))
