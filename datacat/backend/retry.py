"""A backend that tries again: bounded, with growing random pauses, and never blindly.

What only reads may be repeated at will. After a write whose reply was lost, the storage is asked
what happened before anything is written again.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from datacat.backend.base import AgingRule, Backend, Capabilities, Created, Staged, Stat
from datacat.backend.read_back import holds_exactly
from datacat.errors import Cancelled, DatacatError, StorageError, StorageTransient

ATTEMPTS = 5
"""Tries of one call: with the pauses below about 3 seconds, a server's hiccup but no outage."""

_PAUSE_SECONDS = 0.1
_PAUSE_SECONDS_MAX = 5.0

_T = TypeVar("_T")


def pause_seconds(attempt: int, random: float) -> float:
    """How long to wait after the failed try number `attempt`; `random` is from 0 to 1."""
    longest: float = min(_PAUSE_SECONDS * 4 ** (attempt - 1), _PAUSE_SECONDS_MAX)
    return longest * (0.5 + 0.5 * random)


class RetryingBackend(Backend):
    """`backend` with its transient failures (`StorageTransient`) retried up to `attempts` times.

    sleep takes seconds; random returns a number from 0 to 1. Both are passed in so that a test
    needs neither time nor luck. Other errors pass through at once.
    """

    def __init__(
        self,
        backend: Backend,
        *,
        sleep: Callable[[float], None],
        random: Callable[[], float],
        attempts: int = ATTEMPTS,
    ) -> None:
        self.backend = backend
        self.url = backend.url
        self._sleep = sleep
        self._random = random
        self._attempts = attempts

    @property
    def capabilities(self) -> Capabilities:
        return self.backend.capabilities

    def clones(self) -> bool:
        return self.retried(self.backend.clones)

    def read(self, key: str, *, limit_bytes: int | None = None) -> bytes:
        return self.retried(lambda: self.backend.read(key, limit_bytes=limit_bytes))

    def read_into(self, key: str, offset: int, buffer: memoryview) -> int:
        return self.retried(lambda: self.backend.read_into(key, offset, buffer))

    def read_range(self, key: str, offset: int, length: int) -> bytes:
        return self.retried(lambda: self.backend.read_range(key, offset, length))

    def stat(self, key: str) -> Stat | None:
        return self.retried(lambda: self.backend.stat(key))

    def assure(self, key: str) -> Stat | None:
        return self.retried(lambda: self.backend.assure(key))

    def keys(self, prefix: str, *, after: str = "") -> Iterator[Stat]:
        """Goes on after the last key that arrived; each step forward renews the attempts."""
        attempt = 0
        while True:
            try:
                for found in self.backend.keys(prefix, after=after):
                    after, attempt = found.key, 0
                    yield found
            except StorageTransient:
                attempt += 1
                if attempt >= self._attempts:
                    raise
                self._pause(attempt)
            else:
                return

    def stage(self) -> Staged:
        return _RetryingStaged(self, self.retried(self.backend.stage))

    def write(self, key: str, data: bytes | bytearray | memoryview) -> None:
        with memoryview(data) as view, view.cast("B") as octets:
            self._write_once(
                key,
                len(octets),
                write=lambda: self.backend.write(key, octets),
                read=lambda offset, length: bytes(octets[offset : offset + length]),
            )

    def write_file(self, key: str, source: Path) -> None:
        with source.open("rb") as file:

            def read(offset: int, length: int) -> bytes:
                file.seek(offset)
                return file.read(length)

            self._write_once(
                key,
                os.fstat(file.fileno()).st_size,
                write=lambda: self.backend.write_file(key, source),
                read=read,
            )

    def _write_once(
        self,
        key: str,
        size_bytes: int,
        *,
        write: Callable[[], None],
        read: Callable[[int, int], bytes],
    ) -> None:
        """INV names: a unique name never holds two different contents, however often we try."""
        in_doubt = False

        def attempt() -> None:
            nonlocal in_doubt
            if in_doubt and holds_exactly(self, key, size_bytes, read):
                return
            try:
                write()
            except StorageTransient:
                in_doubt = True
                raise
            except StorageError as error:
                # The first try may arrive only now, after we looked.
                if not (in_doubt and error.kind == "key_exists"):
                    raise
                if not holds_exactly(self, key, size_bytes, read):
                    raise

        self.retried(attempt)

    def replace(self, key: str, data: bytes) -> None:
        self.retried(lambda: self.backend.replace(key, data))

    def create(self, key: str, data: bytes) -> Created:
        """One try and, when its outcome is open, one look: certain, or UNKNOWN.

        `data` must hold something random of its own (a record's txid): then the same bytes under
        the key are ours.
        """
        try:
            outcome = self.backend.create(key, data)
        except StorageTransient:
            outcome = Created.UNKNOWN
        if outcome is not Created.UNKNOWN:
            return outcome
        try:
            if self.backend.read(key, limit_bytes=len(data) + 1) != data:
                return Created.EXISTS
            self.backend.sync()  # visible is not yet durable
        except (StorageError, Cancelled):
            # A slot that is empty now may still be filled by what we sent; and whatever fails
            # while we look, says nothing about what was sent before.
            return Created.UNKNOWN
        return Created.CREATED

    def sync(self) -> None:
        """Passed through: after a failed fsync a second one would only say that all is well."""
        self.backend.sync()

    def delete(self, key: str) -> None:
        self.retried(lambda: self.backend.delete(key))

    def initialise(self, directories: Sequence[str], *, group: str | None, shared: bool) -> None:
        self.retried(lambda: self.backend.initialise(directories, group=group, shared=shared))

    def path_of(self, key: str) -> Path | None:
        return self.backend.path_of(key)

    def free_bytes(self) -> int | None:
        return self.retried(self.backend.free_bytes)

    def retried(self, call: Callable[[], _T]) -> _T:
        """`call()`, again after each `StorageTransient`, until the attempts are used up."""
        for attempt in range(1, self._attempts):
            try:
                return call()
            except StorageTransient:
                self._pause(attempt)
        return call()

    def keep_reserve(self) -> None:
        self.backend.keep_reserve()

    def release_reserve(self) -> bool:
        return self.backend.release_reserve()

    def aging_rules(self) -> Sequence[AgingRule] | None:
        return self.retried(self.backend.aging_rules)

    def identity(self) -> str | None:
        return self.retried(self.backend.identity)

    def interrupt(self) -> None:
        self.backend.interrupt()

    def _pause(self, attempt: int) -> None:
        self._sleep(pause_seconds(attempt, self._random()))


class _RetryingStaged(Staged):
    """Publishes again after a transient failure: `Staged.publish` may be repeated for its key."""

    def __init__(self, owner: RetryingBackend, staged: Staged) -> None:
        self._owner = owner
        self._staged = staged
        self.fd = staged.fd

    def publish(self, key: str) -> None:
        try:
            self._owner.retried(lambda: self._staged.publish(key))
        finally:
            self.fd = self._staged.fd

    def start_writeback(self, offset: int, length: int) -> None:
        self._staged.start_writeback(offset, length)

    def failed(self, error: OSError) -> DatacatError:
        return self._staged.failed(error)

    def discard(self) -> None:
        self._staged.discard()
        self.fd = -1
