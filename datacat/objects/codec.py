"""How a chunk's bytes are stored: as they are (`raw`) or as one zstd frame (`zstd`).

What must always hold: decoding is bounded by the size that the index states, whatever a frame
claims about itself, and gives exactly that many bytes or `Corrupt`.

Two libraries, which write and read the same frames. That of the standard library compresses
against a reference four times as fast; `zstandard` takes many frames in one call, so that threads
do not wait for the interpreter between two chunks.
"""

from __future__ import annotations

import struct
import sys
import threading
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import zstandard

from datacat.errors import Corrupt

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

RAW: Final = "raw"
ZSTD: Final = "zstd"

WORTH_IT = 0.95
"""A frame is kept only below this share of the plain size: decoding costs time on every read."""

GIVE_UP_AFTER = 8
TRY_EVERY = 64
"""How `Encoder` samples a kind of content that does not compress."""

DELTA_BYTES_MIN = 1024
"""To read a second frame for less content than this is not worth it."""

REFERENCE_BYTES_MIN = 8
"""zstd takes no shorter prefix, and we make none: whoever names one is not us."""

DELTA_LEVEL = 1
"""Against a reference a higher level finds no more, and takes twice the time."""

DELTA_HASH_LOG = 17
"""With the few entries of level 1, references over 128 KiB are forgotten before they are used."""

OBVIOUS = 64
"""A frame this many times smaller than its content is worth it, whatever zstd alone would reach."""

WINDOW_LOG_MAX = 23
"""A frame that asks for a window over 8 MiB is not ours: the memory to decode it is bounded."""

WINDOW_LOG_MIN = 10
"""zstd's own bound. A window that reaches back over all of the reference finds all of it again."""

_local = threading.local()


class Encoder:
    """Compresses where that pays, and learns per kind of content where it does not.

    A kind is any label, such as a file's suffix. After `GIVE_UP_AFTER` pieces of a kind that did
    not shrink, only every `TRY_EVERY`-th is tried: incompressible data costs almost no time. Not
    thread-safe; cheap to make.
    """

    def __init__(self, level: int) -> None:
        self._level = level
        self._failures: dict[str, int] = {}

    def encode_against(
        self, data: bytes | memoryview, reference: bytes | memoryview
    ) -> bytes | None:
        """A zstd frame of `data` with `reference` as its prefix, or None.

        It is kept only where it takes half or less of what the frame alone would take: reading it
        means to read the reference too.
        """
        if min(len(reference), len(data)) < DELTA_BYTES_MIN:
            return None
        window = max((len(reference) + len(data)).bit_length(), WINDOW_LOG_MIN)
        compressor = zstd.ZstdCompressor(
            options={
                zstd.CompressionParameter.compression_level: DELTA_LEVEL,
                zstd.CompressionParameter.window_log: min(window, WINDOW_LOG_MAX),
                zstd.CompressionParameter.hash_log: DELTA_HASH_LOG,
            },
            zstd_dict=_prefix(reference),
        )
        frame: bytes = compressor.compress(data, mode=zstd.ZstdCompressor.FLUSH_FRAME)
        if len(frame) * OBVIOUS <= len(data):
            return frame
        plain = min(len(_compress([data], self._level)[0]), len(data))
        return frame if len(frame) * 2 <= plain else None

    def encode(self, data: bytes | memoryview, *, kind: str = "") -> tuple[str, bytes | memoryview]:
        """The codec and the stored bytes of `data`: compressed if that pays, else as they are."""
        return self.encode_many([(data, kind)])[0]

    def encode_many(
        self, chunks: Sequence[tuple[bytes | memoryview, str]]
    ) -> list[tuple[str, bytes | memoryview]]:
        """The same for many chunks, each with its kind, in one call."""
        tried = self._promising([kind for _, kind in chunks])
        frames = _compress([chunks[n][0] for n in tried], self._level)
        found: list[tuple[str, bytes | memoryview]] = [(RAW, data) for data, _ in chunks]
        for n, frame in zip(tried, frames, strict=True):
            data, kind = chunks[n]
            if len(frame) < len(data) * WORTH_IT:
                found[n] = ZSTD, frame
                self._failures[kind] = 0
        return found

    def _promising(self, kinds: Sequence[str]) -> list[int]:
        """Which of them to try, and that they failed: success is noted when it is known."""
        known = self._failures.copy()
        tried = []
        for n, kind in enumerate(kinds):
            failures = self._failures.get(kind, 0)
            if known.get(kind, 0) < GIVE_UP_AFTER or not failures % TRY_EVERY:
                tried.append(n)
            self._failures[kind] = failures + 1
        return tried


def decode(
    stored: bytes | memoryview,
    *,
    codec: str,
    size: int,
    reference: bytes | memoryview | None = None,
) -> bytes | memoryview:
    """The plain `size` bytes; `reference` is what the frame was made against, if anything.

    Raises `Corrupt` when the frame holds anything else.
    """
    if codec == RAW:
        if len(stored) != size:
            raise Corrupt(f"{len(stored)} stored bytes where {size} were expected")
        return stored
    if codec != ZSTD:
        raise Corrupt(f"unknown codec '{codec[:20]}'")
    if reference is not None and len(reference) < REFERENCE_BYTES_MIN:
        raise Corrupt("a frame that was made against next to nothing")
    decompressor = zstd.ZstdDecompressor(
        zstd_dict=_prefix(reference) if reference is not None else None,
        options={zstd.DecompressionParameter.window_log_max: WINDOW_LOG_MAX},
    )
    try:
        data = decompressor.decompress(stored, max_length=size + 1)
    except zstd.ZstdError as error:
        raise Corrupt(f"a damaged zstd frame: {error}") from error
    if len(data) != size or not decompressor.eof or decompressor.unused_data:
        raise Corrupt(f"a zstd frame that does not hold the {size} bytes expected")
    return data


class Stored(NamedTuple):
    """The stored bytes of a chunk that was made against nothing, and what they are to become."""

    data: bytes | memoryview
    codec: str
    size: int


def decode_many(chunks: Sequence[Stored]) -> list[bytes | memoryview | Corrupt]:
    """What `decode` gives for each, or raises. Takes the memory of the sizes that are asked for."""
    frames = [n for n, chunk in enumerate(chunks) if chunk.codec == ZSTD and _says_its_size(chunk)]
    found: dict[int, bytes | memoryview | Corrupt] = {}
    if len(frames) > 1:  # of none it makes a division by zero, in C
        sizes = struct.pack(f"={len(frames)}Q", *(chunks[n].size for n in frames))
        data: list[Any] = [chunks[n].data for n in frames]
        try:
            together = zstandard.ZstdDecompressor().multi_decompress_to_buffer(
                data, decompressed_sizes=sizes, threads=1
            )
            # It has the buffer interface, though its stub does not say so.
            found = {n: memoryview(together[k]) for k, n in enumerate(frames)}  # type: ignore[arg-type]
        except zstandard.ZstdError:
            pass  # one of them is damaged
    for n, chunk in enumerate(chunks):
        if n not in found:
            try:
                found[n] = decode(chunk.data, codec=chunk.codec, size=chunk.size)
            except Corrupt as error:
                found[n] = error
    return [found[n] for n in range(len(chunks))]


def _says_its_size(chunk: Stored) -> bool:
    """Whether a frame states itself what it is expected to hold, and that is not nothing."""
    try:
        return 0 < chunk.size == zstandard.frame_content_size(chunk.data)
    except zstandard.ZstdError:
        return False


def _prefix(reference: bytes | memoryview) -> tuple[zstd.ZstdDict, int]:
    return zstd.ZstdDict(reference, is_raw=True).as_prefix


def _compress(contents: Sequence[bytes | memoryview], level: int) -> list[bytes | memoryview]:
    """One frame for each of them."""
    # A compressor keeps about a megabyte of tables: one per thread and level, not one per chunk.
    compressors = _local.__dict__.setdefault("compressors", {})
    compressor = compressors.get(level)
    if compressor is None:
        compressor = compressors[level] = zstandard.ZstdCompressor(level=level)
    if len(contents) < 2 or not any(contents):
        return [compressor.compress(data) for data in contents]
    together = compressor.multi_compress_to_buffer(list(contents), threads=1)
    return [memoryview(together[n]) for n in range(len(contents))]
