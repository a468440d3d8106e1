"""Fingerprints of files: XXH3-128 of the first and last block, or of everything.

Two files with the same XXH3-128 of everything are taken for the same in a report. Somebody who
tries can make two that are not, so nothing is replaced on its word: `adopt` compares the bytes.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import xxhash

from datacat.progress import StopSignal
from datacat.transfer.following import read_full

BLOCK_BYTES = 16 * 1024
"""How much is read at either end. Headers of images and tables differ in less."""

SMALL_BYTES = 256 * 1024
"""Up to this size a file is read as a whole at once: opening it again costs more."""

BUFFER_BYTES = 1024 * 1024
"""One read of a large file: it is hashed while it is in the processor's cache."""

TASK_BYTES = 32 * 1024 * 1024
TASK_FILES = 256
"""One task: enough work to be worth handing to a thread, little enough to be stopped."""

_FLAGS = (
    os.O_RDONLY
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_BINARY", 0)
)


class Listed(NamedTuple):
    """A file to read, and what it was when it was listed."""

    inode_id: int
    path: bytes
    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int
    device: int


Fingerprint = tuple[int, bytes | None, bytes | None, int]
"""inode_id, ends, digest, and when reading it began."""


@dataclass
class Read:
    """What one task read. `changed` and `unreadable` are inode ids."""

    fingerprints: list[Fingerprint] = field(default_factory=list)
    changed: list[int] = field(default_factory=list)
    unreadable: list[int] = field(default_factory=list)
    bytes: int = 0


def tasks(rows: Iterable[Iterable[object]], *, whole: bool) -> Iterator[list[Listed]]:
    """Files cut into work for a thread; `whole` if all their bytes will be read."""
    batch: list[Listed] = []
    size = 0
    for row in rows:
        listed = Listed._make(row)
        cost = listed.size if whole else min(listed.size, 2 * BLOCK_BYTES)
        if batch and (size + cost > TASK_BYTES or len(batch) >= TASK_FILES):
            yield batch
            batch, size = [], 0
        batch.append(listed)
        size += cost
    if batch:
        yield batch


class Reader:
    """Reads tasks, on any number of threads."""

    def __init__(self, *, whole: bool, stop: StopSignal) -> None:
        self._whole = whole
        self._stop = stop
        self._local = threading.local()

    def __call__(self, task: list[Listed]) -> Read:
        done = Read()
        buffer = self._buffer()
        for listed in task:
            self._stop.check()
            began_ns = time.time_ns()
            try:
                found = self._read(listed, buffer)
            except OSError as error:
                gone = isinstance(error, FileNotFoundError)
                (done.changed if gone else done.unreadable).append(listed.inode_id)
                continue
            if found is None:
                done.changed.append(listed.inode_id)
                continue
            ends, digest, length = found
            done.fingerprints.append((listed.inode_id, ends, digest, began_ns))
            done.bytes += length
        return done

    def _buffer(self) -> memoryview:
        buffer: memoryview | None = getattr(self._local, "buffer", None)
        if buffer is None:
            buffer = self._local.buffer = memoryview(bytearray(BUFFER_BYTES))
        return buffer

    def _read(
        self, listed: Listed, buffer: memoryview
    ) -> tuple[bytes | None, bytes | None, int] | None:
        """Ends, digest and how much was read; None if the file is not what was listed."""
        size = listed.size
        fd = os.open(listed.path, _FLAGS)
        try:
            if size <= SMALL_BYTES:
                length = _at_once(fd, buffer[: size + 1])
                ends, digest = None, xxhash.xxh3_128_digest(buffer[:length])
            elif self._whole:
                ends, (digest, length) = None, self._all(fd, buffer, size)
            else:
                length = read_full(fd, buffer[:BLOCK_BYTES], 0)
                length += read_full(fd, buffer[length : length + BLOCK_BYTES], size - BLOCK_BYTES)
                ends, digest = xxhash.xxh3_128_digest(buffer[:length]), None
            after = os.fstat(fd)
        finally:
            os.close(fd)
        is_whole = length == (size if digest is not None else 2 * BLOCK_BYTES)
        return (ends, digest, length) if is_whole and _is_still(listed, after) else None

    def _all(self, fd: int, buffer: memoryview, size: int) -> tuple[bytes, int]:
        if hasattr(os, "posix_fadvise"):
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_SEQUENTIAL)
        hasher = xxhash.xxh3_128()
        done = 0
        # A file to which somebody appends all the time has no end.
        while done <= size and (length := read_full(fd, buffer, done)):
            self._stop.check()
            hasher.update(buffer[:length])
            done += length
        return hasher.digest(), done


def _at_once(fd: int, buffer: memoryview) -> int:
    """Read a small file; `buffer` has one byte more, so that one that grew is noticed."""
    length = os.readv(fd, [buffer]) if hasattr(os, "readv") else 0
    return length if length >= len(buffer) - 1 else read_full(fd, buffer, 0)


def _is_still(listed: Listed, now: os.stat_result) -> bool:
    return (
        now.st_size == listed.size
        and now.st_mtime_ns == listed.mtime_ns
        and now.st_ctime_ns == listed.ctime_ns
        # A listing on Windows does not tell inodes.
        and (not listed.inode or (now.st_ino, now.st_dev) == (listed.inode, listed.device))
    )
