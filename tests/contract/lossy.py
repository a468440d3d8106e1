"""A backend whose calls fail now before and now after they did their work."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from datacat.backend import Backend, Capabilities, Created, Staged, Stat
from datacat.errors import StorageTransient

T = TypeVar("T")


class LosingReplies(Backend):
    """Each call of `backend` in turn: fails first, works but loses its reply, or works.

    `plan` is repeated for ever: "b" fails before, "a" after the work, "." works.
    """

    def __init__(self, backend: Backend, plan: str = "ba..a.b.") -> None:
        self.backend = backend
        self.url = backend.url
        self.lost = 0
        self._plan = plan
        self._steps = threading.local()  # each thread has its own: none can starve another

    @property
    def capabilities(self) -> Capabilities:
        return self.backend.capabilities

    def lossy(self, call: Callable[[], T]) -> T:
        if not hasattr(self._steps, "left"):
            self._steps.left = itertools.cycle(self._plan)
        step = next(self._steps.left)
        self.lost += step != "."
        if step == "b":
            raise StorageTransient("the request was lost")
        result = call()
        if step == "a":
            raise StorageTransient("the reply was lost")
        return result

    def read(self, key: str, *, limit_bytes: int | None = None) -> bytes:
        return self.lossy(lambda: self.backend.read(key, limit_bytes=limit_bytes))

    def read_range(self, key: str, offset: int, length: int) -> bytes:
        return self.lossy(lambda: self.backend.read_range(key, offset, length))

    def stage(self) -> Staged:
        return LosingStaged(self, self.backend.stage())

    def write(self, key: str, data: bytes | bytearray | memoryview) -> None:
        self.lossy(lambda: self.backend.write(key, data))

    def write_file(self, key: str, source: Path) -> None:
        self.lossy(lambda: self.backend.write_file(key, source))

    def replace(self, key: str, data: bytes) -> None:
        self.lossy(lambda: self.backend.replace(key, data))

    def create(self, key: str, data: bytes) -> Created:
        return self.lossy(lambda: self.backend.create(key, data))

    def sync(self) -> None:
        self.backend.sync()

    def stat(self, key: str) -> Stat | None:
        return self.lossy(lambda: self.backend.stat(key))

    def keys(self, prefix: str, *, after: str = "") -> Iterator[Stat]:
        for number, found in enumerate(self.backend.keys(prefix, after=after)):
            yield found
            if number % 3 == 2:
                raise StorageTransient("the listing was cut off")

    def delete(self, key: str) -> None:
        self.lossy(lambda: self.backend.delete(key))

    def initialise(self, directories: Sequence[str], *, group: str | None, shared: bool) -> None:
        self.lossy(lambda: self.backend.initialise(directories, group=group, shared=shared))

    def path_of(self, key: str) -> Path | None:
        return self.backend.path_of(key)

    def free_bytes(self) -> int | None:
        return self.backend.free_bytes()


class LosingStaged(Staged):
    def __init__(self, owner: LosingReplies, staged: Staged) -> None:
        self._owner = owner
        self._staged = staged
        self.fd = staged.fd

    def publish(self, key: str) -> None:
        self._owner.lossy(lambda: self._staged.publish(key))

    def discard(self) -> None:
        self._staged.discard()
