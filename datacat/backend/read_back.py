"""Asking the storage whether it holds exactly these bytes: after a reply that was lost."""

from __future__ import annotations

from collections.abc import Callable

from datacat.backend.base import Backend

_COMPARED_BYTES = 4 << 20


def holds_exactly(
    backend: Backend, key: str, size_bytes: int, read: Callable[[int, int], bytes]
) -> bool:
    """Whether `key` is there with exactly the bytes that `read(offset, length)` gives."""
    found = backend.stat(key)
    if found is None or found.size_bytes != size_bytes:
        return False
    return all(
        backend.read_range(key, offset, _COMPARED_BYTES) == read(offset, _COMPARED_BYTES)
        for offset in range(0, size_bytes, _COMPARED_BYTES)
    )
