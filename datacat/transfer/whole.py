"""Store content whole: plain bytes in a container of its own."""

from __future__ import annotations

import errno
from collections.abc import Callable, Sequence
from contextlib import ExitStack

from datacat import layout
from datacat.backend import Backend, Staged
from datacat.digest import BLOCK_BYTES, checksums, new_hasher
from datacat.errors import DatacatError
from datacat.progress import Advanced, Listener, StopSignal
from datacat.transfer.executor import batched
from datacat.transfer.files import OpenFile
from datacat.transfer.following import LOOK_BYTES, copy_and_look, write_full
from datacat.transfer.journal import ChunkRow, Journal, whole_row
from datacat.transfer.reading import unreadable

OPEN_FILES = 64
"""So many files wait for their turn to be made durable: macOS allows a process 256 open ones."""

assert LOOK_BYTES % BLOCK_BYTES == 0  # noqa: S101 - a constant of ours, checked at import


class Copied:
    """A copy of a file in the store that nobody sees yet."""

    def __init__(self, staged: Staged, digest: bytes, checksums: bytes, size: int) -> None:
        self.staged = staged
        self.digest = digest
        self.checksums = checksums
        self.size = size


class WholeContainers:
    """The whole containers of one session. Thread-safe."""

    def __init__(
        self,
        backend: Backend,
        *,
        algorithm: str,
        session: str,
        journal: Journal,
        listener: Listener,
        stop: StopSignal,
    ) -> None:
        self._backend = backend
        self._algorithm = algorithm
        self._session = session
        self._journal = journal
        self._listener = listener
        self._stop = stop

    def store(self, contents: Sequence[tuple[bytes, bytes]], *, jobs: int) -> list[ChunkRow]:
        """Store contents, `(digest, data)`, that are held in memory and were claimed; their rows.

        For each of `jobs` threads. Many are written before the first of them is made durable: where
        the file system has a journal, it commits once for all of them.
        """
        rows = []
        for group in batched(contents, max(1, OPEN_FILES // jobs)):
            with ExitStack() as stack:
                written = []
                for digest, data in group:
                    staged = stack.enter_context(self._backend.stage())
                    try:
                        write_full(staged.fd, data, 0)
                    except OSError as error:
                        raise staged.failed(error) from error
                    staged.start_writeback(0, len(data))
                    written.append(Copied(staged, digest, checksums(data), len(data)))
                rows += [self.publish(copied) for copied in written]
        return rows

    def copy(self, file: OpenFile | int, staged: Staged, path: str, *, limit: int) -> Copied:
        """Copy the open file or descriptor of `path`; hash what arrived (INV stored = hashed).

        Ends soon after `limit` bytes: what arrived may be more.
        """
        hasher = new_hasher(self._algorithm)
        sums: list[bytes] = []

        def look(view: memoryview) -> None:
            hasher.update(view)
            sums.append(checksums(view))

        def copied(offset: int, length: int) -> None:
            staged.start_writeback(offset, length)
            self._listener(Advanced(0, length))

        try:
            fd = file if isinstance(file, int) else file.fd
            if isinstance(file, OpenFile) and fd is None:
                size = self._copy_stream(file, staged, look=look, copied=copied)
            elif fd is not None:
                size = copy_and_look(
                    fd, staged.fd, look=look, copied=copied, limit=limit, stop=self._stop
                )
        except OSError as error:
            if isinstance(error, DatacatError):
                raise
            # One call reads here and writes there: what fails most is a full store.
            store_failed = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)
            raise (staged.failed(error) if store_failed else unreadable(path, error)) from error
        return Copied(staged, hasher.digest(), b"".join(sums), size)

    def _copy_stream(
        self,
        file: OpenFile,
        staged: Staged,
        *,
        look: Callable[[memoryview], None],
        copied: Callable[[int, int], None],
    ) -> int:
        """Write what is read, and look at the very bytes that were written."""
        buffer = memoryview(bytearray(LOOK_BYTES))
        size = 0
        while length := file.read_into(buffer, size):
            self._stop.check()
            write_full(staged.fd, buffer[:length], size)
            look(buffer[:length])
            copied(size, length)
            size += length
        return size

    def publish(self, copied: Copied) -> ChunkRow:
        """Make a copy visible, durable after `Backend.sync`; its index row."""
        key = layout.whole(copied.digest.hex(), self._session)
        copied.staged.publish(key)
        self._journal.whole(key, copied.digest, copied.size, copied.checksums)
        return whole_row(key, copied.digest, copied.size, copied.checksums)
