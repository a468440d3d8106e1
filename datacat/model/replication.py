"""What is brought from one store to another."""

from __future__ import annotations

from dataclasses import dataclass

from datacat.model.display import Displayed
from datacat.model.place import StoreInfo


@dataclass(frozen=True, slots=True)
class CopiedVersion:
    """A version that was to be in another store: `ref` here is `there` in that one.

    `there` is None where a dry run does not know it yet. `created` is False when it was there
    already. `sent_bytes` is what travelled for it, of the `bytes` of its files.
    """

    ref: str
    there: str | None
    created: bool
    hash: str
    files: int
    bytes: int
    sent_bytes: int = 0


@dataclass(frozen=True, slots=True)
class CopyResult(Displayed):
    """What `copy` did, or with `dry_run` would do; `to` is the URL of the other store.

    `sent_bytes` is what travelled of all versions, or would.
    """

    to: str
    versions: tuple[CopiedVersion, ...]
    sent_bytes: int
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class CloneResult(Displayed):
    """The store that `clone` made at `url`: `bytes` are its files, of which `sent_bytes` were
    carried by this call; the rest was there from one that was interrupted. Versions and datasets
    are those outside the trash."""

    url: str
    info: StoreInfo
    datasets: int
    versions: int
    records: int
    bytes: int
    sent_bytes: int
