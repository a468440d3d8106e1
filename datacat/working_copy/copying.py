"""Copy a container's bytes into a new file, compared with what they must be before anyone sees it.

What is compared is what was written, by a second thread that follows the copy while its pages are
in memory: the check costs next to nothing on top of the copy. The checksums say where a bad disk
did its damage; the digest also finds what somebody forged together with its checksums.
"""

from __future__ import annotations

import os
from typing import NamedTuple

from datacat.digest import BLOCK_BYTES, CHECKSUM_BYTES, new_hasher
from datacat.digest import checksums as checksums_of
from datacat.errors import Corrupt
from datacat.progress import StopSignal
from datacat.transfer.following import (
    LOOK_BYTES,
    copy_and_look,
    look_through,
    read_full,
    write_full,
)

FOLLOWED_BYTES_MIN = LOOK_BYTES
"""Up to one look, a second thread costs more than it saves."""


class Named(NamedTuple):
    """The digest that content must have, and of which algorithm it is."""

    algorithm: str
    digest: bytes


def copy_checked(
    source: int,
    target: int,
    *,
    size: int,
    checksums: bytes,
    named: Named | None = None,
    stop: StopSignal | None = None,
) -> None:
    """Copy all `size` bytes of `source` to the empty `target` and compare what was written.

    `checksums` are those of `digest.checksums`. Raises `Corrupt` (`damaged_content`) when the bytes
    are others, fewer or more; `target` is then worthless.
    """
    check_size(source, size=size, checksums=checksums)
    compare = _Comparison(checksums, named)
    if size < FOLLOWED_BYTES_MIN:
        data = memoryview(bytearray(size))
        read_full(source, data, 0)
        compare.look(data)
        write_full(target, data, 0)
    else:
        copy_and_look(
            source,
            target,
            look=compare.look,
            copied=lambda _offset, _length: None,
            limit=size,
            stop=stop or StopSignal(),
        )
    compare.finish(size)
    # Read to the end, the size again: what grew meanwhile is not what was stored either.
    check_size(source, size=size, checksums=checksums)


def check(
    descriptor: int,
    *,
    size: int,
    checksums: bytes,
    named: Named | None = None,
    stop: StopSignal | None = None,
) -> None:
    """Compare all bytes of a file as `copy_checked` does. Raises `Corrupt` (`damaged_content`)."""
    check_size(descriptor, size=size, checksums=checksums)
    compare = _Comparison(checksums, named)
    look_through(descriptor, look=compare.look, stop=stop or StopSignal(), limit=size)
    compare.finish(size)


class _Comparison:
    """Compares the views of a file, in order, with its checksums and its digest."""

    def __init__(self, checksums: bytes, named: Named | None) -> None:
        self._checksums = checksums
        self._named = named
        self._hasher = new_hasher(named.algorithm) if named else None
        self._position = 0

    def look(self, view: memoryview) -> None:
        start = self._position // BLOCK_BYTES * CHECKSUM_BYTES
        found = checksums_of(view)
        if found != self._checksums[start : start + len(found)]:
            raise _damaged(f"wrong bytes near {self._position:,}")
        if self._hasher is not None:
            self._hasher.update(view)
        self._position += len(view)

    def finish(self, size: int) -> None:
        if self._position != size:
            raise _damaged(f"{self._position:,} bytes instead of {size:,}")
        if self._named and self._hasher and self._hasher.digest() != self._named.digest:
            raise _damaged("it is other content")


def check_size(descriptor: int, *, size: int, checksums: bytes) -> None:
    """Raise `Corrupt` unless the file has `size` bytes and as many checksums as that takes."""
    actual = os.fstat(descriptor).st_size
    if actual != size:
        raise _damaged(f"{actual:,} bytes instead of {size:,}")
    if len(checksums) != -(-size // BLOCK_BYTES) * CHECKSUM_BYTES:
        raise _damaged("its checksums do not fit its size")


def _damaged(reason: str) -> Corrupt:
    return Corrupt(f"the stored bytes are damaged: {reason}", kind="damaged_content")
