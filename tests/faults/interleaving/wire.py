"""The backend that a simulated client holds: each call is put to whoever decides what happens."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator

from datacat.backend import Backend, Created, Staged, Stat
from datacat.backend.keys import checked_key, checked_prefix, checked_range, key_exists
from datacat.backend.memory import MemoryBackend
from datacat.backend.system_calls import read_at
from datacat.errors import StorageDenied, StorageMissing, StorageTransient
from tests.faults.interleaving.calls import Call, Reply


class Killed(BaseException):
    """The process ends here. No handler of the client may reach shared storage any more."""


class Wire(MemoryBackend):
    """A memory backend whose calls are answered elsewhere. Used from one thread."""

    def __init__(self, ask: Callable[[Call], Reply]) -> None:
        super().__init__("simulated")
        self._ask = ask

    def read(self, key: str, *, limit_bytes: int | None = None) -> bytes:
        return self._bytes(Call("read", checked_key(key), numbers=(limit_bytes or -1,)))

    def read_range(self, key: str, offset: int, length: int) -> bytes:
        checked_range(key, offset, length)
        return self._bytes(Call("range", checked_key(key), numbers=(offset, length)))

    def write(self, key: str, data: bytes | bytearray | memoryview) -> None:
        if not self.put(key, bytes(data)):
            raise key_exists(key)

    def put(self, key: str, data: bytes) -> bool:
        """`write`, but says False when the key is there."""
        return self._heard(Call("write", checked_key(key), data)).kind == "ok"

    def replace(self, key: str, data: bytes) -> None:
        self._heard(Call("replace", checked_key(key), bytes(data)))

    def create(self, key: str, data: bytes) -> Created:
        try:
            reply = self._heard(Call("create", checked_key(key), bytes(data)))
        except StorageTransient:
            return Created.UNKNOWN
        return Created.CREATED if reply.kind == "ok" else Created.EXISTS

    def sync(self) -> None:
        self._heard(Call("sync"))

    def stat(self, key: str) -> Stat | None:
        found = self._heard(Call("stat", checked_key(key))).value
        assert found is None or isinstance(found, Stat)
        return found

    def keys(self, prefix: str, *, after: str = "") -> Iterator[Stat]:
        found = self._heard(Call("list", checked_prefix(prefix), fact=after)).value
        assert isinstance(found, tuple)
        yield from found

    def delete(self, key: str) -> None:
        self._heard(Call("delete", checked_key(key)))

    def stage(self) -> Staged:
        return _Staged(self)

    def _bytes(self, call: Call) -> bytes:
        data = self._heard(call).value
        assert isinstance(data, bytes)
        return data

    def _heard(self, call: Call) -> Reply:
        reply = self._ask(call)
        match reply.kind:
            case "death":
                raise Killed
            case "silence":
                raise StorageTransient(f"no answer to {call}")
            case "denied":
                raise StorageDenied(f"not permitted: {call}")
            case "missing":
                raise StorageMissing(f"{call.key} is not in the store")
        return reply


class _Staged(Staged):
    """A temporary file of this machine. After a lost reply `publish` may be repeated, as the
    contract says: then the key holds these bytes."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 (closed by discard)
        self._tried = False
        self.fd = self._file.fileno()

    def publish(self, key: str) -> None:
        data = read_at(self.fd, 0, os.fstat(self.fd).st_size)
        tried, self._tried = self._tried, True
        if not self._wire.put(key, data) and not (tried and self._wire.read(key) == data):
            raise key_exists(key)
        self.discard()

    def discard(self) -> None:
        self.fd = -1
        self._file.close()


def as_backend(wire: Wire) -> Backend:
    """What the library is given."""
    return wire
