"""Space on a drive that is set aside: given back when the drive is full, for what frees space.

To move a version to the trash takes a record of a kilobyte, and to collect takes some that name
what is going: on a drive without a free byte neither could be written, and nothing ever freed.
"""

from __future__ import annotations

import os
from contextlib import suppress

from datacat import layout
from datacat.backend.base import Backend
from datacat.errors import DatacatError

RESERVE_BYTES = 4 * 1024 * 1024
"""Enough for the largest record (1 MiB) as a temporary, several times, and for folders."""

RESERVE_BYTES_MIN = 64 * 1024
"""Less is of no use."""


def keep_reserve(backend: Backend) -> None:
    """Write the reserve of a store in a folder, or a larger one. Best effort: several may try."""
    if not hasattr(os, "posix_fallocate"):
        return
    with suppress(DatacatError):
        found = backend.stat(layout.RESERVE)
        has = 0 if found is None else found.size_bytes
        size = RESERVE_BYTES
        while size >= RESERVE_BYTES_MIN and size > has:
            with backend.stage() as staged:
                try:
                    os.posix_fallocate(staged.fd, 0, size)
                except OSError:
                    size //= 2
                    continue
                if has:
                    backend.delete(layout.RESERVE)
                staged.publish(layout.RESERVE)
                return


def release_reserve(path: str) -> bool:
    """Remove it, and say whether it was there."""
    try:
        os.unlink(path)
    except OSError:
        return False
    return True
