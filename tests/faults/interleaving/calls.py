"""What a client asks of shared storage, and what can come back: the alphabet of the simulator."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

CHANGING = frozenset({"write", "create", "replace", "delete"})
"""Calls that change shared storage."""

LOOKING = frozenset({"read", "range", "stat", "list"})
"""Calls that only look at it."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call of the storage contract. `tell` and `sleep` are no calls: a client stops there too,
    when it says something to its user and when it waits."""

    verb: str
    key: str = ""
    data: bytes = b""
    numbers: tuple[int, ...] = ()
    fact: object = None

    def __str__(self) -> str:
        return f"{self.verb} {self.key or self.fact or ''}".rstrip()


class How(Enum):
    """What becomes of a call. The first is no fault."""

    OK = "ok"
    LOST = "lost"
    """The request never arrives; the client hears nothing."""
    UNANSWERED = "unanswered"
    """It is done, and the client hears nothing."""
    LATE = "late"
    """The client hears nothing; it is done at any later time, or never."""
    TWICE = "twice"
    """It is done and answered, and may arrive once more at any later time."""
    STALE = "stale"
    """The answer is from the past: a record that is there is absent, a listing lacks the newest."""
    DENIED = "denied"
    """It is not done, and trying again would not help."""
    CRASH = "crash"
    """The client dies before the call is sent."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What a client hears: `kind` is ok, missing, exists, silence, denied or death. `seconds` went
    by since it heard something last."""

    kind: str
    value: object = None
    seconds: int = 1


def possible(call: Call) -> tuple[How, ...]:
    """What can become of a call, by the storage contract."""
    if call.verb in CHANGING:
        return (How.OK, How.LOST, How.UNANSWERED, How.LATE, How.TWICE, How.DENIED, How.CRASH)
    if call.verb == "list" or (call.verb in {"read", "stat"} and call.key.startswith("catalog/")):
        return (How.OK, How.LOST, How.STALE, How.DENIED, How.CRASH)
    if call.verb in LOOKING or call.verb == "sync":
        return (How.OK, How.LOST, How.DENIED, How.CRASH)
    return (How.OK, How.CRASH)
