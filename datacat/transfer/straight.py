"""Chunks that lie as they are, one behind the other, read right into the memory of who asked.

Each is compared with its digest where it was read to, before anybody is told that it is there: no
copy, and no object for each of them. Everything else goes through `transfer.pieces`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import xxhash

from datacat.backend import Backend
from datacat.transfer.container_file import ContainerFile
from datacat.transfer.located import Located
from datacat.transfer.stretch import Frame

PART_BYTES = 512 * 1024
"""So much is read, and then verified: it is still near the processor."""

LOOK_PIECES = 64
"""How far to look for a row at once."""


class Straight:
    """Reads the content whose pieces are `located`. `backend` must be one of local files; used by
    one thread at a time."""

    def __init__(
        self, located: Located, backend: Backend, digest: Callable[[bytes], bytes]
    ) -> None:
        self._located = located
        self._backend = backend
        self._digest = digest
        self._file: ContainerFile | None = None
        self._held = -1
        self._size = 0
        self._memory = memoryview(b"")

    def read(self, first: int, last: int, buffer: memoryview) -> int:
        """Fill `buffer`, which begins where piece `first` does and holds all up to `last`.

        How many pieces were read: none where they do not lie as they are. Raises `Corrupt`.
        """
        container, frames = self._located.plain_row(first, min(last, first + LOOK_PIECES))
        if not frames:
            return 0
        file = self._open(container)
        if file is None:
            return 0
        position = done = 0
        while done < len(frames):
            begin, size = done, 0
            while done < len(frames) and (done == begin or size + frames[done].size <= PART_BYTES):
                size += frames[done].size
                done += 1
            part = buffer[position : position + size]
            file.fill(frames[begin].offset, part)
            self._verify(file, part, frames[begin:done])
            position += size
        return done

    def held(self, index: int) -> memoryview | None:
        """A piece of which only a part is wanted, valid until the next one; None where it does not
        lie as it is. Who reads on wants the rest of it next. Raises `Corrupt`."""
        if index != self._held:
            container, frames = self._located.plain_row(index, index + 1)
            file = self._open(container) if frames else None
            if file is None:
                return None
            self._held = -1
            if len(self._memory) < frames[0].size:
                self._memory = memoryview(bytearray(frames[0].size))
            file.fill(frames[0].offset, self._memory[: frames[0].size])
            self._verify(file, self._memory, frames)
            self._held, self._size = index, frames[0].size
        return self._memory[: self._size]

    def _verify(self, file: ContainerFile, part: memoryview, frames: Sequence[Frame]) -> None:
        digest, position = self._digest, 0
        for frame in frames:
            data = part[position : position + frame.size]
            position += frame.size
            if frame.digest:
                if digest(data) != frame.digest:  # type: ignore[arg-type]
                    raise file.damaged()
            elif xxhash.xxh3_64_intdigest(data) != frame.checksum:
                raise file.damaged()

    def _open(self, container: str) -> ContainerFile | None:
        if self._file is None or self._file.key != container:
            path = self._backend.path_of(container)
            if path is None:
                return None
            self.close()
            self._file = ContainerFile(container, path)
        return self._file

    def close(self) -> None:
        """Let go of the file that is open. May be called again."""
        file, self._file = self._file, None
        if file is not None:
            file.close()
