"""Files on an SSH server: folders with their links and modes, let in as the `ssh` command is."""

from __future__ import annotations

import asyncio
import posixpath
import stat as mode_of
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial

import asyncssh

from datacat.address import Address, split_scheme
from datacat.backend.sftp_session import SftpSession
from datacat.errors import DatacatError, StorageMissing
from datacat.providers.address import bad_url, secret_in_url, stem_of
from datacat.providers.base import (
    BLOCK_BYTES,
    Content,
    Found,
    Provider,
    ProviderChangedError,
    Reading,
    again,
)
from datacat.providers.errors import of_provider

FOLDERS_AT_ONCE = 8
PAGE = 1_000


class SftpProvider(Provider):
    """`sftp://[user@]host[:port]/path`; a path that begins with `~/` lies in the user's home."""

    def __init__(self, url: str) -> None:
        rest = split_scheme(url)[1]
        authority, _, path = rest.partition("/")
        user, at, host = authority.rpartition("@")
        if at and ":" in user:
            raise secret_in_url("sftp")
        if not host or not rest.isprintable():
            raise bad_url("sftp", "sftp://HOST/FOLDER")
        path = path.rstrip("/")
        self.secret_url = url
        self.url = f"sftp://{user}{at}{host}/{path}"
        self.stem = stem_of(url)
        in_home = path == "~" or path.startswith("~/")
        self._root = (path[2:] or ".") if in_home else f"/{path}"
        self._session = SftpSession(Address("sftp", user, host, path), self.url)

    # Listing

    async def listing(self) -> AsyncIterator[Sequence[Found]]:
        attributes = await again(self._status)
        if mode_of.S_IFMT(attributes.permissions or 0) != mode_of.S_IFDIR:
            yield [_found("", attributes)]
            return
        pending = [""]
        while pending:
            now, pending = pending[:FOLDERS_AT_ONCE], pending[FOLDERS_AT_ONCE:]
            for entries, folders in await asyncio.gather(
                *(again(partial(self._folder, path)) for path in now)
            ):
                pending += folders
                for start in range(0, len(entries), PAGE):
                    yield entries[start : start + PAGE]

    async def _status(self) -> asyncssh.SFTPAttrs:
        async with self._asking("") as sftp:
            # The provider itself may be a link: its user named it.
            return await sftp.stat(self._root)

    async def _folder(self, folder: str) -> tuple[list[Found], list[str]]:
        """The entries of a folder, and the folders in it; one without either is an entry."""
        entries: list[Found] = []
        folders: list[str] = []
        async with self._asking(folder) as sftp:
            async for entry in sftp.scandir(self._full(folder)):
                name = str(entry.filename)
                if name in (".", ".."):
                    continue
                path = f"{folder}/{name}" if folder else name
                kind = mode_of.S_IFMT(entry.attrs.permissions or 0)
                if kind == mode_of.S_IFDIR:
                    folders.append(path)
                elif kind == mode_of.S_IFLNK:
                    target = await sftp.readlink(self._full(path))
                    entries.append(
                        _found(path, entry.attrs, entry_kind="symlink", target=str(target))
                    )
                elif kind == mode_of.S_IFREG:
                    entries.append(_found(path, entry.attrs))
                else:
                    entries.append(Found(path, 0, entry_kind="special"))
            if folder and not entries and not folders:
                entries.append(
                    _found(folder, await sftp.stat(self._full(folder)), entry_kind="dir")
                )
        return entries, folders

    # Reading, again

    async def fetch(self, path: str, limit_bytes: int) -> Content | None:
        async with (
            self._asking(path, limit_bytes) as sftp,
            sftp.open(self._full(path), "rb") as file,
        ):
            before = _found(path, await file.stat())
            if before.size_bytes is None or before.size_bytes > limit_bytes:
                return None
            # One byte more than expected: a file that grew is noticed.
            data: bytes = await file.read(before.size_bytes + 1, 0)
            after = _found(path, await file.stat())
        if len(data) != before.size_bytes or not before.is_same(after):
            raise ProviderChangedError
        return Content(data, after)

    async def open(self, path: str) -> Reading:
        async with self._asking(path) as sftp:
            found = _found(path, await sftp.stat(self._full(path)))
        return _SftpReading(self, found)

    def _full(self, path: str) -> str:
        return posixpath.join(self._root, path) if path else self._root

    @asynccontextmanager
    async def _asking(self, path: str, size_bytes: int = 0) -> AsyncIterator[asyncssh.SFTPClient]:
        try:
            async with self._session.asking(path, size_bytes) as sftp:
                yield sftp
        except StorageMissing:
            raise StorageMissing(f"{path or self.url} is not there") from None
        except DatacatError as error:
            raise of_provider(error, self.url) from None


class _SftpReading(Reading):
    def __init__(self, provider: SftpProvider, found: Found) -> None:
        self._provider = provider
        self.found = found

    async def read(self, offset: int, length: int) -> bytes:
        provider, path = self._provider, self.found.path
        # Opened for each block: the connection may be another one by then.
        async with (
            provider._asking(path, BLOCK_BYTES) as sftp,
            sftp.open(provider._full(path), "rb") as file,
        ):
            # Only what is there is asked for: each packet beyond the end is a request.
            size = min(length, max(0, (self.found.size_bytes or 0) - offset))
            data: bytes = await file.read(size, offset) if size else b""
            return data

    async def is_still(self) -> bool:
        again = await self._provider.open(self.found.path)
        return self.found.is_same(again.found)


def _found(
    path: str,
    attributes: asyncssh.SFTPAttrs,
    *,
    entry_kind: str = "file",
    target: str | None = None,
) -> Found:
    seconds, rest = attributes.mtime, attributes.mtime_ns or 0
    size = (attributes.size or 0) if entry_kind == "file" else len((target or "").encode())
    return Found(
        path,
        size,
        modified_ns=None if seconds is None else int(seconds) * 1_000_000_000 + rest,
        entry_kind=entry_kind,
        executable=entry_kind == "file" and bool((attributes.permissions or 0) & 0o100),
        target=target,
    )
