"""A store in a folder that is reached by SFTP: temporaries that are linked to their names.

What must always hold: a file gets its name by a hard link, which the server's file system refuses
when the name is taken (INV slots, INV names). The plain rename of SFTP is not used: a server may
overwrite with it, and OpenSSH's falls back to that where there are no hard links.
"""

from __future__ import annotations

import asyncio
import posixpath
import secrets
import stat as mode_of
from collections.abc import Iterator, Sequence
from contextlib import suppress

import asyncssh

from datacat import layout
from datacat.address import Address
from datacat.backend.base import Capabilities, Stat
from datacat.backend.bridge import Bridge
from datacat.backend.keys import checked_key, checked_prefix
from datacat.backend.remote import ReadAt, RemoteBackend
from datacat.backend.sftp_errors import GONE
from datacat.backend.sftp_session import SftpSession
from datacat.errors import (
    InvalidInput,
    NoStore,
    NotFound,
    StorageError,
    StorageFull,
    StorageMissing,
)

FILE_MODE = 0o444
SHARED_FOLDER_MODE = 0o2775
PRIVATE_FOLDER_MODE = 0o700

STEP_BYTES = 4 * 1024 * 1024
"""So much of a file is read and sent at a time; the library cuts it into packets."""

FULL_BELOW_BYTES = 1024 * 1024
"""SFTP has no word for a full disk: with less than this left, a failed write is called that."""

FOLDERS_AT_ONCE = 32


class SftpBackend(RemoteBackend):
    """`sftp://[user@]host[:port]/path`; a path that begins with `~/` lies in the user's home."""

    def __init__(self, address: Address, bridge: Bridge) -> None:
        user = f"{address.user}@" if address.user else ""
        super().__init__(f"sftp://{user}{address.host}/{address.path}", bridge)
        home, in_home = "~", address.path == "~" or address.path.startswith("~/")
        self.root = (address.path[len(home) + 1 :] or ".") if in_home else f"/{address.path}"
        self._session = SftpSession(address, self.url)
        self._folder_mode: int | None = None
        self._links = True

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(atomic_create=self._links, local=False)

    def _path(self, key: str) -> str:
        return posixpath.join(self.root, checked_key(key))

    # Reading

    async def _get(self, key: str, offset: int, length: int | None) -> bytes:
        path = self._path(key)
        try:
            async with (
                self._session.asking(key, length or 0) as sftp,
                sftp.open(path, "rb") as file,
            ):
                # Only what is there is asked for: each packet beyond the end is a request.
                left = max(0, ((await file.stat()).size or 0) - offset)
                size = left if length is None else min(left, length)
                data: bytes = await file.read(size, offset) if size else b""
                return data
        except StorageMissing:
            await self._refuse_gone(key)
            raise

    def stat(self, key: str) -> Stat | None:
        return self._bridge.run(self._stat(key, self._path(key)))

    async def _stat(self, key: str, path: str) -> Stat | None:
        try:
            async with self._session.asking(key) as sftp:
                return _stat_of(key, await sftp.stat(path))
        except StorageMissing:
            await self._refuse_gone(key)
            return None

    async def _refuse_gone(self, key: str) -> None:
        """Raise `NoStore` when not the key but the store is away: say, its drive over there."""
        if key == layout.STORE:
            return
        try:
            async with self._session.asking(key) as sftp:
                await sftp.stat(posixpath.join(self.root, layout.TEMPORARY))
        except StorageMissing:
            raise NoStore(
                f"there is no store at {self.url} (any more): it has no folder 'tmp'",
                kind="store_unreachable",
                hint="Is the drive mounted on the server, and the path right?",
            ) from None

    def keys(self, prefix: str, *, after: str = "") -> Iterator[Stat]:
        """Keys below `prefix`, one folder in memory at a time."""
        return self._walk(checked_prefix(prefix), after)

    def _walk(self, folder: str, after: str) -> Iterator[Stat]:
        for name, attributes in self._bridge.run(self._listed(folder)):
            key = folder + name
            if name.endswith("/"):
                # All keys below a folder sort together: skip it when all of them are behind.
                if key != layout.TEMPORARY and (key > after or after.startswith(key)):
                    yield from self._walk(key, after)
            elif key > after:
                yield _stat_of(key, attributes)

    async def _listed(self, folder: str) -> list[tuple[str, asyncssh.SFTPAttrs]]:
        """Names in key order: a folder sorts as its name with `/`, as all keys in it do."""
        found: list[tuple[str, asyncssh.SFTPAttrs]] = []
        with suppress(StorageMissing):
            async with self._session.asking(folder) as sftp:
                async for entry in sftp.scandir(posixpath.join(self.root, folder)):
                    name, kind = str(entry.filename), mode_of.S_IFMT(entry.attrs.permissions or 0)
                    if kind == mode_of.S_IFDIR and name not in (".", ".."):
                        found.append((f"{name}/", entry.attrs))
                    elif kind == mode_of.S_IFREG:
                        found.append((name, entry.attrs))
        return sorted(found, key=lambda item: item[0])

    # Writing

    async def _put_new(self, key: str, size_bytes: int, read: ReadAt) -> bool:
        """Write a temporary and link it to its name."""
        async with self._session.asking(key, size_bytes) as sftp:
            temporary = await self._written(sftp, size_bytes, read)
            try:
                return await self._linked(sftp, temporary, self._path(key))
            finally:
                # A leftover temporary costs space only; gc removes it.
                with suppress(asyncssh.Error, OSError):
                    await sftp.remove(temporary)

    async def _written(self, sftp: asyncssh.SFTPClient, size_bytes: int, read: ReadAt) -> str:
        """The path of a new temporary with these bytes, as durable as the server can make it."""
        temporary = posixpath.join(self.root, layout.TEMPORARY, secrets.token_hex(16))
        try:
            async with sftp.open(temporary, "xb", asyncssh.SFTPAttrs(permissions=0o600)) as file:
                for offset in range(0, size_bytes, STEP_BYTES):
                    data = await asyncio.to_thread(read, offset, STEP_BYTES)
                    await file.write(data, offset)
                await file.setstat(asyncssh.SFTPAttrs(permissions=FILE_MODE))
                with suppress(asyncssh.SFTPOpUnsupported):
                    await file.fsync()
        except GONE:
            await self._refuse_gone("")
            raise
        except asyncssh.SFTPFailure as error:
            free = await self._free(sftp)
            if free is not None and free < FULL_BELOW_BYTES:
                raise StorageFull(f"no space left on {self.url}") from None
            raise StorageError(f"{self.url}: a file cannot be written: {error.reason}") from None
        return temporary

    async def _linked(self, sftp: asyncssh.SFTPClient, temporary: str, path: str) -> bool:
        try:
            try:
                await sftp.link(temporary, path)
            except GONE:
                await self._make_folders(sftp, posixpath.dirname(path))
                await sftp.link(temporary, path)
        except asyncssh.SFTPOpUnsupported:
            raise _no_links(self.url) from None
        except (asyncssh.SFTPFailure, asyncssh.SFTPFileAlreadyExists):
            # OpenSSH has one answer for "taken" and for whatever else.
            if await sftp.lexists(path):
                return False
            raise
        return True

    async def _make_folders(self, sftp: asyncssh.SFTPClient, path: str) -> None:
        """A folder that is missing inside the store, and those above it."""
        above = posixpath.dirname(path)
        if above not in (path, self.root, "") and not await sftp.isdir(above):
            await self._make_folders(sftp, above)
        await self._make_folder(sftp, path)

    async def _make_folder(self, sftp: asyncssh.SFTPClient, path: str) -> None:
        if self._folder_mode is None:
            root_mode = (await sftp.stat(self.root)).permissions or 0
            shared = root_mode & mode_of.S_IWGRP
            self._folder_mode = SHARED_FOLDER_MODE if shared else PRIVATE_FOLDER_MODE
        try:
            await sftp.mkdir(path)
            await sftp.chmod(path, self._folder_mode)
        except asyncssh.SFTPFailure:
            if not await sftp.isdir(path):  # another client may have made it just now
                raise

    def replace(self, key: str, data: bytes) -> None:
        self._bridge.run(self._replace(key, self._path(key), bytes(data)))

    async def _replace(self, key: str, path: str, data: bytes) -> None:
        async with self._session.asking(key, len(data)) as sftp:
            temporary = await self._written(sftp, len(data), lambda offset, n: data[offset:][:n])
            try:
                await sftp.posix_rename(temporary, path)
            except GONE:
                await self._make_folders(sftp, posixpath.dirname(path))
                await sftp.posix_rename(temporary, path)

    def sync(self) -> None:
        """Nothing more can be done: files were synced when they were written, and SFTP cannot ask
        for the names in a folder to be."""

    def delete(self, key: str) -> None:
        self._bridge.run(self._delete(key, self._path(key)))

    async def _delete(self, key: str, path: str) -> None:
        with suppress(StorageMissing):
            async with self._session.asking(key) as sftp:
                await sftp.remove(path)

    # The place

    def initialise(self, directories: Sequence[str], *, group: str | None, shared: bool) -> None:
        """Make the root (its parent must exist) and its folders, and see whether it has links."""
        if group is not None:
            raise InvalidInput(
                f"the group of {self.url} has to be set on the server",
                kind="unknown_group",
                hint="Make the folder there first, with its group and mode 2775.",
            )
        paths = [posixpath.join(self.root, checked_prefix(one).rstrip("/")) for one in directories]
        self._bridge.run(self._initialise(paths, shared=shared))

    async def _initialise(self, paths: Sequence[str], *, shared: bool) -> None:
        async with self._session.asking("") as sftp:
            await self._make_root(sftp, shared=shared)
        by_depth: dict[int, list[str]] = {}
        for path in paths:
            by_depth.setdefault(path.count("/"), []).append(path)
        for _, level in sorted(by_depth.items()):
            for start in range(0, len(level), FOLDERS_AT_ONCE):
                async with self._session.asking("") as sftp:
                    many = level[start : start + FOLDERS_AT_ONCE]
                    await asyncio.gather(*(self._make_folder(sftp, path) for path in many))
        async with self._session.asking("") as sftp:
            self._links = await self._has_links(sftp)

    async def _make_root(self, sftp: asyncssh.SFTPClient, *, shared: bool) -> None:
        if await sftp.isdir(self.root):
            return
        try:
            await sftp.mkdir(self.root)
        except GONE:
            raise NotFound(
                f"cannot make a store at {self.url}: the folder above it does not exist",
                hint="Is the path right? A path in your home there begins with /~/.",
            ) from None
        await sftp.chmod(self.root, SHARED_FOLDER_MODE if shared else PRIVATE_FOLDER_MODE)

    async def _has_links(self, sftp: asyncssh.SFTPClient) -> bool:
        temporary = await self._written(sftp, 1, lambda offset, length: b"?"[offset:][:length])
        other = f"{temporary}-linked"
        try:
            await sftp.link(temporary, other)
        except (asyncssh.SFTPOpUnsupported, asyncssh.SFTPFailure, asyncssh.SFTPPermissionDenied):
            return False
        finally:
            for path in (temporary, other):
                with suppress(asyncssh.SFTPError):
                    await sftp.remove(path)
        return True

    def free_bytes(self) -> int | None:
        return self._bridge.run(self._free_bytes())

    async def _free_bytes(self) -> int | None:
        async with self._session.asking("") as sftp:
            return await self._free(sftp)

    async def _free(self, sftp: asyncssh.SFTPClient) -> int | None:
        try:
            found = await sftp.statvfs(self.root)
        except asyncssh.SFTPError:
            return None
        return int(found.bavail) * int(found.frsize)


def _no_links(url: str) -> StorageError:
    return StorageError(
        f"{url}: its server has no hard links, so that of two people who save at once one would be"
        " lost: it can only be read",
        kind="no_atomic_create",
    )


def _stat_of(key: str, attributes: asyncssh.SFTPAttrs) -> Stat:
    return Stat(key, attributes.size or 0, (attributes.mtime or 0) * 1_000_000_000)
