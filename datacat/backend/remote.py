"""What storage behind a network has in common: nothing lies in a folder of this machine.

Bytes wait in a temporary file, and are then put under their name in one conditional step. A refusal
does not say whose bytes are there, since a library below may have repeated a request whose reply
was lost: so what is there is read back and compared.
"""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from datacat.backend.base import Backend, Created, Staged
from datacat.backend.bridge import Bridge
from datacat.backend.keys import checked_key, checked_range, key_exists
from datacat.backend.local_staged import LocalStaged
from datacat.backend.read_back import holds_exactly
from datacat.backend.system_calls import read_at
from datacat.errors import Failed
from datacat.text import printable

ReadAt = Callable[[int, int], bytes]
"""`read(offset, length)`: bytes that are to be uploaded, fewer only where they end."""


class RemoteBackend(Backend):
    """The part of the contract that is made of three requests: get, put what is new, look.

    Requests are coroutines on the loop of `bridge`.
    """

    def __init__(self, url: str, bridge: Bridge) -> None:
        self.url = url
        self._bridge = bridge

    @abstractmethod
    def _get(self, key: str, offset: int, length: int | None) -> Coroutine[Any, Any, bytes]:
        """Bytes of a checked key, all from `offset` on without a `length`."""

    @abstractmethod
    def _put_new(self, key: str, size_bytes: int, read: ReadAt) -> Coroutine[Any, Any, bool]:
        """Put bytes under a checked key in one atomic step. False: the key is there already."""

    def _before_writing(self) -> None:
        """Raise when nothing may be written here: asked before every write."""

    # Reading

    def read(self, key: str, *, limit_bytes: int | None = None) -> bytes:
        if limit_bytes == 0:
            return self.read_range(key, 0, 0)
        return self._bridge.run(self._get(checked_key(key), 0, limit_bytes))

    def read_range(self, key: str, offset: int, length: int) -> bytes:
        checked_range(checked_key(key), offset, length)
        # Of nothing a byte is asked for: whether the key is there has to be said as well.
        return self._bridge.run(self._get(key, offset, max(length, 1)))[:length]

    # Writing

    def stage(self) -> Staged:
        return LocalStaged(self._publish)

    def write(self, key: str, data: bytes | bytearray | memoryview) -> None:
        checked_key(key)
        body = bytes(data)
        self._publish_once(key, len(body), lambda offset, length: body[offset : offset + length])

    def write_file(self, key: str, source: Path) -> None:
        checked_key(key)
        try:
            fd = os.open(source, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        except OSError as error:
            raise Failed(f"cannot read {printable(str(source))}: {error.strerror}") from error
        try:
            self._publish(key, fd, os.fstat(fd).st_size)
        finally:
            os.close(fd)

    def _publish(self, key: str, fd: int, size_bytes: int) -> None:
        checked_key(key)
        self._publish_once(key, size_bytes, lambda offset, length: read_at(fd, offset, length))

    def _publish_once(self, key: str, size_bytes: int, read: ReadAt) -> None:
        """INV names: a name that other bytes have is an error; with the same ones it is done."""
        self._before_writing()
        done = self._bridge.run(self._put_new(key, size_bytes, read))
        if not done and not holds_exactly(self, key, size_bytes, read):
            raise key_exists(key)

    def create(self, key: str, data: bytes) -> Created:
        """INV slots: one conditional step, and a look at whose bytes are there if it is refused."""
        checked_key(key)
        self._before_writing()
        body = bytes(data)
        # Seen through: a record whose fate nobody asks for would be worse than a late Ctrl-C.
        put = self._put_new(key, len(body), lambda offset, length: body[offset:][:length])
        if self._bridge.run(put, through=True):
            return Created.CREATED
        found = self._bridge.run(self._get(key, 0, len(body) + 1), through=True)
        return Created.CREATED if found == body else Created.EXISTS

    # The place

    def path_of(self, key: str) -> Path | None:
        checked_key(key)
        return None

    def interrupt(self) -> None:
        self._bridge.interrupt()
