"""What came from what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from datacat.model.dataset import Version
from datacat.model.display import Displayed


@dataclass(frozen=True, slots=True)
class Edge:
    """`result` was made from `source`; both are references of versions."""

    source: str
    result: str


class WarningKind(StrEnum):
    """Why a version in a lineage deserves a look."""

    TWO_VERSIONS = "two_versions"
    """Another version of the same dataset went in too, on another way."""
    NEWER_VERSION = "newer_version"
    """Its dataset has a newer version."""
    TRASHED = "trashed"
    """It is in the trash."""
    GONE = "gone"
    """It was in the trash, and gc deleted its content."""


@dataclass(frozen=True, slots=True)
class LineageWarning:
    """Something about the version `ref`; `about` is the other version, where there is one."""

    kind: WarningKind
    ref: str
    about: str | None = None


@dataclass(frozen=True, slots=True)
class Lineage(Displayed):
    """What `ref` was made from (`up`) and what was made from it (`down`), the nearest first.

    `nodes` are all versions that are named, `ref` too. `cut` is True when there is more than
    fits, or than was asked for.
    """

    ref: str
    up: tuple[Edge, ...]
    down: tuple[Edge, ...]
    nodes: Mapping[str, Version]
    warnings: tuple[LineageWarning, ...]
    cut: bool = False
