"""Digests name content; checksums guard stored bytes.

A *digest* is the identity of content: BLAKE3-256 unless the store was made with another
algorithm. A *checksum* is XXH3-64 of stored bytes, one per `BLOCK_BYTES` block, and is compared
on every read. XXH3 is not collision-resistant, so a checksum never names content by default.

Sources: BLAKE3 (O'Connor, Aumasson, Neves, Wilcox-O'Hearn, 2020); XXH3 (Collet, 2019).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import xxhash

from datacat.errors import InvalidInput

BLOCK_BYTES = 1 << 20
"""Stored bytes are checksummed in blocks of this size, so that a ranged read can be verified."""

CHECKSUM_BYTES = 8
ALGORITHMS = ("blake3", "xxh3-128", "sha256")
DIGEST_BYTES = {"blake3": 32, "xxh3-128": 16, "sha256": 32}


class Hasher(Protocol):
    """What every digest algorithm offers: feed bytes, ask for the digest."""

    def update(self, data: bytes | bytearray | memoryview, /) -> object: ...
    def digest(self) -> bytes: ...
    def hexdigest(self) -> str: ...


def new_hasher(algorithm: str) -> Hasher:
    """A fresh hasher of `algorithm`. Raises `InvalidInput` for an unknown name."""
    if algorithm == "blake3":
        from blake3 import blake3

        return blake3()
    if algorithm == "sha256":
        return hashlib.sha256()
    if algorithm == "xxh3-128":
        return xxhash.xxh3_128()
    raise InvalidInput(
        f"unknown digest '{algorithm}'",
        kind="unknown_digest",
        hint=f"Known: {', '.join(ALGORITHMS)}.",
    )


def digest_function(algorithm: str) -> Callable[[bytes], bytes]:
    """`digest_of` for one algorithm without the look-up: for loops over many small files."""
    if algorithm == "blake3":
        from blake3 import blake3

        return lambda data: blake3(data).digest()
    if algorithm == "xxh3-128":
        return xxhash.xxh3_128_digest
    return lambda data: digest_of(algorithm, data)


def digest_of(algorithm: str, data: bytes | bytearray | memoryview) -> bytes:
    """The digest of `data`: 32 bytes, or 16 for xxh3-128."""
    hasher = new_hasher(algorithm)
    hasher.update(data)
    return hasher.digest()


def checksum(data: bytes | bytearray | memoryview) -> bytes:
    """XXH3-64 of `data` as 8 little-endian bytes."""
    return xxhash.xxh3_64_intdigest(data).to_bytes(CHECKSUM_BYTES, "little")


def checksums(data: bytes | bytearray | memoryview) -> bytes:
    """The checksums of each `BLOCK_BYTES` block of `data`, concatenated (none when empty)."""
    view = memoryview(data)
    return b"".join(
        checksum(view[start : start + BLOCK_BYTES]) for start in range(0, len(view), BLOCK_BYTES)
    )


def file_checksum(path: Path) -> str:
    """XXH3-64 of a local file's bytes in hex. Raises `OSError`."""
    with path.open("rb", buffering=0) as file:
        return hashlib.file_digest(file, xxhash.xxh3_64).hexdigest()


def label(algorithm: str, digest: bytes) -> str:
    """How a digest is written in JSON: `blake3:<hex>`."""
    return f"{algorithm}:{digest.hex()}"


def parse_label(text: str) -> tuple[str, bytes]:
    """Undo `label`. Raises `InvalidInput` when the algorithm or the length is wrong."""
    algorithm, _, digits = text.partition(":")
    try:
        digest = bytes.fromhex(digits)
    except ValueError:
        digest = b""
    if DIGEST_BYTES.get(algorithm) != len(digest) or digest.hex() != digits:
        raise InvalidInput(f"not a digest: {text[:80]!r}", kind="bad_digest")
    return algorithm, digest
