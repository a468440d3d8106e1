"""A pack: many chunks in one container, with a footer that says what it holds.

Layout (all integers little-endian; normative text in `docs/format.md`):

    header    magic "DCATPACK", u16 format, u16 digest size, u32 zero          16 bytes
    frames    the stored bytes of each chunk, back to back
    entries   one per frame, fixed size
    trailer   u64 offset of the entries, u32 count, u32 zero,
              u64 XXH3-64 of header + entries + the 16 trailer bytes before it,
              magic "DCATPEND"                                                 32 bytes

The footer repeats what the index knows, so that the index can be rebuilt from the packs alone.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import xxhash

from datacat.backend import Backend, Staged
from datacat.digest import BLOCK_BYTES, CHECKSUM_BYTES, checksum
from datacat.errors import Corrupt
from datacat.objects.codec import RAW, ZSTD

MAGIC = b"DCATPACK"
END_MAGIC = b"DCATPEND"
PACK_FORMAT = 1
WRITE_BYTES = 4 * 1024 * 1024
"""Frames are gathered to writes of this size."""

BUFFERS_MAX = 1024
"""So many buffers one system call takes on Linux and macOS (IOV_MAX)."""

ENTRIES_READ = 32_768
"""Entries of a footer that are read with one request."""

FRAME_BYTES_MAX = BLOCK_BYTES
"""A frame has one checksum, so it never exceeds one checksum block; nor do its plain bytes."""

_HEADER = struct.Struct("<8sHHI")
_TRAILER = struct.Struct("<QII")
_TRAILER_BYTES = _TRAILER.size + CHECKSUM_BYTES + len(END_MAGIC)
FIXED_BYTES = _HEADER.size + _TRAILER_BYTES
"""What a pack takes besides its frames and their entries."""

HEADER_BYTES = _HEADER.size
"""Where the first frame of a pack begins."""

_CODEC_NUMBER = {RAW: 0, ZSTD: 1}
_CODEC_NAME = {number: name for name, number in _CODEC_NUMBER.items()}


class PackEntry(NamedTuple):
    """One frame: `stored_size` bytes at `offset` hold the `size` bytes of the chunk `digest`."""

    digest: bytes
    offset: int
    stored_size: int
    size: int
    codec: str
    checksum: bytes
    reference: bytes | None = None


def _entry_struct(digest_bytes: int) -> struct.Struct:
    # digest, offset, stored size, size, codec, has reference, zero, checksum, reference
    return struct.Struct(f"<{digest_bytes}sQIIBBH{CHECKSUM_BYTES}s{digest_bytes}s")


def entry_bytes(digest_bytes: int) -> int:
    """What a frame takes in its pack's footer, besides its stored bytes."""
    return _entry_struct(digest_bytes).size


class PackWriter:
    """Fills one pack. Not thread-safe: a pack belongs to one worker at a time.

    `size_bytes` is how long it is so far, and after `finish` in all.
    """

    def __init__(self, backend: Backend, key: str, *, digest_bytes: int) -> None:
        self.key = key
        self.entries: list[PackEntry] = []
        self._digest_bytes = digest_bytes
        self._staged: Staged = backend.stage()
        self._header = _HEADER.pack(MAGIC, PACK_FORMAT, digest_bytes, 0)
        self._pending: list[bytes | memoryview] = [self._header]
        self._pending_bytes = len(self._header)
        self.size_bytes = len(self._header)

    def append(
        self,
        digest: bytes,
        frame: bytes | memoryview,
        *,
        size: int,
        codec: str,
        reference: bytes | None = None,
    ) -> PackEntry:
        """Add a frame, perhaps made against a `reference`; the entry says where it will lie."""
        length = len(frame)
        check = checksum(frame)
        entry = PackEntry(digest, self.size_bytes, length, size, codec, check, reference)
        self.entries.append(entry)
        self._pending.append(frame)
        self._pending_bytes += length
        self.size_bytes += length
        if self._pending_bytes >= WRITE_BYTES:
            self._flush()
        return entry

    def finish(self) -> None:
        """Write the footer and publish the pack under its key."""
        footer = _footer(self._header, self.entries, self.size_bytes, self._digest_bytes)
        self._pending.append(footer)
        self._pending_bytes += len(footer)
        self.size_bytes += len(footer)
        self._flush()
        # INV order: the pack is published before anything that names it.
        self._staged.publish(self.key)

    def discard(self) -> None:
        """Give up a pack that was not finished; nothing was visible."""
        self._staged.discard()

    def _flush(self) -> None:
        written = self.size_bytes - self._pending_bytes
        try:
            for start in range(0, len(self._pending), BUFFERS_MAX):
                _write_all(self._staged.fd, self._pending[start : start + BUFFERS_MAX])
        except OSError as error:
            raise self._staged.failed(error) from error
        self._staged.start_writeback(written, self._pending_bytes)
        self._pending = []
        self._pending_bytes = 0


def _footer(
    header: bytes, packed: Sequence[PackEntry], frames_end: int, digest_bytes: int
) -> bytes:
    """What follows the frames: their entries, and the trailer."""
    entry_struct = _entry_struct(digest_bytes)
    nothing = bytes(digest_bytes)
    entries = b"".join(
        entry_struct.pack(
            e.digest,
            e.offset,
            e.stored_size,
            e.size,
            _CODEC_NUMBER[e.codec],
            e.reference is not None,
            0,
            e.checksum,
            e.reference or nothing,
        )
        for e in packed
    )
    trailer = _TRAILER.pack(frames_end, len(packed), 0)
    check = checksum(header + entries + trailer)
    return entries + trailer + check + END_MAGIC


def assembled(frames: bytes, entries: Sequence[PackEntry], *, digest_bytes: int) -> bytes:
    """The bytes of the pack that holds `frames`, back to back as `entries` say: what `PackWriter`
    made of them."""
    header = _HEADER.pack(MAGIC, PACK_FORMAT, digest_bytes, 0)
    end = len(header) + len(frames)
    return header + frames + _footer(header, entries, end, digest_bytes)


def _write_all(fd: int, buffers: list[bytes | memoryview]) -> None:
    written = os.writev(fd, buffers) if hasattr(os, "writev") else 0
    if written < sum(map(len, buffers)):
        rest = memoryview(b"".join(buffers))[written:]
        while rest:
            rest = rest[os.write(fd, rest) :]


def read_footer(backend: Backend, key: str, *, size_bytes: int) -> list[PackEntry]:
    """The entries of the pack `key` of `size_bytes`, verified. Raises as `footer_entries`."""
    return [
        entry
        for batch in footer_entries(backend.read_range, key, size_bytes=size_bytes)
        for entry in batch
    ]


ReadRange = Callable[[str, int, int], bytes]
"""`read(key, offset, length)`, as `Backend.read_range`."""


def footer_entries(read: ReadRange, key: str, *, size_bytes: int) -> Iterator[list[PackEntry]]:
    """As `read_footer`, in lists that take little memory, however long the footer is.

    They may be believed when the last one has come: only then their checksum was compared. Raises
    `Corrupt` naming the pack when its footer is cut, flipped or states nonsense, and
    `StorageMissing` when it is not there.
    """
    if size_bytes < FIXED_BYTES:
        raise _damaged(key, "it is too short")
    header = read(key, 0, _HEADER.size)
    tail = read(key, size_bytes - _TRAILER_BYTES, _TRAILER_BYTES)
    if len(header) != _HEADER.size or len(tail) != _TRAILER_BYTES:
        raise _damaged(key, "it is cut off")
    magic, pack_format, digest_bytes, _ = _HEADER.unpack(header)
    if magic != MAGIC or tail[-len(END_MAGIC) :] != END_MAGIC:
        raise _damaged(key, "it is not a pack")
    if pack_format != PACK_FORMAT or digest_bytes not in (16, 32):
        raise _damaged(key, f"its format {pack_format} is unknown")
    start, count, _ = _TRAILER.unpack_from(tail)
    entry_struct = _entry_struct(digest_bytes)
    # The stated numbers are believed only when they add up to the size of the file.
    if start + count * entry_struct.size + _TRAILER_BYTES != size_bytes:
        raise _damaged(key, "its footer does not fit its size")
    hasher = xxhash.xxh3_64(header)
    end = _HEADER.size
    for first in range(0, count, ENTRIES_READ):
        length = min(ENTRIES_READ, count - first) * entry_struct.size
        entries = read(key, start + first * entry_struct.size, length)
        if len(entries) != length:
            raise _damaged(key, "it is cut off")
        hasher.update(entries)
        batch = _parsed(key, entry_struct.iter_unpack(entries), end)
        end = batch[-1].offset + batch[-1].stored_size
        yield batch
    if end != start:
        raise _damaged(key, "its frames do not lie back to back")
    hasher.update(tail[: _TRAILER.size])
    stated = tail[_TRAILER.size : _TRAILER.size + CHECKSUM_BYTES]
    if hasher.intdigest().to_bytes(CHECKSUM_BYTES, "little") != stated:
        raise _damaged(key, "its footer fails its checksum")


def _parsed(key: str, rows: Iterable[tuple[Any, ...]], end: int) -> list[PackEntry]:
    """Entries of frames of which the first begins at `end`."""
    parsed: list[PackEntry] = []
    for row in rows:
        digest, offset, stored_size, size, codec, has_reference, _, check, reference = row
        if offset != end:
            raise _damaged(key, "its frames do not lie back to back")
        if (
            codec not in _CODEC_NAME
            or max(stored_size, size) > FRAME_BYTES_MAX
            or (_CODEC_NAME[codec] == RAW and stored_size != size)
        ):
            raise _damaged(key, "an entry states what cannot be")
        end += stored_size
        parsed.append(
            PackEntry(
                digest,
                offset,
                stored_size,
                size,
                _CODEC_NAME[codec],
                check,
                reference if has_reference else None,
            )
        )
    return parsed


def _damaged(key: str, why: str) -> Corrupt:
    return Corrupt(f"the pack {key} is damaged: {why}", kind="pack_damaged")
