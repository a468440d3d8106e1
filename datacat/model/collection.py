"""What `gc` frees, what it leaves, and why."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from datacat.model.display import Displayed


@dataclass(frozen=True, slots=True)
class Periods:
    """How long things are left alone, by the clock of the storage.

    trash: what was removed can be restored, and whoever began to read it can go on; uploads: what
    an add stored and did not commit, since it last stored something. Nothing live depends on
    either: an add that was paused for longer stores its content again.
    """

    trash: timedelta
    uploads: timedelta = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Collected:
    """A version that goes for good: whose it was, who removed it when, and who pulled it last.

    `only_here_bytes` is what goes because of this version alone, None if its list of files is lost.
    """

    ref: str
    owner: str
    trashed_by: str
    trashed_at: datetime
    bytes: int
    only_here_bytes: int | None
    last_pulled: datetime | None


@dataclass(frozen=True, slots=True)
class Waiting:
    """A version in the trash that stays: until its time is over, or because a folder of links
    shows it (`linked_at`)."""

    ref: str
    until: datetime | None
    linked_at: str | None = None


@dataclass(frozen=True, slots=True)
class Collection(Displayed):
    """What a gc frees, or after a dry run would free.

    `versions` go for good, with them and with `unfinished` adds `freed_bytes`. `trashed` are
    versions that `keep_last` moves to the trash first; a later gc frees them. `waiting` stay in the
    trash. `kept_versions` of `kept_datasets` stay, and of those the packs hold `unused_bytes` that
    nobody needs: only whole files are freed. `left_over_files` were condemned by an earlier gc
    that was interrupted. `done` is False after a dry run, and when it was not confirmed.
    """

    versions: tuple[Collected, ...]
    trashed: tuple[str, ...]
    waiting: tuple[Waiting, ...]
    unfinished: int
    left_over_files: int
    freed_files: int
    freed_bytes: int
    kept_versions: int
    kept_datasets: int
    unused_bytes: int
    done: bool = False

    @property
    def is_empty(self) -> bool:
        """Nothing to do."""
        return not (self.freed_files or self.left_over_files or self.versions or self.trashed)
