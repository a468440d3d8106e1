"""Progress is an event, not a bar: the library says what happened, a front end draws it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from datacat.errors import Cancelled


@dataclass(frozen=True, slots=True)
class Started:
    """A phase began. Totals are 0 when they are not known beforehand."""

    phase: str
    files_total: int = 0
    bytes_total: int = 0


@dataclass(frozen=True, slots=True)
class Advanced:
    """So many more files and bytes of the current phase are done."""

    files: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Finished:
    """The current phase is over."""

    phase: str


@dataclass(frozen=True, slots=True)
class Warned:
    """Something a person should know that does not stop the work."""

    message: str


@dataclass(frozen=True, slots=True)
class Noted:
    """Something that only who asks for every detail wants to know."""

    message: str


Event = Started | Advanced | Finished | Warned | Noted
Listener = Callable[[Event], None]


def ignore(_event: Event) -> None:
    """A listener that listens to nothing."""


class StopSignal:
    """A request to stop, checked by workers between files and blocks."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def set(self) -> None:
        self._event.set()

    def check(self) -> None:
        """Raises `Cancelled` once stopping was asked for."""
        if self._event.is_set():
            raise Cancelled("stopped")
