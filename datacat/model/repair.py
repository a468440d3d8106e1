"""What `repair` found damaged, where a good copy is, and what is lost."""

from __future__ import annotations

from dataclasses import dataclass

from datacat.model.display import Displayed
from datacat.model.health import Damage


@dataclass(frozen=True, slots=True)
class Mend:
    """One thing that can be mended: `what` it is, the file of the store (`key`, None for content
    that moves elsewhere), and where a good copy was found (`source`)."""

    what: str
    key: str | None
    source: str
    bytes: int


@dataclass(frozen=True, slots=True)
class Repair(Displayed):
    """What is damaged in a store, and what becomes of it.

    `mends` are what can be made good. `damaged` are the files of the store that are not as they
    were; what of them cannot be put right is set aside, so that nothing reads it or refers to it
    any more. `lost` are files of versions of which no good copy was found: adding the same content
    again brings them back. `done` is False after a dry run, and when it was not confirmed.
    """

    damaged: tuple[Damage, ...] = ()
    mends: tuple[Mend, ...] = ()
    lost: tuple[Damage, ...] = ()
    checked_files: int = 0
    checked_bytes: int = 0
    seconds: float = 0.0
    done: bool = False

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to do."""
        return not self.damaged and not self.mends
