"""What can be read from anywhere: a `Content` is what is known of it, a `Reading` one open reader.

What must always hold: bytes that do not have the checksum and the digest that the index states are
never handed out.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path


class Reading(ABC):
    """One open reader of a content. Used by one thread at a time."""

    @abstractmethod
    def readinto(self, offset: int, buffer: memoryview) -> None:
        """Fill `buffer` from `offset` on; both lie within the content. Raises `Corrupt`."""

    @abstractmethod
    def close(self) -> None:
        """Let go of files and threads."""


class Content(ABC):
    """A content that can be read from anywhere. Thread-safe; `size` in bytes."""

    size: int

    @property
    def local_path(self) -> Path | None:
        """A file that holds exactly these bytes, unverified; None when there is none."""
        return None

    @abstractmethod
    def open(self, *, ahead: bool = True) -> Reading:
        """A reader; with `ahead` it brings what follows when it is read in order."""

    def read(self, offset: int = 0, length: int | None = None) -> bytes:
        """`length` bytes from `offset`, fewer only where the content ends. Raises `Corrupt`."""
        begin = min(max(offset, 0), self.size)
        end = self.size if length is None else min(begin + max(length, 0), self.size)
        if begin == end:
            return b""
        data = bytearray(end - begin)
        reading = self.open(ahead=False)
        try:
            with memoryview(data) as view:
                reading.readinto(begin, view)
        finally:
            reading.close()
        return bytes(data)


class Nothing(Content):
    """The empty content."""

    size = 0

    def open(self, *, ahead: bool = True) -> Reading:  # noqa: ARG002 - there is nothing ahead
        return _NothingReading()


class _NothingReading(Reading):
    def readinto(self, offset: int, buffer: memoryview) -> None:
        """There is nothing to fill."""

    def close(self) -> None:
        """Nothing was opened."""
