"""How a file is kept: as chunks, which cost an edit only its difference, or whole, which can be
linked, cloned and read in place. Small files always share packs.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from datacat.backend import Backend
from datacat.model import Layout, LinkMode, Parameters
from datacat.objects.codec import Encoder

SAMPLE_BYTES = 16 * 1024
SAMPLES = 3
PAYS_BELOW = 0.75
"""A file is cut and compressed when a sample of it shrinks to this share."""


@dataclass(frozen=True, slots=True)
class Arrangement:
    """How one add keeps its files: `layout` is what was asked for, else the store's."""

    layout: Layout
    link: LinkMode = LinkMode.AUTO


class Arranger:
    """Decides file by file. Thread-safe.

    With `Layout.AUTO` a file is cut into chunks when it is an edit of an older version of itself,
    when the store is no file system, or when it compresses well and whole files are of no special
    use there: the store cannot clone them, and the team does not link them.
    """

    def __init__(self, backend: Backend, parameters: Parameters, arrangement: Arrangement) -> None:
        self._backend = backend
        self._layout = arrangement.layout
        self._linked = arrangement.link in (LinkMode.HARDLINK, LinkMode.SYMLINK)
        self._lock = threading.Lock()
        self._sampler = Encoder(parameters.zstd_level)

    def is_chunked(
        self, kind: str, size: int, *, edited: bool, read: Callable[[int, int], bytes]
    ) -> bool:
        """True if the file is to be cut; `kind` stands for files that compress alike, and
        `read(offset, length)` gives bytes of it."""
        if self._layout is not Layout.AUTO:
            return self._layout is Layout.CHUNKED
        if edited or not self._backend.capabilities.local:
            return True
        if self._linked or self._backend.clones():
            return False
        if size <= SAMPLES * SAMPLE_BYTES:
            sample = read(0, size)
        else:
            step = (size - SAMPLE_BYTES) // (SAMPLES - 1)
            sample = b"".join(read(n * step, SAMPLE_BYTES) for n in range(SAMPLES))
        with self._lock:
            _, frame = self._sampler.encode(sample, kind=kind)
        return len(frame) <= len(sample) * PAYS_BELOW
