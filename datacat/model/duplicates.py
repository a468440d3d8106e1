"""What `scan` found: groups of folders and files that hold the same, and what they waste."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from datacat.model.display import Displayed


class GroupKind(StrEnum):
    """What the copies of a group are."""

    FOLDER = "folder"
    FILE = "file"


@dataclass(frozen=True, slots=True)
class CopyPlace:
    """One copy. `path` is absolute; bytes of a name that are not UTF-8 are surrogate escapes.

    `same_ratio` is the share of the bytes, of this copy or the first one, whichever is larger,
    that both have. `identical`: the same content under the same names.
    """

    path: str
    bytes: int
    files: int
    same_ratio: float = 1.0
    identical: bool = True


@dataclass(frozen=True, slots=True)
class CopyGroup(Displayed):
    """Folders or files that hold the same. The first of `paths` is what the others are copies of.

    `id` names the group in `--adopt`: it stays the same as long as the first copy is where it is.
    `copies` counts those that take space of their own; hard links and reflinks of one another
    count once, so there may be fewer than `paths`. `wasted_bytes` is what keeping one of them
    would free. `ref` is the version with exactly the content of the first copy, if there is one.
    """

    id: str
    kind: GroupKind
    copies: int
    bytes_each: int
    files_each: int
    wasted_bytes: int
    ref: str | None
    paths: tuple[CopyPlace, ...]
    paths_total: int


@dataclass(frozen=True, slots=True)
class LeftOut:
    """So many files or folders that could not be taken into account, and the first few of them."""

    count: int = 0
    first: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ScanResult(Displayed):
    """What lies below `roots`. `bytes` and `duplicate_bytes` count hard links and reflinks once.

    `groups` are the ones that waste most, folders first, at most as many as were asked for;
    `groups_total` counts all. `read_bytes` is what this scan read: contents that an earlier scan
    read and that did not change since are known. Of a dry run, `to_read_bytes` may have to be
    read, and there are no groups.

    `unreadable` folders and files, and files that `changed` meanwhile, are in no group. `stores`
    are not looked into, nor are `other_file_systems` where only one was asked for.
    """

    roots: tuple[str, ...]
    files: int
    folders: int
    bytes: int
    duplicate_bytes: int
    groups: tuple[CopyGroup, ...]
    groups_total: int
    read_bytes: int
    seconds: float
    unreadable: LeftOut = LeftOut()
    changed: LeftOut = LeftOut()
    stores: tuple[str, ...] = ()
    other_file_systems: LeftOut = LeftOut()
    dry_run: bool = False
    to_read_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Kept:
    """A file that was left as it is, and why."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class Adoption(Displayed):
    """What `scan --adopt` did with one group, or with `dry_run` would do.

    `ref` is the version that the first copy is, `created` if it was saved for this. Of `files`
    (all that hold what the first copy holds) those in `reflinked`, `hardlinked` and `symlinked`
    take no more space of their own: `freed_bytes`, less what saving the version took. `kept` are
    the first of the `kept_total` others. `undo` is the file that `--undo` takes.
    """

    group: str
    ref: str
    created: bool
    first: str
    files: int
    bytes: int
    reflinked: int
    hardlinked: int
    symlinked: int
    freed_bytes: int
    stored_bytes: int
    kept: tuple[Kept, ...]
    kept_total: int
    undo: str | None
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class Undone(Displayed):
    """What `scan --undo` brought back. `own` files take space of their own already."""

    restored: int
    bytes: int
    own: int
    kept: tuple[Kept, ...]
    kept_total: int
