"""The names and sizes below the folders that are scanned: one pass that opens only folders.

Not `working_copy.walk`: that lists one dataset, whose paths must be text and which must be
readable to the end. Here anything may lie about: a name is bytes, what cannot be read is counted
and passed over, and files are listed by folder, so that a million paths are never spelled out.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from datacat import layout
from datacat.opened import Watch
from datacat.progress import Advanced, Finished, Started
from datacat.scan.mounts import is_pseudo
from datacat.sql import Workspace
from datacat.working_copy.ignore import IgnoreRules
from datacat.working_copy.open_folder import scan
from datacat.working_copy.walk_report import Collected

FOLDERS = """
    id bigint,
    parent bigint,
    depth integer,
    last bigint,
    name blob,
    path blob,
    complete boolean
"""
"""A folder: numbered before what is in it, so that `id` to `last` are it and all below it.

Of one that is not `complete` something could not be listed: it is the same as no other.
"""

FILES = """
    folder bigint,
    name blob,
    size bigint,
    mtime_ns bigint,
    ctime_ns bigint,
    inode ubigint,
    device ubigint
"""

LINKS = "folder bigint, name blob, target blob"

BATCH_ROWS = 10_000
_NS_MAX = 2**63 - 1
_STORE_PARTS = {layout.WHOLE.rstrip("/"), layout.PACKS.rstrip("/"), "catalog"}

FileRow = tuple[int, bytes, int, int, int, int, int]
FolderRow = tuple[int, int, int, int, bytes, bytes, bool]


@dataclass(frozen=True, slots=True)
class Listed:
    """What a listing passed over, and the stores that it did not enter."""

    folders: int
    unreadable: Collected
    stores: tuple[str, ...]
    other_file_systems: Collected


def list_folders(
    workspace: Workspace,
    roots: Sequence[str],
    *,
    rules: IgnoreRules,
    one_file_system: bool,
    watch: Watch,
) -> Listed:
    """Make the tables `folders`, `listed` (`FILES`) and `links` of what lies below `roots`.

    `roots` are absolute, and none is inside another. Symlinks are never followed; sockets, FIFOs
    and devices are nothing. A folder that is a store, and what `rules` leave out, is not entered.
    """
    workspace.execute(f"create table folders ({FOLDERS})")
    workspace.execute(f"create table listed ({FILES})")
    workspace.execute(f"create table links ({LINKS})")
    lister = _Lister(workspace, rules=rules, one_file_system=one_file_system, watch=watch)
    watch.listener(Started("Listing"))
    for root in roots:
        lister.below(root)
    listed = lister.finish()
    watch.listener(Finished("Listing"))
    return listed


@dataclass(slots=True)
class _Folder:
    """A folder that is being listed, or something below it."""

    id: int
    parent: int
    depth: int
    relative: str
    path: str
    device: int
    complete: bool = True
    inner: list[tuple[str, int]] = field(default_factory=list)
    """The folders in it, each with its device."""


class _Lister:
    def __init__(
        self, workspace: Workspace, *, rules: IgnoreRules, one_file_system: bool, watch: Watch
    ) -> None:
        self._workspace = workspace
        self._rules = rules
        self._one_file_system = one_file_system
        self._watch = watch
        self._next = 0
        self._files: list[FileRow] = []
        self._links: list[tuple[int, bytes, bytes]] = []
        self._folders: list[FolderRow] = []
        self._above: list[_Folder] = []
        self._unreadable, self._others = Collected(), Collected()
        self._stores: list[str] = []

    def below(self, root: str) -> None:
        """List one root, depth first and by name."""
        base = os.path.join(root, "")
        # What is still to be entered: its path relative to the root, its depth, its device.
        pending: list[tuple[str, int, int]] = [("", 0, os.stat(root).st_dev)]
        while pending:
            self._watch.stop.check()
            relative, depth, device = pending.pop()
            self._leave(depth)
            folder = self._enter(relative, base + relative if relative else root, depth, device)
            is_store = False
            try:
                # The root itself may be reached through a link: its user named it.
                with scan(folder.path, follow=not relative) as entries:
                    is_store = self._read(entries, folder)
            except OSError as error:
                folder.complete = False
                if not isinstance(error, FileNotFoundError):
                    self._unreadable.add(folder.path)
            if is_store:
                self._forget(folder)
                continue
            prefix = f"{relative}/" if relative else ""
            for name, its_device in sorted(folder.inner, reverse=True):
                pending.append((prefix + name, depth + 1, its_device))
            if len(self._files) >= BATCH_ROWS or len(self._folders) >= BATCH_ROWS:
                self._flush()
        self._leave(0)

    def _read(self, entries: Iterable[os.DirEntry[str]], folder: _Folder) -> bool:
        """One folder. True if it is a store.

        The loop runs once per file of a drive: everything rare is elsewhere.
        """
        names, patterns = self._rules.names, self._rules.patterns
        files, append, encode = self._files, self._files.append, os.fsencode
        number, device, inner = folder.id, folder.device, folder.inner
        prefix = f"{folder.relative}/" if folder.relative else ""
        base = os.path.join(folder.path, "")
        is_store = False
        for entry in entries:
            name = entry.name
            try:
                status = entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue
            except OSError:
                self._unreadable.add(base + name)
                folder.complete = False
                continue
            mode = status.st_mode
            if (name in names or patterns) and self._is_ignored(prefix + name, name, mode):
                continue
            if mode & 0o170000 == 0o100000:
                append(
                    (
                        number,
                        encode(name),
                        status.st_size,
                        status.st_mtime_ns,
                        status.st_ctime_ns,
                        status.st_ino,
                        status.st_dev,
                    )
                )
                is_store = is_store or name == layout.STORE
                if len(files) >= BATCH_ROWS:
                    self._flush()
            elif mode & 0o170000 == 0o040000:
                if status.st_dev == device or self._crosses(base + name, status.st_dev):
                    inner.append((name, status.st_dev))
                else:
                    folder.complete = False
            elif stat.S_ISLNK(mode):
                self._link(base + name, name, number)
        return is_store and {one for one, _ in inner} >= _STORE_PARTS

    def _is_ignored(self, path: str, name: str, mode: int) -> bool:
        is_folder = stat.S_ISDIR(mode)
        if name in self._rules.names and self._rules.by_name(path, name, is_directory=is_folder):
            return True
        return self._rules.by_pattern(path, name, is_directory=is_folder) is not None

    def _crosses(self, path: str, device: int) -> bool:
        """True if a folder of another file system is entered."""
        if is_pseudo(device):
            return False
        if self._one_file_system:
            self._others.add(path)
            return False
        return True

    def _link(self, path: str, name: str, number: int) -> None:
        try:
            target = os.readlink(path)
        except OSError:
            return  # it went away, or is something else now
        self._links.append((number, os.fsencode(name), os.fsencode(target)))

    def _enter(self, relative: str, path: str, depth: int, device: int) -> _Folder:
        parent = self._above[-1].id if self._above else -1
        folder = _Folder(self._next, parent, depth, relative, path, device)
        self._next += 1
        self._above.append(folder)
        return folder

    def _leave(self, depth: int) -> None:
        """Write the folders below which all is listed: those not above one of this depth."""
        while self._above and self._above[-1].depth >= depth:
            done = self._above.pop()
            name = os.fsencode(done.relative.rpartition("/")[2])
            path = os.fsencode(done.path)
            self._folders.append(
                (done.id, done.parent, done.depth, self._next - 1, name, path, done.complete)
            )

    def _forget(self, store: _Folder) -> None:
        """Take back a folder that turned out to be a store, with its few files."""
        self._flush()
        for table in ("listed", "links"):
            self._workspace.execute(f"delete from {table} where folder = $1", [store.id])
        self._above.pop()
        self._next -= 1
        if self._above:
            self._above[-1].complete = False
        self._stores.append(store.path)

    def _flush(self) -> None:
        rows = self._files
        if rows:
            if max(map(max, ((row[3], row[4]) for row in rows))) > _NS_MAX:
                # Beyond the year 2262: some file systems hold it, no 64-bit column does.
                rows[:] = [(*r[:3], min(r[3], _NS_MAX), min(r[4], _NS_MAX), *r[5:]) for r in rows]
            self._watch.listener(Advanced(len(rows), 0))
            self._workspace.load("listed", rows)
            rows.clear()
        if self._folders:
            self._workspace.load("folders", self._folders)
            self._folders.clear()
        if self._links:
            self._workspace.load("links", self._links)
            self._links.clear()

    def finish(self) -> Listed:
        self._flush()
        return Listed(
            folders=self._next,
            unreadable=self._unreadable,
            stores=tuple(self._stores),
            other_file_systems=self._others,
        )
