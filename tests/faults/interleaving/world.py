"""Shared storage as it really is, with what is still under way to it."""

from __future__ import annotations

from bisect import bisect_right
from datetime import UTC, datetime
from typing import Self

from datacat.backend import Created, Stat
from datacat.backend.memory import MemoryBackend
from datacat.errors import StorageError, StorageMissing
from tests.faults.interleaving.calls import CHANGING, Call, How, Reply

STALE_KEYS = 3
"""A stale listing lacks so many of the newest keys, and still has as many that were deleted."""

EPOCH_SECONDS = 1_750_000_000
"""When every simulation begins."""


def moment(seconds: int) -> datetime:
    """A point of virtual time."""
    return datetime.fromtimestamp(seconds, UTC)


class World(MemoryBackend):
    """The memory backend, with a clock of its own, calls in flight, and what was just deleted."""

    def __init__(self) -> None:
        super().__init__("simulated", clock_ns=lambda: self.now_seconds * 1_000_000_000)
        self.now_seconds = EPOCH_SECONDS
        self.in_flight: tuple[Call, ...] = ()
        self.ghosts: tuple[str, ...] = ()
        self.noted: set[str] = set()

    def copy(self) -> Self:
        """The same world, to go another way from here."""
        other = type(self)()
        other._entries = dict(self._entries)
        other.now_seconds = self.now_seconds
        other.in_flight, other.ghosts = self.in_flight, self.ghosts
        return other

    def fingerprint(self) -> object:
        """Equal for two worlds in which everything goes on in the same way."""
        return frozenset(self._entries.items()), self.in_flight, self.ghosts, self.now_seconds

    def contents(self) -> dict[str, bytes]:
        """All keys and what lies there."""
        return {key: data for key, (data, _) in self._entries.items()}

    def answer(self, call: Call, how: How = How.OK) -> Reply:
        """Let this become of the call; what its client hears."""
        if how in (How.LATE, How.TWICE):
            self.in_flight = (*self.in_flight, call)
        if how in (How.LOST, How.LATE):
            return Reply("silence")
        if how is How.DENIED:
            return Reply("denied")
        if how is How.STALE:
            return self._from_the_past(call)
        reply = self._done(call)
        return Reply("silence") if how is How.UNANSWERED else reply

    def deliver(self, number: int) -> None:
        """A call that was in flight arrives; nobody waits for an answer."""
        call = self.in_flight[number]
        self.in_flight = (*self.in_flight[:number], *self.in_flight[number + 1 :])
        self._done(call)

    def changes(self, call: Call, how: How) -> bool:
        """Whether `answer` could change this world."""
        return call.verb in CHANGING and how is not How.LOST

    def _found(self, key: str) -> bytes:
        """Whatever is read is noted: what somebody saw depends on nothing else."""
        self.noted.add(key)
        return super()._found(key)

    def _done(self, call: Call) -> Reply:
        match call.verb:
            case "read":
                return self._read(call.key, 0, call.numbers[0])
            case "range":
                return self._read(call.key, *call.numbers)
            case "stat":
                return Reply("ok", self.stat(call.key))
            case "list":
                return Reply("ok", tuple(self.keys(call.key, after=str(call.fact or ""))))
            case "create":
                made = self.create(call.key, call.data)
                return Reply("ok") if made is Created.CREATED else Reply("exists")
            case "write":
                try:
                    self.write(call.key, call.data)
                except StorageError:
                    return Reply("exists")
            case "replace":
                self.replace(call.key, call.data)
            case "delete":
                if self.stat(call.key) is not None:
                    self.ghosts = (*self.ghosts, call.key)[-STALE_KEYS:]
                self.delete(call.key)
        return Reply("ok")

    def _read(self, key: str, offset: int, length: int) -> Reply:
        try:
            data = self.read(key)
        except StorageMissing:
            return Reply("missing")
        return Reply("ok", data[offset:] if length < 0 else data[offset : offset + length])

    def _from_the_past(self, call: Call) -> Reply:
        if call.verb == "read":
            return Reply("missing")
        if call.verb == "stat":
            return Reply("ok", None)
        newest = set(list(self._entries)[-STALE_KEYS:])
        past = [stat for stat in self.keys(call.key) if stat.key not in newest]
        past += [
            Stat(ghost, 1, self.now_seconds * 1_000_000_000)
            for ghost in self.ghosts
            if ghost.startswith(call.key)
        ]
        past.sort(key=lambda stat: stat.key)
        after = bisect_right([stat.key for stat in past], str(call.fact or ""))
        return Reply("ok", tuple(past[after:]))
