"""Which versions go to the other store, under which name, and whether they fit what is there."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from datacat import refs
from datacat.catalog.identities import Identity
from datacat.catalog.query import CatalogQuery
from datacat.errors import Conflict, InvalidInput, Refused
from datacat.model import Version


@dataclass(frozen=True, slots=True)
class CopyRequest:
    """What shall be copied: `history` with all older versions, `name` what it is called there."""

    refs: tuple[str, ...]
    to: str
    name: str | None = None
    history: bool = False
    force: bool = False
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class Chosen:
    """A version to copy, with its identity; `name` is that of its dataset there."""

    version: Version
    identity: Identity
    name: str


def choose(query: CatalogQuery, request: CopyRequest) -> list[Chosen]:
    """The versions that were asked for, each once, in the order in which they were saved.

    So what something was made from goes before it. Raises `NotFound`, and `InvalidInput` when
    several datasets shall get one name.
    """
    wanted: dict[str, Version] = {}
    for word in request.refs:
        version = query.resolve(refs.parse(word))
        older = query.versions(version.name) if request.history else []
        for one in (version, *(v for v in older if v.number < version.number)):
            wanted[one.ref] = one
    names = {version.name for version in wanted.values()}
    if request.name is not None and len(names) > 1:
        raise InvalidInput(
            f"{', '.join(sorted(names))} cannot all be called {request.name}", kind="usage"
        )
    known = {one.ref: one for name in names for one in query.identities(name)}
    name = None if request.name is None else refs.check_name(request.name.lower())
    chosen = [Chosen(v, known[ref], name or v.name) for ref, v in wanted.items()]
    return sorted(chosen, key=lambda one: one.identity.seq)


def present(here: CatalogQuery, there: CatalogQuery, chosen: Sequence[Chosen]) -> dict[str, str]:
    """Those that the other store has already: reference here to reference there.

    The same transaction saved them; or the same content is in the same dataset there, and is not
    known to be another version of ours.
    """
    found: dict[str, str] = {}
    for name in {one.name for one in chosen}:
        if there.current_name(name) is None:
            continue
        live = [one for one in there.identities(name) if not one.trashed]
        ours = {i.txid for n in _names(chosen, name) for i in here.identities(n)}
        by_txid = {one.txid: one.ref for one in live}
        by_hash = {one.hash: one.ref for one in live if one.txid not in ours}
        for one in chosen:
            if one.name == name:
                ref = by_txid.get(one.identity.txid) or by_hash.get(one.identity.hash)
                if ref is not None:
                    found[one.version.ref] = ref
    return found


def check_order(
    here: CatalogQuery, there: CatalogQuery, missing: Sequence[Chosen], request: CopyRequest
) -> None:
    """Raise when a version would become the newest of a dataset there and is not newer.

    `Conflict` when the newest there did not come from here, `Refused` when it is newer than what
    would be copied. Not with `force`.
    """
    for name in () if request.force else dict.fromkeys(one.name for one in missing):
        newest = None if there.current_name(name) is None else there.newest(name)
        if newest is None:
            continue
        (last,) = [i for i in there.identities(name) if i.number == newest.number]
        ours = [i for n in _names(missing, name) for i in here.identities(n)]
        same = [i for i in ours if i.txid == last.txid]
        same = same or [i for i in ours if i.hash == last.hash]
        first = next(one for one in missing if one.name == name)
        if not same:
            raise Conflict(
                f"{request.to} has a dataset {newest.name} of its own:"
                f" {newest.ref}, by {newest.author}, is not known here",
                kind="other_dataset",
                hint="Copy it under another name, or as the next version of that one:",
                commands=[
                    _again(first, request, f"--name {name}-copy"),
                    _again(first, request, "--force"),
                ],
            )
        if first.identity.seq < same[-1].seq:
            raise Refused(
                f"{first.version.ref} is older than what {request.to} has as {newest.ref}"
                f" ({same[-1].ref} here): it would become the newest there",
                kind="older_version",
                commands=[_again(first, request, "--force")],
            )


def _names(chosen: Sequence[Chosen], name: str) -> set[str]:
    """What is called so there, by its names here."""
    return {one.version.name for one in chosen if one.name == name}


def _again(one: Chosen, request: CopyRequest, option: str) -> str:
    return f"datacat copy {one.version.ref} --to {shlex.quote(request.to)} {option}"
