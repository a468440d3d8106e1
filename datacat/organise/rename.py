"""New names for datasets. Every name that a dataset ever had keeps finding it."""

from __future__ import annotations

from datacat import refs
from datacat.catalog.fold import Fold
from datacat.catalog.query import CatalogQuery
from datacat.catalog.record import DatasetRename, Envelope
from datacat.catalog.rows import DatasetRow
from datacat.errors import Refused
from datacat.model import RenameResult
from datacat.opened import OpenedStore
from datacat.organise.decision import dataset_now, decide
from datacat.organise.permission import check_permission


def rename(store: OpenedStore, old: str, new: str, *, force: bool = False) -> RenameResult:
    """Call the dataset `old` `new` from now on.

    Raises `InvalidInput` for what is no name, `NotFound`, `Refused` when another dataset has or
    had the name (`name_taken`) or the dataset is somebody else's (`not_yours`).
    """
    old, new = refs.parse_name(old, command="datacat rename"), refs.check_name(new.lower())
    snapshot = store.catalog.sync()
    dataset = CatalogQuery(snapshot, store=store.backend.url).dataset(old)
    newest = refs.parse(dataset.latest or dataset.name).number

    def make(fold: Fold, envelope: Envelope) -> tuple[DatasetRename | None, RenameResult]:
        row = dataset_now(fold, old)
        check_permission(
            row.name,
            user=store.client.user,
            owner=row.owner,
            authors={row.created_by},
            again=f"datacat rename {row.name} {new} --force",
            force=force,
        )
        taken = fold.resolve(new)
        if taken is not None and taken.id != row.id:
            raise _name_taken(new, taken)
        changed = row.name != new
        latest = refs.version_ref(new, newest) if newest else new
        record = DatasetRename(**envelope, dataset=row.name, new_name=new)
        return record if changed else None, RenameResult(row.name, new, latest, changed)

    return decide(store, make, start=snapshot)[1]


def _name_taken(name: str, by: DatasetRow) -> Refused:
    """Whose the name is; a former name is taken too, since it still finds its dataset."""
    if by.name == name:
        message = f"the name {name} is taken by a dataset of {by.owner}"
    else:
        message = f"the name {name} is taken: {by.owner}'s {by.name} was called so before"
    return Refused(
        message,
        kind="name_taken",
        hint="Every name that a dataset had keeps finding it.",
        commands=[f"datacat show {by.name}"],
    )
