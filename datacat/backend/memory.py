"""A store in this process's memory: for tests, demonstrations and the simulator."""

from __future__ import annotations

import threading
import time
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from datacat import layout
from datacat.backend.base import Backend, Capabilities, Created, Staged, Stat
from datacat.backend.keys import checked_key, checked_prefix, checked_range, key_exists
from datacat.backend.local_staged import LocalStaged
from datacat.backend.system_calls import read_at
from datacat.errors import Failed, StorageMissing
from datacat.text import printable

_named: dict[str, MemoryBackend] = {}
_named_lock = threading.Lock()


def named_memory(name: str) -> MemoryBackend:
    """The memory backend of this name in this process; it lives as long as the process."""
    with _named_lock:
        return _named.setdefault(name, MemoryBackend(name))


class MemoryBackend(Backend):
    """A dict with a lock. Everything is durable at once, as far as memory is.

    clock_ns: what `Stat.modified_ns` is read from.
    """

    def __init__(self, name: str = "", *, clock_ns: Callable[[], int] = time.time_ns) -> None:
        self.url = f"memory://{name}"
        self._clock_ns = clock_ns
        self._lock = threading.Lock()
        self._entries: dict[str, tuple[bytes, int]] = {}

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(atomic_create=True, local=False)

    def read(self, key: str, *, limit_bytes: int | None = None) -> bytes:
        return self._found(key)[:limit_bytes]

    def read_range(self, key: str, offset: int, length: int) -> bytes:
        checked_range(key, offset, length)
        return self._found(key)[offset : offset + length]

    def _found(self, key: str) -> bytes:
        with self._lock:
            entry = self._entries.get(checked_key(key))
        if entry is None:
            raise StorageMissing(f"{key} is not in the store")
        return entry[0]

    def stage(self) -> Staged:
        return LocalStaged(lambda key, fd, size: self.write(key, read_at(fd, 0, size)))

    def write(self, key: str, data: bytes | bytearray | memoryview) -> None:
        if not self._put(key, bytes(data)):
            raise key_exists(key)

    def write_file(self, key: str, source: Path) -> None:
        checked_key(key)
        try:
            data = source.read_bytes()
        except OSError as error:
            raise Failed(f"cannot read {printable(str(source))}: {error.strerror}") from error
        self.write(key, data)

    def replace(self, key: str, data: bytes) -> None:
        checked_key(key)
        with self._lock:
            self._entries[key] = (bytes(data), self._clock_ns())

    def create(self, key: str, data: bytes) -> Created:
        return Created.CREATED if self._put(key, bytes(data)) else Created.EXISTS

    def _put(self, key: str, data: bytes) -> bool:
        """INV slots, INV names: a key is written once."""
        entry = (data, self._clock_ns())
        with self._lock:
            return self._entries.setdefault(checked_key(key), entry) is entry

    def sync(self) -> None:
        """Nothing to wait for."""

    def stat(self, key: str) -> Stat | None:
        with self._lock:
            entry = self._entries.get(checked_key(key))
        return None if entry is None else Stat(key, len(entry[0]), entry[1])

    def keys(self, prefix: str, *, after: str = "") -> Iterator[Stat]:
        checked_prefix(prefix)
        with self._lock:
            names = sorted(name for name in self._entries if name.startswith(prefix))
        for name in names[bisect_right(names, after) :]:
            temporary = name.startswith(layout.TEMPORARY) and prefix == ""
            if not temporary and (found := self.stat(name)) is not None:
                yield found

    def delete(self, key: str) -> None:
        with self._lock:
            self._entries.pop(checked_key(key), None)

    def initialise(self, directories: Sequence[str], *, group: str | None, shared: bool) -> None:
        """Memory has no folders, groups or modes."""

    def path_of(self, key: str) -> Path | None:
        checked_key(key)
        return None

    def free_bytes(self) -> int | None:
        return None
