"""The facts that travel between layers, as frozen dataclasses. Sizes are bytes, times are UTC."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

Scalar = str | int | float | bool | None


class Kind(StrEnum):
    """What a path in a version is. `DIR` stands for an empty folder only."""

    FILE = "file"
    SYMLINK = "symlink"
    DIR = "dir"


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


class ChangeKind(StrEnum):
    ADDED = "added"
    MODIFIED = "modified"
    REMOVED = "removed"
    RENAMED = "renamed"


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


@dataclass(frozen=True, slots=True)
class StoreInfo:
    """`store.json`: what a store is."""

    id: str
    name: str
    description: str
    created_at: datetime
    created_by: str
    parameters: Parameters
    link: LinkMode = LinkMode.AUTO
    shared: bool = True


@dataclass(frozen=True, slots=True)
class Code:
    """The Git state of the folder from which an output was saved."""

    repo: str
    commit: str
    dirty: bool


@dataclass(frozen=True, slots=True)
class Changes:
    """How many files differ from the base version."""

    added: int = 0
    modified: int = 0
    removed: int = 0


@dataclass(frozen=True, slots=True)
class Version:
    """One immutable state of a dataset.

    `hash` is the tree digest in hex: the same content has the same hash under any name.
    `new_bytes` is content that the store did not hold before, `stored_bytes` what that took.
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
    code: Code | None = None
    trashed_at: datetime | None = None
    trashed_by: str | None = None

    @property
    def ref(self) -> str:
        return f"{self.name}@v{self.number}"


@dataclass(frozen=True, slots=True)
class Dataset:
    """A name with its owner, description and tags; sizes are those of the newest version."""

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


@dataclass(frozen=True, slots=True)
class FileInfo:
    """One file of a version. `hash` is its content digest in hex; empty for folders."""

    path: str
    bytes: int
    hash: str
    kind: Kind = Kind.FILE


@dataclass(frozen=True, slots=True)
class Change:
    """One path that differs. `detail` is a line about rows and columns, when it is known."""

    path: str
    change: ChangeKind
    old_path: str | None = None
    bytes: int | None = None
    old_bytes: int | None = None
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One line of the team feed."""

    at: datetime
    user: str
    host: str
    action: str
    ref: str
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class AddResult:
    """What `add` did. `created` is False when this content was saved before as `version`.

    `skipped` says what was left out (ignored names, sockets, devices), `skipped_count` how much;
    `kept` counts files of the base version that a partial copy does not hold and that stay as
    they were. `newest` is the newest version of `version`'s dataset when that is another one.
    `repeated_bytes` is what files take whose content occurs in the version before them.
    """

    version: Version
    created: bool
    dry_run: bool = False
    skipped: tuple[str, ...] = ()
    skipped_count: int = 0
    warnings: tuple[str, ...] = ()
    kept: int = 0
    repeated_bytes: int = 0
    newest: str | None = None
    first: bool = False
    """True when the dataset did not exist before."""


@dataclass(frozen=True, slots=True)
class PullResult:
    """What `pull` did: files copied (written), already right, linked, removed.

    `checked` is True when every byte that was written was compared with its checksum.
    `path` is absolute. `previous` is the version that was there before, if any.
    """

    ref: str
    path: str
    files: int
    bytes: int
    copied: int
    already: int
    linked: int
    removed: int
    copied_bytes: int
    partial: bool
    previous: str | None
    checked: bool
    adopted: bool = False
    """True when the folder held this content already and is only tracked now."""
    total_files: int = 0
    """Files of the whole version; more than `files` for a partial pull."""
    backup: str | None = None
    dry_run: bool = False
    warnings: tuple[str, ...] = ()
    replaced: int | None = None
    """Of the files that were written, those that took the place of an older one, when known."""
    others: int = 0
    """Files in the folder that are not of the version: they are left alone."""


@dataclass(frozen=True, slots=True)
class StatusEntry:
    """What a local folder is. `state` is unchanged, changed or untracked.

    `newest` is the newest version of its dataset, by `newest_by`, when the store knows it; that
    may be `ref` itself.
    """

    path: str
    ref: str | None
    state: str
    newest: str | None
    newest_by: str | None
    changes: tuple[Change, ...]
    partial: bool
    linked: bool
    files: int = 0
    bytes: int = 0
    identical_to: str | None = None
    """For an untracked folder: the version with exactly this content."""
    missing: bool = False
    """The version is not known to the store any more."""


@dataclass(frozen=True, slots=True)
class Diff:
    """What differs between `a` and `b`, each a reference or a path."""

    a: str
    b: str
    added: int
    modified: int
    removed: int
    renamed: int
    bytes_a: int
    bytes_b: int
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class Contents:
    """The files of a version that have one suffix. `name` is the file's, when there is only one."""

    suffix: str
    files: int
    bytes: int
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Shown:
    """Everything `show` tells about a dataset or one version of it.

    `version` is the one asked for, else the newest; `contents` are its kinds of files, those that
    take most space first.
    """

    dataset: Dataset
    version: Version
    one_version: bool
    version_list: tuple[Version, ...]
    contents: tuple[Contents, ...]
    used_by: tuple[str, ...]
    readme: str | None = None


@dataclass(frozen=True, slots=True)
class Listing:
    """The answer of `ls`. `datasets_total` counts all, also those that did not match."""

    datasets: tuple[Dataset, ...]
    datasets_total: int
    versions_total: int
    stored_bytes: int
    suggestion: str | None = None


@dataclass(frozen=True, slots=True)
class Damage:
    """A damaged or missing thing, in the user's words: which file of which version."""

    ref: str | None
    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class VerifyResult:
    """What `verify` read and what was wrong with it."""

    target: str
    checked: int
    bytes: int
    seconds: float
    damaged: tuple[Damage, ...]
    missing: tuple[Damage, ...]

    @property
    def ok(self) -> bool:
        return not self.damaged and not self.missing


@dataclass(frozen=True, slots=True)
class DatasetDiskUse:
    """What one dataset takes: `only_here_bytes` is what deleting it would free.

    Content that several datasets have counts in `on_disk_bytes` of each of them.
    """

    name: str
    versions: int
    logical_bytes: int
    on_disk_bytes: int
    only_here_bytes: int


@dataclass(frozen=True, slots=True)
class DiskUse:
    """What a store takes. `on_disk_bytes`, `trash_bytes` and `unused_bytes` are all of it.

    `logical_bytes` is the size of all versions as files. `on_disk_bytes` is the content that they
    are read from and the catalog, `catalog_bytes`. What was saved is made up of content that files
    share (`same_files_bytes`), parts that different files share (`same_parts_bytes`) and
    compression, less the catalog; each may be negative where it costs more than it saves.
    `unused_bytes` belongs to no version: adds that run or did not finish, and what gc can free.
    `free_bytes` is left on the storage, None where that is not known.
    """

    versions: int
    logical_bytes: int
    on_disk_bytes: int
    catalog_bytes: int
    same_files_bytes: int
    same_parts_bytes: int
    compression_bytes: int
    trash_versions: int
    trash_bytes: int
    unused_bytes: int
    free_bytes: int | None
    datasets: tuple[DatasetDiskUse, ...]

    @property
    def saved_bytes(self) -> int:
        return self.logical_bytes - self.on_disk_bytes


@dataclass(frozen=True, slots=True)
class InitResult:
    """A store that was created or joined."""

    info: StoreInfo
    url: str
    created: bool
    datasets: int
    people: int
    group: str | None
