"""Packs being filled: each worker borrows one at a time, full ones are published."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager

from datacat import layout
from datacat.backend import Backend
from datacat.digest import DIGEST_BYTES
from datacat.model import Parameters
from datacat.objects.pack import PackWriter
from datacat.progress import StopSignal
from datacat.transfer.executor import run_bounded
from datacat.transfer.journal import ChunkRow, Journal, pack_rows


class Packing:
    """The packs of one session. Thread-safe."""

    def __init__(
        self, backend: Backend, parameters: Parameters, session: str, journal: Journal
    ) -> None:
        self._backend = backend
        self._parameters = parameters
        self._session = session
        self._journal = journal
        self._lock = threading.Lock()
        self._idle: list[PackWriter] = []
        self._open: list[PackWriter] = []
        self._count = 0
        self._rows: list[ChunkRow] = []

    @contextmanager
    def borrow(self) -> Iterator[PackWriter]:
        """A pack to append to; what was appended is in the next `take_rows`."""
        writer = self._next()
        first = len(writer.entries)
        try:
            yield writer
        finally:
            rows = pack_rows(writer.key, writer.entries[first:])
            full = writer.size_bytes >= self._parameters.pack_bytes
            with self._lock:
                self._rows += rows
                if not full:
                    self._idle.append(writer)
        if full:
            self._finish(writer)

    def take_rows(self) -> list[ChunkRow]:
        """The index rows of what was appended since the last call, by whatever task."""
        with self._lock:
            rows, self._rows = self._rows, []
        return rows

    def finish(self, executor: Executor, *, jobs: int, stop: StopSignal) -> None:
        """Publish every pack that is still open, side by side."""
        idle, self._idle = self._idle, []
        for _ in run_bounded(executor, self._finish, idle, jobs=jobs, stop=stop):
            pass

    def discard(self) -> None:
        """Give up the packs that were not published; nobody has seen them."""
        for writer in self._open:
            writer.discard()

    def _next(self) -> PackWriter:
        with self._lock:
            if self._idle:
                return self._idle.pop()
            number, self._count = self._count, self._count + 1
        writer = PackWriter(
            self._backend,
            layout.pack(self._session, number),
            digest_bytes=DIGEST_BYTES[self._parameters.digest],
        )
        with self._lock:
            self._open.append(writer)
        return writer

    def _finish(self, writer: PackWriter) -> None:
        writer.finish()
        self._journal.pack(writer.key, writer.size_bytes)
        with self._lock:
            self._open.remove(writer)
