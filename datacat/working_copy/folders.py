"""Folders below one root, opened component by component: the only way a pull reaches a file.

A path that was checked a moment ago may have become a symlink since. So no path is ever handed to
the operating system: each component is opened relative to the one above it, refusing links, and
the descriptors of the folders in use are kept.
"""

from __future__ import annotations

import contextlib
import os
import stat
import threading
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path

from datacat.errors import InvalidInput, Refused
from datacat.text import printable

FOLDERS_OPEN_MAX = 48
"""Folders that one thread keeps open: a few hundred in all, well below the usual 1,024 files."""

BY_DESCRIPTOR = (
    os.open in os.supports_dir_fd
    and os.rename in os.supports_dir_fd
    and os.mkdir in os.supports_dir_fd
    and hasattr(os, "O_NOFOLLOW")
    and hasattr(os, "O_DIRECTORY")
)
"""False on Windows, where paths have to do and a check comes before each use."""

_FLAGS = (
    os.O_RDONLY
    | getattr(os, "O_DIRECTORY", 0)
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_CLOEXEC", 0)
)


class Folder:
    """One open folder: `os` functions take `at(name)`, and `descriptor` as their `dir_fd`.

    Where there are no descriptors of folders, `descriptor` is None and `at` gives a whole path.
    """

    __slots__ = ("descriptor", "device", "prefix")

    def __init__(self, descriptor: int | None, prefix: str, device: int) -> None:
        self.descriptor = descriptor
        self.prefix = prefix
        self.device = device

    def at(self, name: str) -> str:
        return name if self.descriptor is not None else os.path.join(self.prefix, name)

    def duplicate(self) -> Folder:
        """The same folder with a descriptor of its own."""
        own = None if self.descriptor is None else os.dup(self.descriptor)
        return Folder(own, self.prefix, self.device)

    def close(self) -> None:
        """Close the descriptor. Safe to call twice."""
        descriptor, self.descriptor = self.descriptor, None
        if descriptor is not None:
            os.close(descriptor)


class _PerThread(threading.local):
    """Each thread has its own descriptors: none is closed while another thread uses it."""

    def __init__(self) -> None:
        self.kept: OrderedDict[str, Folder] | None = None


class Folders:
    """The folders below `root`, which must exist. Safe to use from many threads."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._local = _PerThread()
        self._lock = threading.Lock()
        self._every: list[OrderedDict[str, Folder]] = []

    def close(self) -> None:
        """Close every descriptor; no thread may use the object any more."""
        with self._lock:
            for kept in self._every:
                while kept:
                    kept.popitem()[1].close()

    def split(self, path: str) -> tuple[str, str]:
        """The folder and the name of a relative path. Raises `InvalidInput` for an unsafe one."""
        folder, _, name = path.rpartition("/")
        if name in ("", ".", "..") or "\0" in path or path.startswith("/"):
            raise _unsafe(path)
        return folder, name

    def get(self, folder: str, *, create: bool) -> Folder:
        """The open folder `folder` ("" is the root); missing ones are made if `create`.

        Valid until this thread has asked for `FOLDERS_OPEN_MAX` others. Raises `Refused`
        (`unsafe_folder`) when a component is a symlink or no folder, `FileNotFoundError` when it
        is missing, and other `OSError`s as they are.
        """
        kept = self._kept()
        found = kept.get(folder)
        if found is not None:
            kept.move_to_end(folder)
            return found
        try:
            return self._open(folder, kept, create=create)
        except FileNotFoundError:
            if not create:
                raise
        # A folder that is kept open was removed by somebody: begin again at the root.
        self.forget()
        return self._open(folder, kept, create=create)

    @contextlib.contextmanager
    def held(self, folder: str, *, create: bool) -> Iterator[Folder]:
        """As `get`, valid for the whole block."""
        found = self.get(folder, create=create)
        own = found.duplicate()
        try:
            yield own
        finally:
            own.close()

    def forget(self, folder: str = "") -> None:
        """Close this thread's descriptors of `folder` and all below it, because it is gone."""
        kept = self._kept()
        gone = [k for k in kept if not folder or k == folder or k.startswith(f"{folder}/")]
        for known in gone:
            kept.pop(known).close()

    def _kept(self) -> OrderedDict[str, Folder]:
        kept = self._local.kept
        if kept is None:
            kept = self._local.kept = OrderedDict()
            with self._lock:
                self._every.append(kept)
        return kept

    def _open(self, folder: str, kept: OrderedDict[str, Folder], *, create: bool) -> Folder:
        start = folder
        missing: list[str] = []
        while start and start not in kept:
            start, name = self.split(start)
            missing.append(name)
        opened = kept.get(start)
        if opened is None:
            opened = kept[""] = self._open_root()
        path = start
        for name in reversed(missing):
            opened = self._open_below(opened, name, folder, create=create)
            path = f"{path}/{name}" if path else name
            kept[path] = opened
            # The folder just opened is the newest, so it is never the one that is closed.
            while len(kept) > FOLDERS_OPEN_MAX:
                kept.popitem(last=False)[1].close()
        return opened

    def _open_root(self) -> Folder:
        if not BY_DESCRIPTOR:
            return Folder(None, str(self.root), self.root.stat().st_dev)
        # The root may be reached through links: the person named it.
        descriptor = os.open(self.root, _FLAGS & ~os.O_NOFOLLOW)
        return Folder(descriptor, "", os.fstat(descriptor).st_dev)

    def _open_below(self, above: Folder, name: str, whole: str, *, create: bool) -> Folder:
        try:
            return _enter(above, name)
        except FileNotFoundError:
            if not create:
                raise
        except OSError as error:
            raise self._no_folder(above, name, whole, error) from error
        with contextlib.suppress(FileExistsError):
            os.mkdir(above.at(name), dir_fd=above.descriptor)
        try:
            return _enter(above, name)
        except OSError as error:
            raise self._no_folder(above, name, whole, error) from error

    def _no_folder(self, above: Folder, name: str, whole: str, error: OSError) -> Exception:
        """What to raise when `name` cannot be entered: `Refused` if it is something else."""
        try:
            status = os.stat(above.at(name), dir_fd=above.descriptor, follow_symlinks=False)
        except OSError:
            return error
        if stat.S_ISDIR(status.st_mode):
            return error
        thing = "a symbolic link" if stat.S_ISLNK(status.st_mode) else "not a folder"
        return Refused(
            f"'{printable(name)}', on the way to '{printable(whole)}', is {thing} in"
            f" {printable(str(self.root))}; nothing is written through it",
            kind="unsafe_folder",
            hint="Move it away, or pull to another folder.",
        )


def _enter(above: Folder, name: str) -> Folder:
    if above.descriptor is not None:
        descriptor = os.open(name, _FLAGS, dir_fd=above.descriptor)
        return Folder(descriptor, "", os.fstat(descriptor).st_dev)
    path = above.at(name)
    status = os.lstat(path)
    if not stat.S_ISDIR(status.st_mode) or getattr(status, "st_reparse_tag", False):
        raise NotADirectoryError(path)
    return Folder(None, path, status.st_dev)


def _unsafe(path: str) -> InvalidInput:
    return InvalidInput(f"'{printable(path)[:200]}' is not a path in a folder", kind="unsafe_path")
