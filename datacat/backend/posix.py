"""A store in a folder: a local drive, NFS, Lustre, an SMB mount.

Every file is written under a random name in `tmp/`, made durable, and only then linked to its
key. `link` is the one call that file systems, also over NFS, give exactly one winner; it never
overwrites. Where there are no hard links, `renameat2` with NOREPLACE does the same.
"""

from __future__ import annotations

import functools
import os
import shutil
import stat
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from datacat import layout
from datacat.backend.base import Backend, Capabilities, Created, Stat
from datacat.backend.keys import checked_key, checked_prefix, checked_range, key_exists
from datacat.backend.posix_errors import storage_error
from datacat.backend.posix_folders import make_folder, make_store_folders
from datacat.backend.posix_staged import PosixStaged, place, who_won
from datacat.backend.reflink import clone
from datacat.backend.reserve import keep_reserve, release_reserve
from datacat.backend.system_calls import (
    OPEN_BINARY,
    fsync_folder,
    open_folder,
    read_at,
    read_into,
    write_all,
)
from datacat.errors import DatacatError, Failed, StorageMissing
from datacat.text import printable

_COPY_BYTES = 1 << 20
_T = TypeVar("_T")


class PosixBackend(Backend):
    """The store in the folder `root`, which need not exist before `initialise`.

    Nothing is touched until the first call. Operating system errors arrive as the `StorageError`
    that fits, or as `NoStore` (`store_unreachable`) when the whole folder is away.
    """

    def __init__(self, root: str | Path) -> None:
        self.root = os.path.abspath(root)
        self.url = self.root
        self._dirty: set[str] = set()
        self._dirty_lock = threading.Lock()
        self._sync_lock = threading.Lock()
        self._anchored: set[str] = set()
        self._clones: bool | None = None

    @functools.cached_property
    def capabilities(self) -> Capabilities:
        """Found out by trying, once, in `tmp/`; a store that cannot be written is not doubted."""
        return Capabilities(atomic_create=self._has_atomic_create(), local=True)

    # Reading

    def read(self, key: str, *, limit_bytes: int | None = None) -> bytes:
        with self.translated(key):
            fd = self._looked_up(self._path(key), _open_to_read)
            try:
                size = os.fstat(fd).st_size
                return read_at(fd, 0, size if limit_bytes is None else min(size, limit_bytes))
            finally:
                os.close(fd)

    def read_range(self, key: str, offset: int, length: int) -> bytes:
        checked_range(key, offset, length)
        with self.translated(key):
            fd = self._looked_up(self._path(key), _open_to_read)
            try:
                return read_at(fd, offset, length)
            finally:
                os.close(fd)

    def read_into(self, key: str, offset: int, buffer: memoryview) -> int:
        checked_range(key, offset, len(buffer))
        with self.translated(key):
            fd = self._looked_up(self._path(key), _open_to_read)
            try:
                return read_into(fd, offset, buffer)
            finally:
                os.close(fd)

    def stat(self, key: str) -> Stat | None:
        try:
            with self.translated(key):
                found = self._looked_up(self._path(key), os.stat)
        except StorageMissing:
            return None
        return _stat_of(key, found) if stat.S_ISREG(found.st_mode) else None

    def assure(self, key: str) -> Stat | None:
        # Its bytes were made durable before it got its name: only the name may still be lost.
        found = self.stat(key)
        if found is not None:
            self._mark_dirty(self._path(key))
        return found

    def keys(self, prefix: str, *, after: str = "") -> Iterator[Stat]:
        """Keys below `prefix`, one folder in memory at a time.

        Temporaries are listed only for the prefix `tmp/` itself; links and the reserve never are.
        """
        return self._walk(checked_prefix(prefix), after)

    def _walk(self, folder: str, after: str) -> Iterator[Stat]:
        for name, entry in self._listed(folder):
            key = folder + name
            if name.endswith("/"):
                # All keys below a folder sort together: skip it when all of them are behind.
                if key != layout.TEMPORARY and (key > after or after.startswith(key)):
                    yield from self._walk(key, after)
            elif (
                key > after
                and key != layout.RESERVE
                and (found := self._entry_stat(key, entry)) is not None
            ):
                yield found

    def _entry_stat(self, key: str, entry: os.DirEntry[str]) -> Stat | None:
        with suppress(StorageMissing), self.translated(key):
            return _stat_of(key, entry.stat(follow_symlinks=False))
        return None  # removed since its folder was read

    def _listed(self, folder: str) -> list[tuple[str, os.DirEntry[str]]]:
        """Names in key order: a folder sorts as its name with `/`, as all keys in it do."""
        try:
            with self.translated(folder.rstrip("/")):
                path = os.path.join(self.root, *folder.split("/"))
                with self._looked_up(path, os.scandir) as entries:
                    found = [
                        (entry.name + "/" * entry.is_dir(follow_symlinks=False), entry)
                        for entry in entries
                        if not entry.is_symlink()
                    ]
        except StorageMissing:
            return []
        return sorted(found, key=lambda item: item[0])

    def _looked_up(self, path: str, call: Callable[[str], _T]) -> _T:
        """`call(path)`; if the name is not found, open its folder and look once more.

        NFS may remember for a while that a name was absent. Opening the folder makes it ask the
        server (close-to-open), so that the second answer can be trusted. Costs nothing when the
        name is found.
        """
        try:
            return call(path)
        except FileNotFoundError:
            self._ask_anew(os.path.dirname(path))
            return call(path)

    def _ask_anew(self, folder: str) -> None:
        try:
            open_folder(folder)
        except FileNotFoundError:
            if len(folder) > len(self.root):
                self._ask_anew(os.path.dirname(folder))

    # Writing

    def stage(self) -> PosixStaged:
        with self.translated(layout.TEMPORARY.rstrip("/"), writing=True):
            return PosixStaged(os.path.join(self.root, layout.TEMPORARY), self._publish)

    def clones(self) -> bool:
        if self._clones is None:
            place = layout.TEMPORARY.rstrip("/")
            with self.stage() as one, self.stage() as other, self.translated(place, writing=True):
                write_all(one.fd, b"x")
                self._clones = clone(one.fd, other.fd)
        return self._clones

    def _publish(self, staged: PosixStaged, key: str) -> None:
        """INV names: a unique name is linked once; meeting it taken by other bytes is an error."""
        path = self._path(key)
        with self.translated(key, writing=True):
            staged.seal()
            self._mark_dirty(path)
            try:
                self._in_its_folder(path, lambda: place(staged.path, path, exclusive=False))
            except OSError as error:
                if staged.became(path):
                    return  # the reply was lost, not the link
                if isinstance(error, FileExistsError):
                    raise key_exists(key) from error
                raise

    def write(self, key: str, data: bytes | bytearray | memoryview) -> None:
        checked_key(key)
        with self.stage() as staged:
            with self.translated(key, writing=True):
                write_all(staged.fd, data)
            staged.publish(key)

    def write_file(self, key: str, source: Path) -> None:
        checked_key(key)
        with self.stage() as staged:
            self._copy_into(staged.fd, source, key)
            staged.publish(key)

    def _copy_into(self, fd: int, source: Path, key: str) -> None:
        try:
            reading = os.open(source, os.O_RDONLY | OPEN_BINARY)
        except OSError as error:
            raise _unreadable(source, error) from error
        try:
            while True:
                try:
                    part = os.read(reading, _COPY_BYTES)
                except OSError as error:
                    raise _unreadable(source, error) from error
                if not part:
                    return
                with self.translated(key, writing=True):
                    write_all(fd, part)
        finally:
            os.close(reading)

    def replace(self, key: str, data: bytes) -> None:
        path = self._path(key)
        with self.stage() as staged, self.translated(key, writing=True):
            write_all(staged.fd, data)
            staged.seal()
            self._mark_dirty(path)
            self._in_its_folder(path, lambda: os.replace(staged.path, path))

    def create(self, key: str, data: bytes) -> Created:
        """See `Backend.create`. After UNKNOWN, `sync` makes a record that is ours durable.

        INV slots: the link never overwrites. INV order: CREATED is said only when the record and
        its name in the folder, and the folder's own name, would survive a power cut.
        """
        path = self._path(key)
        with self.stage() as staged, self.translated(key, writing=True):
            write_all(staged.fd, data)
            staged.seal()
            outcome = self._link_slot(staged, path, data)
            if outcome is Created.CREATED:
                try:
                    self._make_name_durable(path)
                except OSError:
                    # Everybody can see the record by now, so it must not be called a failure.
                    outcome = Created.UNKNOWN
            if outcome is Created.UNKNOWN:
                self._mark_dirty(path)
        return outcome

    def _link_slot(self, staged: PosixStaged, path: str, data: bytes) -> Created:
        try:
            self._in_its_folder(path, lambda: place(staged.path, path, exclusive=True))
        except DatacatError:
            raise
        except OSError as error:
            return who_won(staged, path, data, error)
        return Created.CREATED

    def _make_name_durable(self, path: str) -> None:
        folder = os.path.dirname(path)
        fsync_folder(folder)
        if folder not in self._anchored and folder != self.root:
            # Its maker may have died between mkdir and fsync. Once for each folder and process.
            fsync_folder(os.path.dirname(folder))
            self._anchored.add(folder)

    def sync(self) -> None:
        # A second caller waits for the first: its own names may be among those being synced.
        with self._sync_lock:
            with self._dirty_lock:
                waiting, self._dirty = self._dirty, set()
            try:
                while waiting:
                    folder = next(iter(waiting))
                    with self.translated(self._key(folder), writing=True):
                        fsync_folder(folder)
                    waiting.discard(folder)
            finally:
                with self._dirty_lock:
                    self._dirty |= waiting

    def delete(self, key: str) -> None:
        path = self._path(key)
        with self.translated(key, writing=True):
            self._mark_dirty(path)
            try:
                os.unlink(path)
            except (FileNotFoundError, NotADirectoryError):
                if not os.path.isdir(os.path.join(self.root, layout.TEMPORARY)):
                    raise

    def _mark_dirty(self, path: str) -> None:
        """Remember the folder before its content changes, so that a lost reply is synced too."""
        with self._dirty_lock:
            self._dirty.add(os.path.dirname(path))

    def _in_its_folder(self, path: str, call: Callable[[], None]) -> None:
        """`call()`, and once more with the folder of `path` made, if that was missing."""
        try:
            call()
        except FileNotFoundError:
            folder = os.path.dirname(path)
            if not os.path.isdir(folder):  # unless somebody else made it this moment
                make_folder(self.root, folder)
            call()

    def _has_atomic_create(self) -> bool:
        try:
            with self.stage() as staged, self.translated("", writing=True):
                probe = f"{staged.path}-probe"
                try:
                    place(staged.path, probe, exclusive=True)
                finally:
                    with suppress(OSError):
                        os.unlink(probe)
        except DatacatError as error:
            return error.kind != "no_atomic_create"
        return True

    # The place

    def initialise(self, directories: Sequence[str], *, group: str | None, shared: bool) -> None:
        """Make the root and its folders; the root's parent must exist. May be repeated.

        Raises `NotFound` (no parent), `InvalidInput` (no such group), `StorageDenied`.
        """
        for directory in directories:
            checked_prefix(directory)
        with self.translated("", writing=True):
            make_store_folders(self.root, directories, group=group, shared=shared)

    def path_of(self, key: str) -> Path | None:
        return Path(self._path(key))

    def free_bytes(self) -> int | None:
        with self.translated(""):
            return shutil.disk_usage(self.root).free

    def keep_reserve(self) -> None:
        keep_reserve(self)

    def release_reserve(self) -> bool:
        return release_reserve(self._path(layout.RESERVE))

    @contextmanager
    def translated(self, key: str, *, writing: bool = False) -> Iterator[None]:
        """Inside, an `OSError` about `key` becomes the error of the library that fits.

        For those who fill `Staged.fd` themselves as well.
        """
        try:
            yield
        except DatacatError:
            raise
        except OSError as error:
            raise storage_error(error, root=self.root, key=key, writing=writing) from error

    def _path(self, key: str) -> str:
        return os.path.join(self.root, *checked_key(key).split("/"))

    def _key(self, path: str) -> str:
        return os.path.relpath(path, self.root).replace(os.sep, "/")


def _open_to_read(path: str) -> int:
    # Without blocking: a FIFO in the place of a file must not make anybody wait for ever.
    return os.open(path, os.O_RDONLY | OPEN_BINARY | getattr(os, "O_NONBLOCK", 0))


def _stat_of(key: str, found: os.stat_result) -> Stat:
    return Stat(key=key, size_bytes=found.st_size, modified_ns=found.st_mtime_ns)


def _unreadable(source: Path, error: OSError) -> Failed:
    return Failed(f"cannot read {printable(str(source))}: {error.strerror}")
