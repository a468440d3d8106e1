"""Put files into a working copy: each one whole, never through a link, never over local edits.

A file is written to `.datacat/tmp/`, complete with its mode and time, and then renamed. What it
may replace is said by the caller as a `FileStat`; anything else that lies there is somebody's
work, and the write is refused.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import shutil
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from datacat.backend.reflink import clone
from datacat.closing import Closing
from datacat.errors import DatacatError, Failed, StorageDenied, StorageFull, StorageMissing
from datacat.model import LinkMode
from datacat.progress import StopSignal
from datacat.text import human_bytes, printable
from datacat.working_copy import copying, marker
from datacat.working_copy.folders import Folders
from datacat.working_copy.new_path import FileStat, NewPath, check, lstat
from datacat.working_copy.safe_path import FileNames, probe
from datacat.working_copy.temporary import TemporaryFolder

__all__ = ["Destination", "FileStat", "Placed"]

Bytes = bytes | bytearray | memoryview

_READ = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
_FULL = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}
_DENIED = {errno.EACCES, errno.EPERM, errno.EROFS}


@dataclass(frozen=True, slots=True)
class Placed:
    """How a file got there, and its stat (for a symlink to a container, the container's)."""

    stat: FileStat
    how: LinkMode


class Destination(Closing):
    """A folder to pull into. Safe to use from many threads; use it in a `with` block.

    Paths are relative, with `/`. Whatever writes raises `Refused` (`unsafe_folder`) when the way
    to the path leads through a symlink, `Refused` (`local_edits`) when something else than
    `replaces` lies there (None: nothing may), `StorageFull` and `StorageDenied`.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        with _Errors(root, ""):
            root.mkdir(parents=True, exist_ok=True)
            marker.prepare(root)
            self._folders = Folders(root)
            self._temporary = TemporaryFolder(
                self._folders, f"{marker.DIRECTORY}/{marker.TEMPORARY}"
            )
        self._numbers = itertools.count()

    def close(self) -> None:
        """Remove the temporaries and close all folders. Safe to call twice."""
        self._folders.close()
        self._temporary.close()

    def names(self) -> FileNames:
        """How this folder treats names, tried where a killed pull leaves nothing to be saved."""
        with _Errors(self.root, ""):
            return probe(self._temporary.whole)

    def write_file(
        self,
        path: str,
        data: Bytes | Iterable[Bytes],
        *,
        executable: bool = False,
        mtime_ns: int | None = None,
        replaces: FileStat | None = None,
    ) -> FileStat:
        """Write a regular file from bytes that were verified before, and return its stat.

        `data` is all of it, or its pieces in order, each valid until the next but one is asked
        for.
        """
        if not isinstance(data, (bytes, bytearray, memoryview)):
            pieces = iter(data)
            first, second = next(pieces, b""), next(pieces, None)
            if second is not None:
                several = itertools.chain((first, second), pieces)
                return self._write(path, several, executable, mtime_ns, replaces)
            data = first
        return self._write(path, (data,), executable, mtime_ns, replaces)

    def _write(
        self,
        path: str,
        pieces: Iterable[Bytes],
        executable: bool,
        mtime_ns: int | None,
        replaces: FileStat | None,
    ) -> FileStat:
        with _Errors(self.root, path), self._new(path, replaces) as new:
            descriptor = new.create(executable=executable)
            try:
                for piece in pieces:
                    written = os.write(descriptor, piece)
                    if written < len(piece):
                        _write_rest(descriptor, piece, written)
                new.set_time(descriptor, mtime_ns)
            finally:
                # Before the rename: some file systems report a full disk only here.
                os.close(descriptor)
            return FileStat.of(new.put())

    def place(
        self,
        path: str,
        source: Path,
        *,
        size: int,
        checksums: bytes,
        named: copying.Named | None = None,
        mode: LinkMode = LinkMode.AUTO,
        executable: bool = False,
        mtime_ns: int | None = None,
        verify_links: bool = False,
        replaces: FileStat | None = None,
        stop: StopSignal | None = None,
    ) -> Placed:
        """Put a whole container at `path`: as a reflink, copy, hard link or symlink.

        `AUTO` is a reflink where the file system can, else a copy. Copies are always compared
        with `checksums` and with the digest in `named`, links and reflinks only with
        `verify_links`: no byte of them moves. An executable file is never linked, because
        containers are not executable: it is copied.

        Raises `Corrupt` (`damaged_content`), `StorageMissing` when there is no container, and
        `Failed` (`link_not_supported`) when `mode` asks for a link that cannot be made.
        """
        linked = mode in (LinkMode.HARDLINK, LinkMode.SYMLINK) and not executable
        with _Errors(self.root, path, size), _opened(source) as container:
            if linked:
                copying.check_size(container, size=size, checksums=checksums)
                if verify_links:
                    copying.check(container, size=size, checksums=checksums, named=named, stop=stop)
                return self._link(path, source, mode=mode, replaces=replaces)
            with self._new(path, replaces) as new:
                target = new.create(executable=executable)
                try:
                    cloned = mode is not LinkMode.COPY and clone(container, target)
                    if mode is LinkMode.REFLINK and not cloned:
                        raise self._no_link("reflink")
                    if not cloned:
                        copying.copy_checked(
                            container,
                            target,
                            size=size,
                            checksums=checksums,
                            named=named,
                            stop=stop,
                        )
                    elif verify_links:
                        copying.check(
                            target, size=size, checksums=checksums, named=named, stop=stop
                        )
                    else:
                        copying.check_size(target, size=size, checksums=checksums)
                    new.set_time(target, mtime_ns)
                finally:
                    os.close(target)
                how = LinkMode.REFLINK if cloned else LinkMode.COPY
                return Placed(FileStat.of(new.put()), how)

    def symlink(self, path: str, target: str, *, replaces: FileStat | None = None) -> FileStat:
        """Make a symlink with the text `target`, wherever that leads."""
        with _Errors(self.root, path), self._new(path, replaces) as new:
            os.symlink(target, new.where.at(new.temporary), dir_fd=new.where.descriptor)
            return FileStat.of(new.put())

    def make_dir(self, path: str) -> None:
        """Make a folder and those above it; fine if it is there."""
        with _Errors(self.root, path):
            self._folders.get(path, create=True)

    def remove(self, path: str, *, expected: FileStat | None) -> None:
        """Remove a file or link that is still `expected`, or (None) an empty folder.

        Folders above that have become empty go too. Fine if it is gone already; a folder that is
        not empty stays.
        """
        with _Errors(self.root, path):
            above, name = self._folders.split(path)
            try:
                folder = self._folders.get(above, create=False)
                is_folder = stat.S_ISDIR(lstat(folder, name).st_mode)
            except FileNotFoundError:
                return
            if not is_folder:
                check(folder, name, path, expected=expected)
                os.unlink(folder.at(name), dir_fd=folder.descriptor)
            elif expected is not None or not self._remove_folder(path):
                return
            while above and self._remove_folder(above):
                above = above.rpartition("/")[0]

    def new_backup(self, stamp: str) -> str:
        """Make a folder for `backup` that nobody else has; its path: `.datacat/backup/<stamp>`, or
        `<stamp>-2`, `<stamp>-3`, ... if that is taken."""
        place = f"{marker.DIRECTORY}/{marker.BACKUP}"
        with _Errors(self.root, place), self._folders.held(place, create=True) as folder:
            for number in itertools.count(1):
                name = stamp if number == 1 else f"{stamp}-{number}"
                with contextlib.suppress(FileExistsError):
                    os.mkdir(folder.at(name), dir_fd=folder.descriptor)
                    break
        return f"{place}/{name}"

    def backup(self, path: str, backup: str) -> None:
        """Move what lies at `path` to the same path in the folder `backup`, see `new_backup`.

        Folders above that have become empty go.
        """
        above, name = self._folders.split(path)
        place = f"{backup}/{above}" if above else backup
        with (
            _Errors(self.root, path),
            self._folders.held(place, create=True) as target,
            self._folders.held(above, create=False) as source,
        ):
            # A rename: no edit is lost, whatever happens meanwhile.
            os.rename(
                source.at(name),
                target.at(name),
                src_dir_fd=source.descriptor,
                dst_dir_fd=target.descriptor,
            )
        self._folders.forget(path)
        while above and self._remove_folder(above):
            above = above.rpartition("/")[0]

    def _new(self, path: str, replaces: FileStat | None) -> NewPath:
        return NewPath(
            self._folders,
            path,
            temporary_folder=self._temporary.folder,
            temporary=f".datacat-{self._temporary.name}-{next(self._numbers)}",
            replaces=replaces,
        )

    def _link(
        self, path: str, source: Path, *, mode: LinkMode, replaces: FileStat | None
    ) -> Placed:
        with self._new(path, replaces) as new:
            temporary = new.where.at(new.temporary)
            if mode is LinkMode.SYMLINK:
                os.symlink(os.path.abspath(source), temporary, dir_fd=new.where.descriptor)
            else:
                try:
                    os.link(source, temporary, dst_dir_fd=new.where.descriptor)
                except OSError as error:
                    if error.errno in _FULL:
                        raise
                    raise self._no_link("hard link", error.strerror) from error
            new.put()
            # The rename of a hard link over another one of the same file leaves both.
            new.discard()
            return Placed(FileStat.of(source.stat()), mode)

    def _no_link(self, what: str, reason: str | None = None) -> Failed:
        because = f": {reason.lower()}" if reason else ""
        return Failed(
            f"cannot {what} from the store to {printable(str(self.root))}{because}",
            kind="link_not_supported",
            hint="Use --link symlink, or pull a copy with --link copy.",
        )

    def _remove_folder(self, path: str) -> bool:
        """Remove a folder of ours if it is empty."""
        above, name = self._folders.split(path)
        try:
            folder = self._folders.get(above, create=False)
            os.rmdir(folder.at(name), dir_fd=folder.descriptor)
        except OSError:
            return False
        self._folders.forget(path)
        return True


def _write_rest(descriptor: int, piece: Bytes, written: int) -> None:
    """Write what a short write left over (a full disk says so on the next call)."""
    rest = memoryview(piece)[written:]
    while rest:
        rest = rest[os.write(descriptor, rest) :]


@contextlib.contextmanager
def _opened(source: Path) -> Iterator[int]:
    """A container's descriptor; what is wrong with the store is not blamed on the destination."""
    try:
        descriptor = os.open(source, _READ)
    except FileNotFoundError as error:
        raise StorageMissing(f"{printable(str(source))} is not in the store") from error
    except OSError as error:
        raise StorageDenied(
            f"cannot read {printable(str(source))}: {(error.strerror or str(error)).lower()}"
        ) from error
    try:
        yield descriptor
    finally:
        os.close(descriptor)


class _Errors:
    """What the operating system says about a destination, in our words."""

    __slots__ = ("_needed", "_path", "_root")

    def __init__(self, root: Path, path: str, needed: int = 0) -> None:
        self._root, self._path, self._needed = root, path, needed

    def __enter__(self) -> None:
        return None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if not isinstance(error, OSError) or isinstance(error, DatacatError):
            return
        root = printable(str(self._root))
        target = f"{printable(self._path)} in {root}" if self._path else root
        if error.errno in _FULL:
            need = f"{human_bytes(self._needed)} needed, " if self._needed else ""
            free = human_bytes(_free_bytes(self._root))
            raise StorageFull(f"no space left for {target}: {need}{free} free") from error
        reason = (error.strerror or str(error)).lower()
        if error.errno in _DENIED:
            raise StorageDenied(f"cannot write {target}: {reason}") from error
        raise Failed(f"cannot write {target}: {reason}", kind="write_failed") from error


def _free_bytes(root: Path) -> int:
    with contextlib.suppress(OSError):
        return shutil.disk_usage(root).free
    return 0
