"""What `rm` moves to the trash, and what `restore` brings back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from datacat.model.dataset import Version
from datacat.model.display import Displayed


@dataclass(frozen=True, slots=True)
class Removal(Displayed):
    """Versions that go to the trash, and can be restored at least `until` then.

    `names` are what `restore` takes to undo it: a dataset of which nothing is left, else a
    reference. `datasets` are those of them that are datasets. `needed_by` says in sentences who
    still needs them; without `force` there must be nobody. `frees_bytes` is what gc will free, None
    when that was not asked for. `done` is False after a dry run, and when it was not confirmed.
    """

    names: tuple[str, ...]
    datasets: tuple[str, ...]
    versions: tuple[Version, ...]
    until: datetime
    needed_by: tuple[str, ...] = ()
    frees_bytes: int | None = None
    done: bool = False


@dataclass(frozen=True, slots=True)
class Restored(Displayed):
    """Versions that came back from the trash; `already` are references that were not in it."""

    versions: tuple[Version, ...]
    already: tuple[str, ...] = ()
