"""What a store is, and what was fixed when it was made."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from datacat.model.display import Displayed


class LinkMode(StrEnum):
    """How `pull` puts a file in place. `AUTO` is reflink where the file system can, else copy."""

    AUTO = "auto"
    REFLINK = "reflink"
    COPY = "copy"
    HARDLINK = "hardlink"
    SYMLINK = "symlink"


class Layout(StrEnum):
    """How `add` keeps files that are not small. `AUTO` decides for each of them."""

    AUTO = "auto"
    WHOLE = "whole"
    CHUNKED = "chunked"


@dataclass(frozen=True, slots=True)
class Parameters:
    """What is fixed for a store when it is created (`store.json`).

    `small_bytes`: files below this size share a pack; `pack_bytes`: a pack is closed at this
    size; `chunk_*`: sizes of content-defined chunks.
    """

    digest: str = "blake3"
    layout: Layout = Layout.AUTO
    small_bytes: int = 256 * 1024
    pack_bytes: int = 64 * 1024 * 1024
    zstd_level: int = 1
    chunk_min_bytes: int = 16 * 1024
    chunk_mean_bytes: int = 64 * 1024
    chunk_max_bytes: int = 256 * 1024


TRASH_DAYS = 30
"""How long what was removed can be restored, unless the store says otherwise."""


@dataclass(frozen=True, slots=True)
class StoreInfo(Displayed):
    """`store.json`: what a store is. `trash_days` is how long what was removed can be restored."""

    id: str
    name: str
    description: str
    created_at: datetime
    created_by: str
    parameters: Parameters
    link: LinkMode = LinkMode.AUTO
    shared: bool = True
    trash_days: int = TRASH_DAYS


@dataclass(frozen=True, slots=True)
class InitResult:
    """A store that was created or joined."""

    info: StoreInfo
    url: str
    created: bool
    datasets: int
    people: int
    group: str | None
