"""An open file of a version, as Python programs know files: binary, seekable, read-only."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import TYPE_CHECKING

from datacat.transfer.content import Content

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

BUFFER_BYTES = 8 * 1024
"""What Python's own files have; a larger buffer would make every jump read too much."""


class VersionFile(io.BufferedReader):
    """A file of a version. `size` in bytes; `name` is the reference it was opened by.

    `again` opens the same file anew: that is how it travels to another process.
    """

    def __init__(
        self, content: Content, *, name: str, again: Callable[[], VersionFile] | None = None
    ) -> None:
        self.size = content.size
        self._again = again
        super().__init__(_Raw(content, name), BUFFER_BYTES)

    def __reduce__(self) -> tuple[object, ...]:
        if self._again is None:
            raise TypeError("this file cannot be pickled")
        return _reopened, (self._again, self.tell())


def _reopened(again: Callable[[], VersionFile], position: int) -> VersionFile:
    file = again()
    file.seek(position)
    return file


class _Raw(io.RawIOBase):
    """The unbuffered file below a `VersionFile`."""

    def __init__(self, content: Content, name: str) -> None:
        self.name = name
        self.mode = "rb"
        self._size = content.size
        self._position = 0
        self._reading = content.open()

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        position = self._position
        view = memoryview(buffer).cast("B")
        count = min(len(view), self._size - position)
        if count <= 0:
            return 0
        self._reading.readinto(position, view[:count])
        self._position = position + count
        return count

    def readall(self) -> bytes:
        data = bytearray(max(0, self._size - self._position))
        self.readinto(data)
        return bytes(data)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        if self.closed:
            raise ValueError("I/O operation on closed file")
        if whence == io.SEEK_SET:
            position = offset
        elif whence == io.SEEK_CUR:
            position = self._position + offset
        elif whence == io.SEEK_END:
            position = self._size + offset
        else:
            raise ValueError(f"invalid whence ({whence}, should be 0, 1 or 2)")
        if position < 0:
            raise ValueError(f"negative seek position {position}")
        self._position = position
        return position

    def tell(self) -> int:
        if self.closed:
            raise ValueError("I/O operation on closed file")
        return self._position

    def close(self) -> None:
        if not self.closed:
            self._reading.close()
        super().close()
