"""The storage contract: all that datacat asks of shared storage, on one page.

A *key* is a relative path with `/`. What appears under a key appears whole or not at all and is
never changed afterwards. Absence is an answer (`None`, `StorageMissing`); every other failure is
an error (`StorageError` and its children) and is never read as absence.
"""

from __future__ import annotations

import errno
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from types import TracebackType

from datacat.errors import DatacatError, StorageError, StorageFull


class Created(Enum):
    """The answer to `create`: exactly one client is told `CREATED` for a key."""

    CREATED = "created"
    EXISTS = "exists"
    UNKNOWN = "unknown"
    """The reply was lost: read the key to learn whose it is."""


@dataclass(frozen=True, slots=True)
class Stat:
    """A key on shared storage: `modified_ns` is the storage's own clock, advisory."""

    key: str
    size_bytes: int
    modified_ns: int


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a backend can do beyond the contract.

    atomic_create: `create` has exactly one winner (without it the store is read-only);
    local: containers can be opened, linked and cloned by path.
    """

    atomic_create: bool
    local: bool


@dataclass(frozen=True, slots=True)
class AgingRule:
    """A rule of a bucket that would harm a store: its `name`, and what it `does` to files."""

    name: str
    does: str


class Staged(ABC):
    """A temporary that will become a container: fill `fd`, then `publish`, or `discard`.

    `fd` is an open local file descriptor, readable and writable, so that bytes can arrive by
    `copy_file_range` or a reflink and be hashed where they lie. Leaving the `with` block without
    `publish` discards it.
    """

    fd: int

    @abstractmethod
    def publish(self, key: str) -> None:
        """Make the bytes durable and visible under `key`, a unique name, and close `fd`.

        Durable together with its folder entry only after `Backend.sync`. May be called again for
        the same key after a failure; when the bytes could not be made durable they are lost
        (`staged_lost`), and have to be staged anew.
        """

    def start_writeback(self, offset: int, length: int) -> None:  # noqa: B027
        """A hint that these bytes are final: `publish` then waits less. Does nothing by default."""

    def failed(self, error: OSError) -> DatacatError:
        """What to raise when filling `fd` failed with `error`: it names the place that is full."""
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return StorageFull("no space left in the temporary folder", kind="temporary_full")
        return StorageError(f"a temporary file failed: {error.strerror or error}")

    @abstractmethod
    def discard(self) -> None:
        """Remove the temporary. Does nothing after `publish`."""

    def __enter__(self) -> Staged:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.discard()


class Backend(ABC):
    """One place on shared storage. Safe to use from many threads.

    `url` names it to people and never holds a credential.
    """

    url: str

    @property
    @abstractmethod
    def capabilities(self) -> Capabilities:
        """What this place can do beyond the contract."""

    def clones(self) -> bool:
        """True if its files can share bytes on disk (reflinks): found out by doing it once."""
        return False

    @abstractmethod
    def read(self, key: str, *, limit_bytes: int | None = None) -> bytes:
        """All bytes of `key`, or only the first `limit_bytes`. Raises `StorageMissing`."""

    @abstractmethod
    def read_range(self, key: str, offset: int, length: int) -> bytes:
        """`length` bytes from `offset`, fewer only where the key ends. Raises `StorageMissing`."""

    def read_into(self, key: str, offset: int, buffer: memoryview) -> int:
        """Fill `buffer` from `offset`, and say how far: less only where the key ends.

        Raises `StorageMissing`.
        """
        data = self.read_range(key, offset, len(buffer))
        buffer[: len(data)] = data
        return len(data)

    @abstractmethod
    def stage(self) -> Staged:
        """A fresh temporary to fill and publish."""

    @abstractmethod
    def write(self, key: str, data: bytes | bytearray | memoryview) -> None:
        """Publish `data` under the unique name `key`; durable after `sync`."""

    @abstractmethod
    def write_file(self, key: str, source: Path) -> None:
        """Publish the content of a local file under the unique name `key`; durable after `sync`."""

    @abstractmethod
    def replace(self, key: str, data: bytes) -> None:
        """Overwrite `key` atomically: for advisory files (`copies/`) only, never the catalog."""

    @abstractmethod
    def create(self, key: str, data: bytes) -> Created:
        """Atomically create `key`, durable when it says `CREATED`. INV slots: never overwrites.

        After `UNKNOWN` the key may be there: who reads it and finds these bytes must `sync` before
        it relies on them.
        """

    @abstractmethod
    def sync(self) -> None:
        """Return once everything published so far survives a power cut."""

    @abstractmethod
    def stat(self, key: str) -> Stat | None:
        """The key's size, or None when it is certainly absent."""

    def assure(self, key: str) -> Stat | None:
        """As `stat`; a key that is there also survives a power cut after the next `sync`.

        For containers that an interrupted session published but never synced.
        """
        return self.stat(key)

    @abstractmethod
    def keys(self, prefix: str, *, after: str = "") -> Iterator[Stat]:
        """Keys below the folder `prefix` (ends with `/` or is empty), in order, beyond `after`."""

    @abstractmethod
    def delete(self, key: str) -> None:
        """Remove `key`; absent is fine. For `gc`, `doctor` and `copies/` only (INV hands off)."""

    @abstractmethod
    def initialise(self, directories: Sequence[str], *, group: str | None, shared: bool) -> None:
        """Make the place and its folders, with the modes of a team store or a private one."""

    @abstractmethod
    def path_of(self, key: str) -> Path | None:
        """Where the key's bytes lie in the local file system, or None (see `local`)."""

    @abstractmethod
    def free_bytes(self) -> int | None:
        """Space left for new data, or None when the storage does not tell."""

    def keep_reserve(self) -> None:  # noqa: B027
        """Set space aside for `release_reserve`, unless it is; less of it where there is less.

        Best effort, and nothing by default: most storage does not fill up.
        """

    def release_reserve(self) -> bool:
        """Give the space back that was set aside. False if there was none."""
        return False

    def aging_rules(self) -> Sequence[AgingRule] | None:
        """Rules of the place that delete or move files of the store by their age.

        None, the default, where there are no such rules or nobody can be asked.
        """
        return None

    def identity(self) -> str | None:
        """What tells this place from every other, where reading anything is a trip to a server.

        None by default: nothing about the place has to be remembered to save such trips.
        """
        return None

    def interrupt(self) -> None:  # noqa: B027
        """Give up what hangs: calls that wait for the network raise `Cancelled`, now and later.

        May be called from a signal handler. Does nothing by default: a file system cannot be
        interrupted.
        """
