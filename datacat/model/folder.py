"""What a verb says of a local folder: saved, pulled, looked at, compared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from datacat.model.dataset import Better, Scalar, Version


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
    renamed: str | None = None
    """The old name under which the dataset was found, by `name` or the folder's marker."""
    unsaved: Unsaved = field(default_factory=Unsaved)
    """What was lost because nothing was saved."""


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
