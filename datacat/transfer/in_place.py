"""Read a content whose plain bytes lie in a local file: verified, then read where they lie."""

from __future__ import annotations

import contextlib
from pathlib import Path

from datacat.digest import BLOCK_BYTES, checksums
from datacat.transfer.container_file import ContainerFile
from datacat.transfer.content import Content, Reading
from datacat.transfer.located import Located

AHEAD_BYTES = 8 * 1024 * 1024
"""The system is asked for so much before it is wanted: a disk or a server then never waits for us.
To read it in another thread would be to read it twice."""


class InPlace(Content):
    """A content whose plain bytes lie in a local file. Each block is verified once, when it is
    first touched, and then read from the file."""

    def __init__(self, located: Located, path: Path) -> None:
        self.size = located.size
        self.located = located
        self.path = path
        self.begin = located.piece(0).offset
        self.verified = bytearray(len(located))

    @property
    def local_path(self) -> Path | None:
        with contextlib.suppress(OSError):
            if self.begin == 0 and self.path.stat().st_size == self.size:
                return self.path
        return None

    def open(self, *, ahead: bool = True) -> Reading:
        return _InPlaceReading(self, ahead=ahead)


class _InPlaceReading(Reading):
    def __init__(self, content: InPlace, *, ahead: bool) -> None:
        self._content = content
        self._size = content.size
        self._file = ContainerFile(content.located.one_piece_in or content.path.name, content.path)
        self._ahead = ahead and len(content.located) > 1
        self._last = -1
        self._told = 0
        self._held = -1
        self._block = memoryview(b"")

    def readinto(self, offset: int, buffer: memoryview) -> None:
        first, last = offset // BLOCK_BYTES, (offset + len(buffer) - 1) // BLOCK_BYTES + 1
        if self._ahead and last != self._last:
            if first in (self._last - 1, self._last):
                self._tell(last * BLOCK_BYTES)
            else:
                self._told = 0
            self._last = last
        self._read(offset, buffer, first, last)

    def _tell(self, end: int) -> None:
        """Have the system bring what follows `end`: it is read in order."""
        begin, end = max(self._told, end), min(end + AHEAD_BYTES, self._size)
        if end > begin:
            self._file.soon(self._content.begin + begin, end - begin)
            self._told = end

    def _read(self, offset: int, buffer: memoryview, first: int, last: int) -> None:
        verified, end = self._content.verified, offset + len(buffer)
        for index in range(first, last):
            begin = max(offset, index * BLOCK_BYTES)
            part = buffer[begin - offset : min(end, (index + 1) * BLOCK_BYTES) - offset]
            skip = begin - index * BLOCK_BYTES
            if index == self._held:
                part[:] = self._block[skip : skip + len(part)]
            elif verified[index]:
                self._file.fill(self._content.begin + begin, part)
            elif len(part) == self._content.located.piece(index).size:
                self._verify(index, part)  # where it is wanted: no second read
            else:
                # Who reads a part of it reads the next one soon.
                self._held = -1
                self._block = self._block or memoryview(bytearray(min(BLOCK_BYTES, self._size)))
                self._verify(index, self._block)
                self._held = index
                part[:] = self._block[skip : skip + len(part)]

    def _verify(self, index: int, buffer: memoryview) -> None:
        """Fill `buffer` with a block that has its checksum."""
        piece = self._content.located.piece(index)
        block = buffer[: piece.size]
        self._file.fill(piece.offset, block)
        if checksums(block) != piece.checksums:
            raise self._file.damaged()
        self._content.verified[index] = 1

    def close(self) -> None:
        self._file.close()
