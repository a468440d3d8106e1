"""Who works on what: the working copies that the team knows of."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class LastPull:
    """Which version was pulled into a working copy last, and when."""

    ref: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Copy:
    """A working copy that registered itself: who has which version where.

    Advisory: it says what was true at `last_seen`. `user`, `host` and `path` are None when its
    owner does not share them; `pulled_at` is None when the version was saved from that folder, and
    `last_pull` is what was pulled into it last, before or then. `linked` copies are links into the
    store, which garbage collection must not break. `gone` says that the folder was looked for on
    this machine and is not that copy any more.
    """

    id: str
    ref: str
    name: str
    version: int
    user: str | None
    host: str | None
    path: str | None
    linked: bool
    partial: bool
    pulled_at: datetime | None
    last_seen: datetime
    last_pull: LastPull | None = None
    gone: bool = False

    @property
    def place(self) -> str | None:
        """`hub:/home/bob/cmr`, when its owner shares that."""
        return None if self.path is None else f"{self.host}:{self.path}"
