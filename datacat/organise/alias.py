"""Aliases: movable names for versions. Everybody may move one; what it was is said and logged."""

from __future__ import annotations

from datetime import UTC

from datacat import refs, text
from datacat.catalog.fold import Fold
from datacat.catalog.query import CatalogQuery
from datacat.catalog.record import AliasSet, Envelope
from datacat.errors import InvalidInput, NotFound
from datacat.model import AliasChange, AliasInfo
from datacat.opened import OpenedStore
from datacat.organise.decision import dataset_now, decide


def set_alias(store: OpenedStore, ref: str, alias: str) -> AliasChange:
    """Point `alias` at the version that `ref` means now; without a version the newest.

    Raises `InvalidInput` for a word that cannot be an alias, `NotFound`, `Conflict` when the
    version went to the trash meanwhile.
    """
    alias = refs.check_alias(alias)
    snapshot = store.catalog.sync()
    query = CatalogQuery(snapshot, store=store.backend.url)
    version = query.resolve(refs.parse(ref))

    def make(fold: Fold, envelope: Envelope) -> tuple[AliasSet | None, AliasChange]:
        name = dataset_now(fold, version.name).name
        previous = _there(fold, name, alias)
        now = refs.version_ref(name, version.number)
        changed = previous is None or previous.ref != now
        record = AliasSet(**envelope, dataset=name, alias=alias, number=version.number)
        return record if changed else None, AliasChange(name, alias, now, previous, changed)

    return decide(store, make, start=snapshot)[1]


def remove_alias(store: OpenedStore, ref: str) -> AliasChange:
    """Take an alias away, given as `cmr@gold`. Raises `NotFound` when there is none."""
    parsed = refs.parse(ref)
    if parsed.alias is None or parsed.path is not None:
        raise InvalidInput(
            f"'{ref[:200]}' is not an alias",
            kind="bad_alias",
            hint="Name it with its dataset:",
            commands=[f"datacat alias -D {parsed.name}@gold", f"datacat alias {parsed.name}"],
        )
    alias = parsed.alias
    snapshot = store.catalog.sync()
    query = CatalogQuery(snapshot, store=store.backend.url)
    known = [info.alias for info in query.aliases(parsed.name)]

    def make(fold: Fold, envelope: Envelope) -> tuple[AliasSet, AliasChange]:
        name = dataset_now(fold, parsed.name).name
        previous = _there(fold, name, alias)
        if previous is None:
            meant = text.closest(alias, known)
            raise NotFound(
                f"{name} has no alias '{alias}'",
                kind="alias_not_found",
                hint=f"Did you mean '{name}@{meant}'?" if meant else None,
                commands=[f"datacat alias {name}"],
            )
        record = AliasSet(**envelope, dataset=name, alias=alias, number=None)
        return record, AliasChange(name, alias, None, previous)

    return decide(store, make, start=snapshot)[1]


def _there(fold: Fold, name: str, alias: str) -> AliasInfo | None:
    """The alias just before the slot."""
    row = fold.alias(name, alias)
    if row is None:
        return None
    ref = refs.version_ref(name, row.number)
    return AliasInfo(name, alias, ref, row.set_at.replace(tzinfo=UTC), row.set_by)
