"""A content under the name by which it was asked for: what goes wrong names file and version."""

from __future__ import annotations

from pathlib import Path

from datacat.errors import Corrupt
from datacat.text import printable
from datacat.transfer.content import Content, Reading


def damaged(ref: str, path: str, error: Corrupt) -> Corrupt:
    """What to say when the content of a file cannot be had."""
    return Corrupt(
        f"{printable(path)} of {ref} cannot be read: {error.message}",
        kind="content_damaged",
        hint="Other files can still be read. What is damaged:",
        commands=[f"datacat verify {ref}"],
    )


class Named(Content):
    """`content` as the file `path` of the version `ref`."""

    def __init__(self, content: Content, ref: str, path: str) -> None:
        self.size = content.size
        self._content = content
        self._ref = ref
        self._path = path

    @property
    def local_path(self) -> Path | None:
        return self._content.local_path

    def read(self, offset: int = 0, length: int | None = None) -> bytes:
        try:
            return self._content.read(offset, length)
        except Corrupt as error:
            raise damaged(self._ref, self._path, error) from error

    def open(self, *, ahead: bool = True) -> Reading:
        try:
            return _NamedReading(
                self._content.open(ahead=ahead and self.size > AHEAD_BYTES_MIN),
                self._ref,
                self._path,
            )
        except Corrupt as error:
            raise damaged(self._ref, self._path, error) from error


AHEAD_BYTES_MIN = 256 * 1024
"""What is smaller comes with one or two requests anyhow."""


class _NamedReading(Reading):
    def __init__(self, reading: Reading, ref: str, path: str) -> None:
        self._reading = reading
        self._ref = ref
        self._path = path

    def readinto(self, offset: int, buffer: memoryview) -> None:
        try:
            self._reading.readinto(offset, buffer)
        except Corrupt as error:
            raise damaged(self._ref, self._path, error) from error

    def close(self) -> None:
        self._reading.close()
