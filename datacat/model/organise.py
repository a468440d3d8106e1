"""What a verb says that changes names and facts: aliases, edits, new names."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from datacat.model.dataset import Dataset, Scalar, Version
from datacat.model.display import Displayed


@dataclass(frozen=True, slots=True)
class AliasInfo(Displayed):
    """An alias: the version it points to, and who pointed it there."""

    name: str
    alias: str
    ref: str
    set_at: datetime
    set_by: str


@dataclass(frozen=True, slots=True)
class AliasChange(Displayed):
    """What became of an alias. `ref` is where it points now, None when it was removed.

    `previous` is what it was just before. `changed` is False when it pointed there already.
    """

    name: str
    alias: str
    ref: str | None
    previous: AliasInfo | None
    changed: bool = True


@dataclass(frozen=True, slots=True)
class Edit:
    """One fact that changed: `what` is description, owner, tags, message, param, metric or better.

    `key` is the name of a parameter or metric; better says which of a metric's values are good.
    `before` and `after` are None for what was or is not there; tags are text, with commas.
    """

    what: str
    before: Scalar
    after: Scalar
    key: str = ""


@dataclass(frozen=True, slots=True)
class EditResult(Displayed):
    """The dataset after an edit, and the version if the edit was about one.

    `edits` is what changed; nothing when all of it was so already.
    """

    dataset: Dataset
    version: Version | None
    edits: tuple[Edit, ...]


@dataclass(frozen=True, slots=True)
class RenameResult(Displayed):
    """A dataset that was called `old` is now called `new`; `latest` is its newest version.

    `changed` is False when it was called so already.
    """

    old: str
    new: str
    latest: str
    changed: bool = True
