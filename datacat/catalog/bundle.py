"""Bundles: many records in one file, for a fast start and as a second copy of the log.

A bundle holds the records' exact lines, compressed with zstd. It is derived: a missing or damaged
one costs time, never correctness, and nothing in it is believed before the chain was checked.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

from datacat.backend import Backend
from datacat.catalog.record import RECORD_BYTES_MAX
from datacat.errors import Corrupt

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

LEVEL = 3
WINDOW_LOG_MAX = 23
"""A bundle that needs more than 8 MiB of history was not written by datacat."""

_STEP_BYTES = 1 << 20
_PIECE_BYTES = 4 << 20


class NotBundledError(ValueError):
    """These records cannot be bundled: one is not a single line of at most 1 MiB."""


def encode(lines: Iterable[bytes]) -> bytes:
    """The bytes of a bundle. Holds the compressed form in memory, not the lines.

    Raises `NotBundledError` when a line could not be told apart again.
    """
    compressor = zstd.ZstdCompressor(
        options={
            zstd.CompressionParameter.compression_level: LEVEL,
            zstd.CompressionParameter.checksum_flag: 1,
        }
    )
    parts = []
    for line in lines:
        if len(line) > RECORD_BYTES_MAX or line.find(b"\n") != len(line) - 1:
            raise NotBundledError("a record that is not one line")
        parts.append(compressor.compress(line))
    parts.append(compressor.flush())
    return b"".join(parts)


def read(backend: Backend, key: str) -> Iterator[bytes]:
    """The lines of the bundle `key`, as `decode` gives them. Raises `StorageMissing`, `Corrupt`."""
    return decode(_pieces(backend, key), key)


def _pieces(backend: Backend, key: str) -> Iterator[bytes]:
    offset = 0
    while piece := backend.read_range(key, offset, _PIECE_BYTES):
        yield piece
        offset += len(piece)
        if len(piece) < _PIECE_BYTES:
            return


def decode(pieces: Iterable[bytes], key: str) -> Iterator[bytes]:
    """The lines of the bundle that arrives in `pieces`, in bounded memory.

    A thread reads and decompresses one step ahead of whoever takes the lines. Raises `Corrupt`
    where the bundle is damaged, cut or not a bundle, also after some lines.
    """
    steps = _decompressed(pieces, key)
    rest = b""
    with ThreadPoolExecutor(max_workers=1) as ahead:
        following = ahead.submit(next, steps, None)
        while (step := following.result()) is not None:
            following = ahead.submit(next, steps, None)
            *lines, rest = (rest + step).split(b"\n")
            for line in lines:
                yield line + b"\n"
            if len(rest) > RECORD_BYTES_MAX:
                raise _damaged(key)
    if rest:
        raise _damaged(key)


def _decompressed(pieces: Iterable[bytes], key: str) -> Iterator[bytes]:
    """The bundle's lines as bytes, `_STEP_BYTES` at a time. Raises `Corrupt`."""
    decompressor = zstd.ZstdDecompressor(
        options={zstd.DecompressionParameter.window_log_max: WINDOW_LOG_MAX}
    )
    for piece in pieces:
        data = piece
        while True:
            try:
                yield decompressor.decompress(data, max_length=_STEP_BYTES)
            except (zstd.ZstdError, EOFError) as error:
                raise _damaged(key) from error
            data = b""
            if decompressor.eof or decompressor.needs_input:
                break
    if not decompressor.eof or decompressor.unused_data:
        raise _damaged(key)


def _damaged(key: str) -> Corrupt:
    return Corrupt(f"{key} in the store is damaged", kind="bundle_damaged")
