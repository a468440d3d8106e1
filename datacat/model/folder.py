"""What a verb says of a local folder: saved, pulled, looked at, compared."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from datacat.model.dataset import Better, Scalar, Version
from datacat.model.display import Displayed


class ChangeKind(StrEnum):
    ADDED = "added"
    MODIFIED = "modified"
    REMOVED = "removed"
    RENAMED = "renamed"


@dataclass(frozen=True, slots=True)
class Change:
    """One path that differs. `detail` is a line about rows and columns, when it is known."""

    path: str
    change: ChangeKind
    old_path: str | None = None
    bytes: int | None = None
    old_bytes: int | None = None
    detail: str | None = None


class Relation(StrEnum):
    """How a folder relates to a version that it shares much of its content with.

    `NEAR`: most of each is in the other. `PART`: the folder is, or nearly is, a part of the
    version, which holds much more. `CONTAINS`: the version is inside the folder.
    """

    NEAR = "near"
    PART = "part"
    CONTAINS = "contains"


@dataclass(frozen=True, slots=True)
class Similar:
    """A version that has much content in common with a folder. Every number is exact.

    Content is compared wherever it lies: `same_files` and `same_bytes` are in both, under any path.
    `folder_files`, `folder_bytes`, `files` and `bytes` are the regular files of the folder and of
    the version. `added`, `modified`, `removed` and `renamed` are what `diff` would say of the
    paths, from the version to the folder; `added_first` and so on are up to three of them.
    """

    ref: str
    author: str
    created_at: datetime
    relation: Relation
    same_files: int
    same_bytes: int
    folder_files: int
    folder_bytes: int
    files: int
    bytes: int
    added: int = 0
    modified: int = 0
    removed: int = 0
    renamed: int = 0
    added_first: tuple[str, ...] = ()
    modified_first: tuple[str, ...] = ()
    removed_first: tuple[str, ...] = ()

    @property
    def same_bytes_ratio(self) -> float:
        """The share of bytes that both have, of the larger of the two: 0 to 1."""
        return self.same_bytes / max(self.folder_bytes, self.bytes, 1)


@dataclass(frozen=True, slots=True)
class SimilarFound(Displayed):
    """What `add` asks about: a folder that nobody saved is nearly `similar[0]`.

    It can become `next_version` of that dataset, whose newest version is `newest`, or be
    `separate`. `differences` gives every path that differs from `similar[0]`.
    """

    path: str
    similar: tuple[Similar, ...]
    newest: str
    next_version: str
    separate: str
    differences: Callable[[], Iterator[Change]]


class SaveAs(StrEnum):
    """What to do with a folder that is nearly a version."""

    NEXT_VERSION = "next_version"
    SEPARATE = "separate"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Unsaved:
    """What was said of a run whose content is a version already, and is not known of that one."""

    params: Mapping[str, Scalar] = field(default_factory=dict)
    metrics: Mapping[str, Scalar] = field(default_factory=dict)
    better: Mapping[str, Better] = field(default_factory=dict)
    sources: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.params or self.metrics or self.better or self.sources)


@dataclass(frozen=True, slots=True)
class AddResult(Displayed):
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
    renamed: str | None = None
    """The old name under which the dataset was found, by `name` or the folder's marker."""
    unsaved: Unsaved = field(default_factory=Unsaved)
    """What was lost because nothing was saved."""
    similar: tuple[Similar, ...] = ()
    """For a folder under a new name: versions that have much content in common, the best first."""
    declined: bool = False
    """True when it was asked what to do, and the answer was nothing. `version` is the similar."""


@dataclass(frozen=True, slots=True)
class PullResult(Displayed):
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
class StatusEntry(Displayed):
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
    similar: tuple[Similar, ...] = ()
    """For an untracked folder: versions that have much content in common, the best first."""
    missing: bool = False
    """The version is not known to the store any more."""


@dataclass(frozen=True, slots=True)
class Diff(Displayed):
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
