"""A container that lies in a file of this machine, read at any place."""

from __future__ import annotations

import contextlib
import os
import threading
from pathlib import Path

from datacat.errors import Corrupt, StorageError

_BINARY = getattr(os, "O_BINARY", 0)
_HAS_PREADV = hasattr(os, "preadv")
_HAS_FADVISE = hasattr(os, "posix_fadvise")
_position = threading.Lock()


class ContainerFile:
    """The container `key`, open at `path`. Thread-safe, but for `close`.

    What comes out of it is not verified here. Raises `Corrupt` when it is missing or ends too soon,
    `StorageError` when it cannot be read.
    """

    def __init__(self, key: str, path: Path) -> None:
        self.key = key
        try:
            self._fd = os.open(path, os.O_RDONLY | _BINARY)
        except FileNotFoundError as error:
            raise Corrupt(f"{key} is missing", kind="container_missing") from error
        except OSError as error:
            raise self._failed(error) from error

    def fill(self, offset: int, buffer: memoryview) -> None:
        """All of `buffer`, from `offset` on."""
        done = 0
        while done < len(buffer):
            try:
                count = _read_at(self._fd, offset + done, buffer[done:] if done else buffer)
            except OSError as error:
                raise self._failed(error) from error
            if count == 0:
                raise self.damaged()
            done += count

    def soon(self, offset: int, length: int) -> None:
        """Let the system bring these bytes into its memory, while others are looked at."""
        if _HAS_FADVISE:
            with contextlib.suppress(OSError):  # it is only advice
                os.posix_fadvise(self._fd, offset, length, os.POSIX_FADV_WILLNEED)

    def damaged(self) -> Corrupt:
        """What to raise when something else lies there than the index says."""
        return Corrupt(f"{self.key} is damaged", kind="container_damaged")

    def _failed(self, error: OSError) -> StorageError:
        return StorageError(f"cannot read {self.key}: {error.strerror or error}")

    def close(self) -> None:
        """May be called again."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)


def _read_at(fd: int, offset: int, buffer: memoryview) -> int:
    if _HAS_PREADV:
        return os.preadv(fd, [buffer], offset)
    with _position:  # Windows: there is only the file's own position
        os.lseek(fd, offset, os.SEEK_SET)
        data = os.read(fd, len(buffer))
    buffer[: len(data)] = data
    return len(data)
