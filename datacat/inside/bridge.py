"""`datacat://` inside DuckDB: a file system that is safe with its threads.

DuckDB reads one Python file from several threads, in two ways. Parquet is read from anywhere: a
thread seeks and then reads, while others do the same. Text is read in order, by one thread after
the other, from where the last one ended. `_Shared` serves both.

`previews` are files that exist for this connection only. What goes wrong is remembered: DuckDB
would tell of it in the text of a traceback.
"""

from __future__ import annotations

import copy
import functools
import io
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, ParamSpec, TypeVar

from datacat import refs
from datacat.errors import Cancelled, DatacatError, InvalidInput, NotFound
from datacat.inside import used
from datacat.inside.file_system import Info, ReachFileSystem
from datacat.inside.reach import Reach
from datacat.text import printable

SCHEME = "datacat"
PREVIEW = "preview:"
"""How the path of a preview begins: no dataset has a colon in its name."""

FAILURES_KEPT = 16
"""What went wrong last, in as many threads as may ask at once."""

ENDING_SECONDS = 10
"""How long the end of a program waits for a read, which may be one from a network."""

LEAVING_SECONDS = 0.05
"""How long threads of DuckDB take to leave Python after an answer."""

_UNCHANGED = datetime(2000, 1, 1, tzinfo=UTC)
_P = ParamSpec("_P")
_T = TypeVar("_T")


def _noted(call: Callable[_P, _T]) -> Callable[_P, _T]:
    """Keep what `call`, a method of the bridge, raises on purpose."""

    @functools.wraps(call)
    def noting(*args: _P.args, **kwargs: _P.kwargs) -> _T:
        bridge: Any = args[0]
        with bridge.called():
            return call(*args, **kwargs)

    return noting


class Bridge(ReachFileSystem):
    """The file system that is registered with one connection."""

    def __init__(self, reach: Reach, *, previews: Mapping[str, bytes] | None = None) -> None:
        super().__init__(lambda: reach)
        self._previews = {self._strip_protocol(url): data for url, data in (previews or {}).items()}
        self._failures: deque[DatacatError] = deque(maxlen=FAILURES_KEPT)
        self._calls = threading.Condition()
        self._called = 0
        self._ended = False

    @property
    def failure(self) -> DatacatError | None:
        """What went wrong first, of what is remembered."""
        return self._failures[0] if self._failures else None

    def failure_in(self, text: str) -> DatacatError | None:
        """What went wrong, if that is what `text` tells of; the latest that fits."""
        fitting = (error for error in reversed(self._failures) if error.message in text)
        return next(fitting, None)

    @contextmanager
    def called(self) -> Iterator[None]:
        """While a thread of DuckDB is answered. Remembers what goes wrong."""
        with self._calls:
            if self._ended:
                raise Cancelled("the program has ended")
            self._called += 1
        try:
            yield
        except DatacatError as error:
            # A copy: the error itself knows the frames of the caller, and with them the connection,
            # which would never be freed.
            self._failures.append(copy.copy(error))
            raise
        finally:
            with self._calls:
                self._called -= 1
                self._calls.notify_all()

    def end(self) -> None:
        """Answer no more, and wait until nobody is being answered."""
        with self._calls:
            self._ended = True
            self._calls.wait_for(lambda: not self._called, ENDING_SECONDS)
        time.sleep(LEAVING_SECONDS)

    @_noted
    def glob(self, path: str, **_options: Any) -> list[str]:
        """The URLs of what there is. A name that exists is itself, whatever marks are in it."""
        name = self._strip_protocol(path)
        supplied = self._supplied(name)
        if supplied is not None:
            return supplied
        files, inside, head = self._split(name)
        # Whoever looks for it reads it; the threads of DuckDB do not know whom they work for.
        used.tell(files.ref)
        if not set(name) & set("*?["):
            files.look(inside)  # says what is missing, and what was meant
            return [self.unstrip_protocol(name)]
        found = [name] if self._is_there(name) else self._matching(name)
        if not found:
            raise NotFound(
                f"no file in {printable(head)} matches '{printable(inside)}'",
                kind="pattern_no_match",
                commands=[f"datacat ls --files {printable(head)}"],
            )
        return [self.unstrip_protocol(one) for one in found]

    def _supplied(self, name: str) -> list[str] | None:
        """What this connection alone has under `name`, if it has anything."""
        return [self.unstrip_protocol(name)] if name in self._previews else None

    def _is_there(self, name: str) -> bool:
        try:
            super().info(name)
        except (NotFound, InvalidInput):
            return False
        return True

    def _matching(self, pattern: str) -> list[str]:
        found = super().glob(pattern, detail=True)
        return [name for name, info in found.items() if info["type"] == "file"]

    @_noted
    def info(self, path: str, **options: Any) -> Info:
        data = self._previews.get(self._strip_protocol(path))
        if data is not None:
            return {"name": self._strip_protocol(path), "size": len(data), "type": "file"}
        return super().info(path, **options)

    def size(self, path: str) -> int:
        return int(self.info(path)["size"])

    def modified(self, path: str) -> datetime:  # noqa: ARG002 - for as long as the connection
        """Versions never change, and a name means one of them for this connection."""
        return _UNCHANGED

    @_noted
    def open(self, path: str, mode: str = "rb", *_args: Any, **_options: Any) -> Any:
        if mode != "rb":
            raise self._read_only(path)
        data = self._previews.get(self._strip_protocol(path))
        if data is not None:
            return _Shared(self, len(data), lambda offset, count: data[offset : offset + count])
        files, inside, _ = self._split(path)
        content = files.content(files.find(inside))
        return _Shared(self, content.size, content.read)


class _Shared(io.RawIOBase):
    """A file that many threads read.

    A read that follows a seek of its own thread begins there, whatever others did in between. Any
    other read goes on from where the last one ended; and when somebody has read on so, what a
    thread sought before is no longer where it wants to read.
    """

    def __init__(self, bridge: Bridge, size: int, read: Callable[[int, int], bytes]) -> None:
        self._bridge = bridge
        self._size = size
        self._read = read
        self._lock = threading.Lock()
        self._position = 0
        self._read_on = 0
        self._of_thread = threading.local()

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        with self._lock:
            base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
            self._position = base + offset
            self._of_thread.sought = (base + offset, self._read_on)
            return base + offset

    def read(self, size: int = -1) -> bytes:
        with self._lock:
            position, read_on = getattr(self._of_thread, "sought", (0, -1))
            self._of_thread.sought = (0, -1)
            if read_on != self._read_on:
                position = self._position
                self._read_on += 1
            left = max(0, self._size - position)
            count = left if size is None or size < 0 else min(size, left)
            self._position = position + count
        with self._bridge.called():
            return self._read(position, count)


def url_of(ref: str, path: str) -> str:
    """The URL of a file of a version."""
    return f"{refs.URL_SCHEME}{ref}/{path}"
