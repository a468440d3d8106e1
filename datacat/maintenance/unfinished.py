"""What an interrupted `verify` has read already, so that the next one goes on from there.

A file in the cache holds the first 16 bytes of each digest that was read back and found right. It
is removed when the whole run came to its end: the next one then begins anew. What was damaged is
not in it, and is read again.
"""

from __future__ import annotations

import hashlib
import secrets
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

PREFIX_BYTES = 16
"""Enough of a digest: nobody can make two contents that agree in so many bytes of it."""

WRITTEN_TOGETHER = 4_096
WRITTEN_SECONDS = 2.0
"""A step is written after so many digests, or so long: what is lost is read once more."""

KEPT_SECONDS = 7 * 24 * 3600
"""Older than this, what was right may not be any more: it is read again."""

_MAGIC = b"DCATVRFY"
_HEADER = struct.Struct("<8sQ")


class Unfinished:
    """The journal of one run over `target`. Thread-safe.

    `seed` chooses the sample: the runs that go on with one another read the same one.
    """

    def __init__(self, folder: Path, target: str, *, restart: bool) -> None:
        name = hashlib.sha256(target.encode("utf-8", "surrogatepass")).hexdigest()[:24]
        self._folder = folder
        self._lock = threading.Lock()
        self._pending: list[bytes] = []
        self._written = time.monotonic()
        self._earlier = sorted(folder.glob(f"{name}-*.read")) if folder.is_dir() else []
        if restart:
            self._discard(self._earlier)
            self._earlier = []
        self._earlier = [path for path in self._earlier if _is_recent(path)]
        self.seed = next(filter(None, map(_seed, self._earlier)), 0) or secrets.randbits(48) + 1
        self._path = folder / f"{name}-{secrets.token_hex(6)}.read"

    def earlier(self) -> Iterator[bytes]:
        """The beginnings of the digests that were read before, with the same sample."""
        for path in self._earlier:
            if _seed(path) != self.seed:
                continue
            with suppress(OSError), path.open("rb") as file:
                file.seek(_HEADER.size)
                while data := file.read(PREFIX_BYTES * WRITTEN_TOGETHER):
                    whole = len(data) // PREFIX_BYTES * PREFIX_BYTES
                    for start in range(0, whole, PREFIX_BYTES):
                        yield data[start : start + PREFIX_BYTES]

    def note(self, digest: bytes) -> None:
        """This content was read and is right."""
        with self._lock:
            self._pending.append(digest[:PREFIX_BYTES])
            due = time.monotonic() - self._written >= WRITTEN_SECONDS
            if due or len(self._pending) >= WRITTEN_TOGETHER:
                self._flush()

    def keep(self) -> None:
        """The run was interrupted."""
        with self._lock:
            self._flush()

    def remove(self) -> None:
        """The run came to its end: nothing is left to go on with."""
        self._discard([*self._earlier, self._path])

    def _flush(self) -> None:
        # Best effort: without it, work is repeated.
        pending, self._pending = b"".join(self._pending), []
        self._written = time.monotonic()
        if not pending:
            return
        with suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True)
            with self._path.open("ab") as file:
                if file.tell() == 0:
                    file.write(_HEADER.pack(_MAGIC, self.seed))
                file.write(pending)

    def _discard(self, paths: list[Path]) -> None:
        for path in paths:
            with suppress(OSError):
                path.unlink(missing_ok=True)


def _is_recent(path: Path) -> bool:
    try:
        return time.time() - path.stat().st_mtime < KEPT_SECONDS
    except OSError:
        return False


def _seed(path: Path) -> int:
    """The seed of a journal, 0 when it is none."""
    try:
        with path.open("rb") as file:
            magic, seed = _HEADER.unpack(file.read(_HEADER.size))
    except (OSError, struct.error):
        return 0
    return int(seed) if magic == _MAGIC else 0
