"""Read a content whose plain bytes lie in a local file: verified, then read where they lie."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

from datacat.digest import BLOCK_BYTES, checksums
from datacat.transfer.ahead import Ahead
from datacat.transfer.container_file import ContainerFile
from datacat.transfer.content import Content, Reading
from datacat.transfer.located import Located

SLOW_SECONDS = 0.001
"""A block that takes longer comes from a disk or over a network: to bring the next ones ahead pays.
What the system has in its memory comes sooner than another thread can be asked for it."""

SLOW_BLOCKS = 4
"""So many more slow blocks than others: one may only have waited for the processor."""


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
        located = content.located
        self._file = ContainerFile(located.one_piece_in or content.path.name, content.path)
        several = len(located) > 1
        self._ahead = (
            Ahead(self._verify_all, start=located.start, count=len(located))
            if ahead and several
            else None
        )
        self._last = -1
        self._slow_blocks = 0
        self._held = -1
        self._block = memoryview(b"")

    def readinto(self, offset: int, buffer: memoryview) -> None:
        verified = self._content.verified
        end = offset + len(buffer)
        first, last = offset // BLOCK_BYTES, (end - 1) // BLOCK_BYTES + 1
        if self._ahead is not None and self._slow_blocks >= SLOW_BLOCKS and last != self._last:
            self._ahead.about_to_read(first, last)
            self._last = last
        for index in range(first, last):
            begin = max(offset, index * BLOCK_BYTES)
            part = buffer[begin - offset : min(end, (index + 1) * BLOCK_BYTES) - offset]
            skip = begin - index * BLOCK_BYTES
            if index == self._held:
                part[:] = self._block[skip : skip + len(part)]
            elif verified[index]:
                self._file.fill(self._content.begin + begin, part)
            elif len(part) == self._content.located.piece(index).size:
                self._bring(index, part)  # where it is wanted: no second read
            else:
                # Who reads a part of it reads the next one soon.
                self._held = -1
                self._block = self._block or memoryview(bytearray(min(BLOCK_BYTES, self._size)))
                self._bring(index, self._block)
                self._held = index
                part[:] = self._block[skip : skip + len(part)]

    def _bring(self, index: int, buffer: memoryview) -> None:
        began = time.perf_counter()
        self._verify(index, buffer)
        slow = time.perf_counter() - began > SLOW_SECONDS
        self._slow_blocks = max(0, self._slow_blocks + (1 if slow else -1))

    def _verify_all(self, first: int, last: int) -> None:
        block = memoryview(bytearray(BLOCK_BYTES))
        for index in range(first, last):
            if not self._content.verified[index]:
                self._verify(index, block)

    def _verify(self, index: int, buffer: memoryview) -> None:
        """Fill `buffer` with a block that has its checksum."""
        piece = self._content.located.piece(index)
        block = buffer[: piece.size]
        self._file.fill(piece.offset, block)
        if checksums(block) != piece.checksums:
            raise self._file.damaged()
        self._content.verified[index] = 1

    def close(self) -> None:
        if self._ahead is not None:
            self._ahead.close()
        self._file.close()
