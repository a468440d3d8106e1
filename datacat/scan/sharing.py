"""Which files share their blocks on disk, as reflinks do: removing one of them frees nothing.

Asks the file system where each file's bytes lie (FIEMAP), on Linux and where blocks can be shared
at all. Two files of the same content whose bytes lie in the same places are counted once. Files
that share only a part are counted as two: what is reported as wasted is then the upper bound.

Source: Documentation/filesystems/fiemap.rst of the Linux kernel.
"""

from __future__ import annotations

import os
import struct
import sys

import xxhash

_FS_IOC_FIEMAP = 0xC020660B
_HEADER = struct.Struct("=QQLLLL")  # start, length, flags, mapped, room, reserved
_EXTENT = struct.Struct("=QQQQQLLLL")  # logical, physical, length, -, -, flags, -, -, -
_LAST, _NOT_PLACED, _SHARED = 0x1, 0x2 | 0x4 | 0x100 | 0x200, 0x2000
_EXTENTS_PER_CALL = 256
EXTENTS_MAX = 65_536
"""A file in more pieces than this is taken to share none of them."""


def place_of(path: bytes) -> bytes | None:
    """What two files have in common exactly if all their bytes lie in the same places.

    None if the file shares no block with any other, or that cannot be told. Raises `OSError` when
    it cannot be opened.
    """
    if not sys.platform.startswith("linux"):
        return None
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        return _place(fd)
    finally:
        os.close(fd)


def _place(fd: int) -> bytes | None:
    import fcntl

    pieces: list[tuple[int, int, int]] = []  # logical, physical, length
    start, shared = 0, False
    while len(pieces) < EXTENTS_MAX:
        request = bytearray(_HEADER.size + _EXTENTS_PER_CALL * _EXTENT.size)
        _HEADER.pack_into(request, 0, start, 2**64 - 1 - start, 0, 0, _EXTENTS_PER_CALL, 0)
        try:
            fcntl.ioctl(fd, _FS_IOC_FIEMAP, request)
        except OSError:
            return None
        mapped = _HEADER.unpack_from(request)[3]
        if mapped == 0:
            break
        flags = 0
        for number in range(mapped):
            logical, physical, length, _, _, flags, *_ = _EXTENT.unpack_from(
                request, _HEADER.size + number * _EXTENT.size
            )
            if flags & _NOT_PLACED:
                return None  # not written yet, or inside of the file system's own records
            shared = shared or bool(flags & _SHARED)
            _append(pieces, logical, physical, length)
            start = logical + length
        if flags & _LAST:
            break
    else:
        return None
    if not shared:
        return None
    hasher = xxhash.xxh3_128()
    for piece in pieces:
        hasher.update(struct.pack("=QQQ", *piece))
    return hasher.digest()


def _append(pieces: list[tuple[int, int, int]], logical: int, physical: int, length: int) -> None:
    """Add a piece. Two in a row are one, however the file system happens to cut them."""
    if pieces:
        before, where, size = pieces[-1]
        if before + size == logical and where + size == physical:
            pieces[-1] = before, where, size + length
            return
    pieces.append((logical, physical, length))
