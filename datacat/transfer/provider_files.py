"""The files of a provider, read over the network: many small ones at a time, large ones ahead.

Requests run on the event loop of the storage libraries; threads wait for them, and look up twice a
second whether they shall stop.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

import xxhash

from datacat.errors import DatacatError, Failed, StorageMissing, StorageTransient
from datacat.progress import StopSignal
from datacat.providers.base import (
    AT_ONCE,
    BLOCK_BYTES,
    Content,
    Found,
    Provider,
    ProviderChangedError,
    Reading,
    again,
)
from datacat.providers.errors import not_there, unreachable
from datacat.providers.waiting import Waiting
from datacat.text import printable
from datacat.transfer.files import ENDLESS, Files, OpenFile, Read, Seen
from datacat.transfer.reading import ATTEMPTS, ChangedWhileReadingError, SourceFile, changed

AHEAD = 3
"""Blocks of one large file that are under way while one is being worked on."""

RACY_NS = 2_000_000_000
"""As in the stat cache: what was changed so recently may change again without a trace."""

_T = TypeVar("_T")


def mark_number(mark: str) -> int:
    """What stands for a mark in the column of inodes, 0 for none."""
    return xxhash.xxh3_64_intdigest(mark.encode()) or 1 if mark else 0


class ProviderFiles(Files):
    """The files of `provider`."""

    costly = True

    def __init__(self, provider: Provider) -> None:
        self.provider = provider
        self.alone = ""
        """What the provider is called in the tree, when it is one file."""
        self._waiting = Waiting()
        # Made on the loop that uses it.
        self._slots: asyncio.Semaphore | None = None

    def listing(self, *, stop: StopSignal) -> Iterator[Sequence[Found]]:
        """The pages of the provider's listing. Raises `NotFound` (`path_not_found`) for nothing."""
        pages = self.provider.listing()
        while (page := self._ask(lambda: _next(pages), "", stop, once=True)) is not None:
            yield page

    @contextmanager
    def reading(
        self, batch: Sequence[SourceFile], *, limit: int, stop: StopSignal
    ) -> Iterator[Iterator[Read]]:
        yield iter(self._waiting.run(self._together(batch, limit), stop))

    async def _together(self, batch: Sequence[SourceFile], limit: int) -> list[Read]:
        if self._slots is None:
            self._slots = asyncio.Semaphore(AT_ONCE)
        tasks = [asyncio.ensure_future(self._one(source, limit)) for source in batch]
        try:
            return await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _one(self, source: SourceFile, limit: int) -> Read:
        began_ns = time.time_ns()
        content = await self._fetched(source.path, limit)
        if content is None:
            return source, None, Seen(ENDLESS, False, source.mtime_ns, source.ctime_ns, 0, 0)
        seen = _seen(content.found, source, len(content.data), began_ns)
        return source, content.data, seen

    async def _fetched(self, path: str, limit: int) -> Content | None:
        assert self._slots is not None  # noqa: S101 - for the type checker
        for _ in range(ATTEMPTS):
            try:
                async with self._slots:
                    return await again(lambda: self.provider.fetch(self._place(path), limit))
            except ProviderChangedError:
                continue
            except DatacatError as error:
                raise self._in_words(error, path) from None
        raise changed(path or self.provider.url)

    @contextmanager
    def opened(self, source: SourceFile, *, stop: StopSignal) -> Iterator[OpenFile]:
        path = source.path
        reading = self._ask(lambda: self.provider.open(self._place(path)), path, stop)
        file = _ProviderFile(self, source, reading, stop)
        try:
            yield file
        finally:
            file.abandon()
            # Also after Ctrl-C: it only closes what is open on this side.
            self._waiting.begin(reading.close())

    def _place(self, path: str) -> str:
        """The path in the provider of a path of the tree."""
        return "" if path == self.alone else path

    def _ask(
        self,
        request: Callable[[], Awaitable[_T]],
        path: str,
        stop: StopSignal,
        *,
        once: bool = False,
    ) -> _T:
        return self._waiting.run(self._asked(request, path, once=once), stop)

    async def _asked(self, request: Callable[[], Awaitable[_T]], path: str, *, once: bool) -> _T:
        try:
            if once:
                return await request()
            return await again(request)
        except ProviderChangedError:
            raise ChangedWhileReadingError from None
        except DatacatError as error:
            raise self._in_words(error, path) from None

    def _in_words(self, error: DatacatError, path: str) -> DatacatError:
        """`error` as one of reading a folder of files."""
        url = self.provider.url
        if isinstance(error, StorageMissing):
            if not path:
                return not_there(url)
            return Failed(
                f"{printable(path)} vanished while {printable(url)} was being read."
                " Nothing was saved.",
                kind="file_vanished",
            )
        if isinstance(error, StorageTransient):
            return unreachable(url, error.message.removeprefix(f"{url}: "))
        return error


def close_provider(provider: Provider) -> None:
    """Let go of the connections of `provider`."""
    Waiting().run(provider.close(), StopSignal())


async def _next(pages: AsyncIterator[_T]) -> _T | None:
    return await anext(pages, None)


class _ProviderFile(OpenFile):
    """A large file, read ahead of whoever works on it."""

    def __init__(
        self, files: ProviderFiles, source: SourceFile, reading: Reading, stop: StopSignal
    ) -> None:
        self._files = files
        self._source = source
        self._reading = reading
        self._stop = stop
        self._began_ns = time.time_ns()
        self.size_bytes = reading.found.size_bytes
        self._blocks: dict[int, concurrent.futures.Future[bytes]] = {}
        self._current: tuple[int, bytes] = (-1, b"")

    def read_into(self, buffer: memoryview, offset: int) -> int:
        filled = 0
        while filled < len(buffer):
            number, begin = divmod(offset + filled, BLOCK_BYTES)
            block = self._block(number)
            part = block[begin : begin + len(buffer) - filled]
            if not part:
                break
            buffer[filled : filled + len(part)] = part
            filled += len(part)
        return filled

    def sample(self, offset: int, length: int) -> bytes:
        if self._reading.in_order:
            return b""
        path = self._source.path
        return self._files._ask(lambda: self._reading.read(offset, length), path, self._stop)

    def seen(self, size: int) -> Seen | None:
        found = self._reading.found
        if found.size_bytes not in (None, size):
            return None
        path = self._source.path
        if not self._files._ask(self._reading.is_still, path, self._stop):
            return None
        return _seen(found, self._source, size, self._began_ns)

    def abandon(self) -> None:
        """Give up what is under way."""
        for future in self._blocks.values():
            future.cancel()
        self._blocks.clear()

    def _block(self, number: int) -> bytes:
        """Block `number` of the file; those after it are asked for already."""
        if self._current[0] == number:
            return self._current[1]
        size = self.size_bytes
        ahead = 0 if self._reading.in_order else AHEAD
        for wanted in range(number, number + 1 + ahead):
            if wanted not in self._blocks and (size is None or wanted * BLOCK_BYTES < size):
                self._blocks[wanted] = self._begin(wanted)
        future = self._blocks.pop(number, None)
        data = self._files._waiting.result(future, self._stop) if future is not None else b""
        expected = BLOCK_BYTES if size is None else min(BLOCK_BYTES, size - number * BLOCK_BYTES)
        if size is not None and len(data) != max(0, expected):
            raise ChangedWhileReadingError
        self._current = (number, data)
        return data

    def _begin(self, number: int) -> concurrent.futures.Future[bytes]:
        def request() -> Awaitable[bytes]:
            return self._reading.read(number * BLOCK_BYTES, BLOCK_BYTES)

        return self._files._waiting.begin(
            self._files._asked(request, self._source.path, once=self._reading.in_order)
        )


def _seen(found: Found, source: SourceFile, size: int, began_ns: int) -> Seen:
    """What the stat cache shall remember of a file of a provider, and for how sure it may be held.

    The mark stands where a local file has its inode. With a strong mark no clock matters; with
    only a time, the clock that made the time decides, where it is known; with neither, the file is
    read again by the next add.
    """
    mtime_ns = found.modified_ns if found.modified_ns is not None else source.mtime_ns
    if found.strong:
        hashed_ns = max(began_ns, mtime_ns + RACY_NS + 1)
    elif found.modified_ns is None:
        hashed_ns = 0
    else:
        hashed_ns = found.clock_ns if found.clock_ns is not None else began_ns
    return Seen(size, found.executable, mtime_ns, mtime_ns, mark_number(found.mark), hashed_ns)
