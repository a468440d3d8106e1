"""What a store holds: datasets, their versions, and the files of those."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from datacat.model.display import Displayed
from datacat.model.team import Copy

Scalar = str | int | float | bool | None


class Kind(StrEnum):
    """What a path in a version is. `DIR` stands for an empty folder only."""

    FILE = "file"
    SYMLINK = "symlink"
    DIR = "dir"


class Better(StrEnum):
    """Which values of a metric are good: small or large ones."""

    MIN = "min"
    MAX = "max"


@dataclass(frozen=True, slots=True)
class Code:
    """The Git state of the folder from which an output was saved."""

    repo: str
    commit: str
    dirty: bool


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a version was saved first, of one that was copied from another store.

    `store` is the id of that store and `ref` what the version was called there; `sources` are what
    it was made from there, as far as this store does not have it.
    """

    store: str
    ref: str
    copied_by: str
    copied_at: datetime
    sources: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Changes:
    """How many files differ from the base version."""

    added: int = 0
    modified: int = 0
    removed: int = 0


@dataclass(frozen=True, slots=True)
class Version(Displayed):
    """One immutable state of a dataset.

    `hash` is the tree digest in hex: the same content has the same hash under any name.
    `better` is what somebody said of its metrics, of this or another version of the dataset.
    `added_from` is the URL that its files were added from, without what may be secret in it; None
    for a folder. `new_bytes` is content that the store did not hold before, `stored_bytes` what
    that took.
    """

    name: str
    number: int
    hash: str
    message: str
    author: str
    created_at: datetime
    files: int
    bytes: int
    new_bytes: int
    stored_bytes: int
    base: str | None
    changes: Changes
    aliases: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    params: Mapping[str, Scalar] = field(default_factory=dict)
    metrics: Mapping[str, Scalar] = field(default_factory=dict)
    better: Mapping[str, Better] = field(default_factory=dict)
    code: Code | None = None
    added_from: str | None = None
    trashed_at: datetime | None = None
    trashed_by: str | None = None
    origin: Origin | None = None
    """Of a version that was copied from another store; author and time are those of the first."""

    @property
    def ref(self) -> str:
        return f"{self.name}@v{self.number}"


@dataclass(frozen=True, slots=True)
class Dataset(Displayed):
    """A name with its owner, description and tags; sizes are those of the newest version.

    `in_use_by` are the people who have a working copy, when that was asked for.
    """

    name: str
    description: str
    owner: str
    tags: tuple[str, ...]
    latest: str | None
    versions: int
    aliases: Mapping[str, str]
    files: int
    bytes: int
    created_at: datetime
    updated_at: datetime
    last_message: str = ""
    in_use_by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FileInfo:
    """One file of a version. `hash` is its content digest in hex; empty for folders."""

    path: str
    bytes: int
    hash: str
    kind: Kind = Kind.FILE


@dataclass(frozen=True, slots=True)
class FoundFile(Displayed):
    """A file of a dataset, and the versions that have exactly it at this path, oldest first."""

    name: str
    path: str
    bytes: int
    hash: str
    kind: Kind
    versions: tuple[int, ...]

    @property
    def refs(self) -> tuple[str, ...]:
        return tuple(f"{self.name}@v{number}" for number in self.versions)


@dataclass(frozen=True, slots=True)
class Contents:
    """The files of a version that have one suffix. `name` is the file's, when there is only one."""

    suffix: str
    files: int
    bytes: int
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Listing(Displayed):
    """The answer of `ls`. `datasets_total` counts all, also those that did not match."""

    datasets: tuple[Dataset, ...]
    datasets_total: int
    versions_total: int
    stored_bytes: int
    suggestion: str | None = None
    renamed: str | None = None
    """What the dataset is called now whose old name was looked for."""


@dataclass(frozen=True, slots=True)
class Shown(Displayed):
    """Everything `show` tells about a dataset or one version of it.

    `version` is the one asked for, else the newest; `contents` are its kinds of files, those that
    take most space first. `in_use` are the working copies of the dataset, those seen last first.
    """

    dataset: Dataset
    version: Version
    one_version: bool
    version_list: tuple[Version, ...]
    contents: tuple[Contents, ...]
    used_by: tuple[str, ...]
    readme: str | None = None
    best: tuple[str, ...] = ()
    """Metrics in which this version is the best of its dataset."""
    in_use: tuple[Copy, ...] = ()


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One line of the team feed. `path` is the folder of a pull on `host`."""

    at: datetime
    user: str
    host: str
    action: str
    ref: str
    detail: str | None = None
    path: str | None = None
