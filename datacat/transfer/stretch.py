"""Frames that lie in a row in one container: one read into memory that is used again.

To verify costs less than to make objects of every chunk and to touch fresh memory for it. So the
usual case, chunks made against nothing that lie one behind the other, is read here; everything else
goes through `transfer.pieces`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import NamedTuple

import xxhash

from datacat.backend import Backend
from datacat.errors import Corrupt, StorageMissing
from datacat.objects.codec import ZSTD, Stored, decode_many


class Frame(NamedTuple):
    """The stored bytes of a chunk that was made against nothing. `digest` is empty where it is a
    part of something larger; `checksum` is the number."""

    digest: bytes
    offset: int
    stored_size: int
    size: int
    packed: bool
    checksum: int


class Buffers:
    """Memory for what is read, used again once nobody has a view of it. Thread-safe.

    At most `kept_max` pieces of memory are kept; who needs another gets one that is not.
    """

    def __init__(self, kept_max: int) -> None:
        self._kept_max = kept_max
        self._kept: list[bytearray] = []
        self._lock = threading.Lock()

    def take(self, size: int) -> memoryview:
        """Memory of `size` bytes that nobody else uses as long as a view of it exists."""
        with self._lock:
            for number, buffer in enumerate(self._kept):
                if _is_free(buffer):
                    if len(buffer) < size:
                        self._kept[number] = bytearray(size)
                    return memoryview(self._kept[number])[:size]
            buffer = bytearray(size)
            if len(self._kept) < self._kept_max:
                self._kept.append(buffer)
            return memoryview(buffer)


def _is_free(buffer: bytearray) -> bool:
    """Whether nobody has a view of it: only then Python lets its size change."""
    try:
        last = buffer.pop()
    except BufferError:
        return False
    buffer.append(last)
    return True


def read_stretch(
    backend: Backend,
    container: str,
    frames: Sequence[Frame],
    *,
    digest: Callable[[bytes], bytes],
    buffers: Buffers,
) -> list[bytes | memoryview]:
    """The plain bytes of `frames`, which are in the order of their offsets, each verified.

    Views are of `buffers`. What lies between the frames is read as well. Raises `Corrupt` naming
    the container.
    """
    begin = frames[0].offset
    view = buffers.take(frames[-1].offset + frames[-1].stored_size - begin)
    try:
        count = backend.read_into(container, begin, view)
    except StorageMissing as error:
        raise Corrupt(f"{container} is missing", kind="container_missing") from error
    if count != len(view):
        raise _damaged(container)
    found: list[bytes | memoryview] = []
    packed: list[int] = []
    for number, frame in enumerate(frames):
        start = frame.offset - begin
        data = view[start : start + frame.stored_size]
        # All of a chunk is compared with its digest below: what that says, a checksum cannot add.
        if not frame.digest and xxhash.xxh3_64_intdigest(data) != frame.checksum:
            raise _damaged(container)
        if frame.packed:
            packed.append(number)
        found.append(data)
    if packed:
        stored = [Stored(found[number], ZSTD, frames[number].size) for number in packed]
        for number, plain in zip(packed, decode_many(stored), strict=True):
            if isinstance(plain, Corrupt):
                raise Corrupt(f"{container}: {plain.message}", kind="container_damaged")
            found[number] = plain
    for frame, plain in zip(frames, found, strict=True):
        if frame.digest and digest(plain) != frame.digest:  # type: ignore[arg-type]
            raise Corrupt(f"{container} holds other content", kind="container_damaged")
    return found


def _damaged(container: str) -> Corrupt:
    return Corrupt(f"{container} is damaged", kind="container_damaged")
