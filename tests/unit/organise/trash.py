"""Put versions in the trash with a record of one's own, without any of the rules of `rm`."""

from __future__ import annotations

from datacat.catalog.fold import Fold
from datacat.catalog.record import Envelope, VersionRemove
from datacat.store import Store


def remove(store: Store, name: str, *numbers: int) -> None:
    def make(fold: Fold, envelope: Envelope) -> VersionRemove:
        return VersionRemove(**envelope, dataset=name, numbers=numbers)

    store._opened.commit(make)
