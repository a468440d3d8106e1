"""What is in a folder: one pass over its entries, in batches ready for `sql.Workspace.load`.

Symlinks are content and never followed, so loops are harmless; sockets, FIFOs and devices are
listed and never opened. One exception: a symlink into the store's `whole/` is how `pull --link`
puts a file in place, and counts as that file.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from operator import itemgetter
from pathlib import Path

from datacat import layout
from datacat.errors import Failed, Refused
from datacat.progress import StopSignal
from datacat.working_copy.ignore import OURS, IgnoreRules
from datacat.working_copy.open_folder import root_status, scan
from datacat.working_copy.walk_report import (
    Collected,
    Ignored,
    WalkReport,
    not_utf8,
    shown,
    unreadable,
)

COLUMNS = """
    path varchar,
    kind varchar,
    size bigint,
    executable boolean,
    mtime_ns bigint,
    ctime_ns bigint,
    inode ubigint,
    device ubigint,
    target varchar,
    linked_to varchar
"""
"""The columns of a row, for `create table`. Not null: all but `target`, which a symlink has, and
`linked_to`, the container's path of a linked file. Times and size of a linked file are those of
the container; whether it is executable is not known (false), so such files are never linked."""

Entry = tuple[str, str, int, bool, int, int, int, int, str | None, str | None]
Sink = Callable[[Sequence[Entry]], None]

BATCH_ROWS = 10_000
"""Entries per call of the sink: a few MB."""

_NS_MAX = 2**63 - 1
_WITHOUT_INODES = os.name == "nt"  # there a directory listing does not tell them


def walk(
    root: Path,
    *,
    rules: IgnoreRules,
    store_path: Path | None,
    sink: Sink,
    stop: StopSignal | None = None,
) -> WalkReport:
    """Pass everything below `root` (a folder, or one file) to `sink`, in no particular order.

    A folder without any entry that is kept is a row of kind `dir`; other folders are none. A path
    that vanishes meanwhile is left out.

    Raises `NotFound` (`path_not_found`), `Refused` (`inside_store`), and `Failed`: `not_a_file`
    for a FIFO, socket or device; after the whole walk `unreadable` when folders cannot be read,
    or `name_not_utf8` when names or link targets are not UTF-8.
    """
    status = root_status(root)
    walker = _Walker(root, rules=rules, store_path=store_path, sink=sink, stop=stop)
    if stat.S_ISDIR(status.st_mode):
        walker.folder()
    else:
        walker.single(status)
    return walker.finish()


def inside_store(path: Path, store_path: Path) -> bool:
    """True if `path`, all links resolved, is the store or below it."""
    real, store = os.path.realpath(path), os.path.realpath(store_path)
    return real == store or real.startswith(store.rstrip(os.sep) + os.sep)


class _Walker:
    def __init__(
        self,
        root: Path,
        *,
        rules: IgnoreRules,
        store_path: Path | None,
        sink: Sink,
        stop: StopSignal | None,
    ) -> None:
        self._root = root
        self._rules = rules
        self._sink = sink
        self._stop = stop
        self._store_path = store_path
        self._store: tuple[int, int] | None = None
        self._containers: tuple[str, ...] = ()
        if store_path is not None:
            self._know_store(store_path)
        self._rows: list[Entry] = []
        self._pending: list[str] = []
        self._ignored: dict[tuple[str, bool], int] = {}
        self._special, self._escaping = Collected(), Collected()
        self._unreadable, self._not_utf8 = Collected(), Collected()
        self._reason = ""
        self._stores: list[str] = []
        self._files = self._bytes = self._symlinks = self._linked = 0
        self._folders = self._empty = 0

    def _know_store(self, store_path: Path) -> None:
        try:
            status = store_path.stat()
        except OSError:
            return
        self._store = (status.st_dev, status.st_ino)
        spellings = {str(store_path), os.path.abspath(store_path), os.path.realpath(store_path)}
        self._containers = tuple(
            os.path.join(spelling, layout.WHOLE.rstrip("/"), "") for spelling in sorted(spellings)
        )

    def _refuse_inside_store(self) -> None:
        if self._store_path is not None and inside_store(self._root, self._store_path):
            raise Refused(
                f"{shown(str(self._root))} is inside the store {shown(str(self._store_path))}",
                kind="inside_store",
                hint="Add the folder the data came from, or pull a copy first.",
            )

    # -- one file ---------------------------------------------------------------------------

    def single(self, status: os.stat_result) -> None:
        """The root is not a folder: one row with its own name."""
        name = self._root.name or os.path.basename(os.path.abspath(self._root))
        linked_to = None
        if self._root.is_symlink():
            linked_to = self._container(os.readlink(self._root))
        if linked_to is None:
            self._refuse_inside_store()
        if not stat.S_ISREG(status.st_mode):
            raise Failed(
                f"{shown(str(self._root))} is a {_special_name(status.st_mode)}, "
                "not a file or folder",
                kind="not_a_file",
            )
        self._append_file(name, status, linked_to)
        if linked_to is not None:
            self._linked += 1

    # -- a folder ---------------------------------------------------------------------------

    def folder(self) -> None:
        self._refuse_inside_store()
        base = os.path.join(self._root, "")
        self._pending.append("")
        while self._pending:
            if self._stop is not None:
                self._stop.check()
            prefix = self._pending.pop()
            try:
                # The root itself may be reached through a link: its user named it.
                with scan(base + prefix[:-1], follow=not prefix) as entries:
                    self._read(prefix, entries)
            except (FileNotFoundError, NotADirectoryError):
                continue  # it went away: the change check of whoever asked will see it
            except OSError as error:
                if error.errno == errno.ELOOP and prefix:
                    continue  # it became a symlink
                self._cannot_read(prefix[:-1] or str(self._root), error)
            if len(self._rows) >= BATCH_ROWS:
                self._flush()

    def _read(self, prefix: str, entries: Iterator[os.DirEntry[str]]) -> None:
        """One folder. The loop runs once per file of a dataset: everything rare is elsewhere."""
        names = self._rules.names
        patterns = self._rules.patterns
        rows = self._rows
        append = rows.append
        before = len(rows)
        flushed = False
        inner = False
        self._folders += 1
        for entry in entries:
            name = entry.name
            try:
                status = entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue
            except OSError as error:
                self._cannot_read(prefix + name, error)
                continue
            mode = status.st_mode
            path = prefix + name
            if (name in names or patterns) and self._is_ignored(path, name, mode):
                continue
            if mode & 0o170000 == 0o100000:
                append(
                    (
                        path,
                        "file",
                        status.st_size,
                        mode & 0o100 != 0,
                        status.st_mtime_ns,
                        status.st_ctime_ns,
                        status.st_ino,
                        status.st_dev,
                        None,
                        None,
                    )
                )
                if len(rows) >= BATCH_ROWS:
                    self._flush()
                    before, flushed = 0, True
            elif mode & 0o170000 == 0o040000:
                if (status.st_dev, status.st_ino) == self._store or (
                    _WITHOUT_INODES and self._is_store(path)
                ):
                    self._stores.append(path)
                else:
                    inner = True
                    self._pending.append(path + "/")
            else:
                self._other(path, status)
        if prefix and not inner and not flushed and len(rows) == before:
            self._empty += 1
            self._append_folder(prefix)

    def _is_store(self, path: str) -> bool:
        return self._store_path is not None and os.path.samefile(
            os.path.join(self._root, path), self._store_path
        )

    def _is_ignored(self, path: str, name: str, mode: int) -> bool:
        is_directory = stat.S_ISDIR(mode)
        if name in self._rules.names:
            rule = self._rules.by_name(path, name, is_directory=is_directory)
            if rule is not None:
                if name != OURS:
                    self._ignored[rule, True] = self._ignored.get((rule, True), 0) + 1
                return True
        rule = self._rules.by_pattern(path, name, is_directory=is_directory)
        if rule is None:
            return False
        self._ignored[rule, False] = self._ignored.get((rule, False), 0) + 1
        return True

    def _append_folder(self, prefix: str) -> None:
        try:
            status = os.lstat(os.path.join(self._root, prefix[:-1]))
        except OSError:
            return
        self._rows.append(_row(prefix[:-1], "dir", status))

    def _other(self, path: str, status: os.stat_result) -> None:
        if not stat.S_ISLNK(status.st_mode):
            self._special.add(path)
            return
        try:
            target = os.readlink(os.path.join(self._root, path))
        except FileNotFoundError:
            return
        except OSError as error:
            self._cannot_read(path, error)
            return
        if self._containers and (container := self._container(target)) is not None:
            self._other_linked(path, container)
            return
        if not _is_utf8(target):
            self._not_utf8.add(f"{path} → {target}")
            return
        if _escapes(path, target):
            self._escaping.add(path)
        self._symlinks += 1
        size = len(target.encode())
        self._rows.append(_row(path, "symlink", status, size=size, target=target))

    def _other_linked(self, path: str, container: str) -> None:
        try:
            status = os.stat(container)
        except OSError as error:
            self._cannot_read(path, error)
            return
        self._append_file(path, status, container)
        self._linked += 1

    def _append_file(self, path: str, status: os.stat_result, linked_to: str | None) -> None:
        executable = linked_to is None and status.st_mode & 0o100 != 0
        size = status.st_size
        self._rows.append(
            _row(path, "file", status, size=size, executable=executable, linked_to=linked_to)
        )

    def _container(self, target: str) -> str | None:
        """`target` if a link with this text leads to a whole container of the store."""
        inside = target.startswith(self._containers) and ".." not in target.split("/")
        return target if inside else None

    # -- what is not as it should be ----------------------------------------------------------

    def _cannot_read(self, path: str, error: OSError) -> None:
        if not self._unreadable.count:
            self._reason = (error.strerror or type(error).__name__).lower()
        self._unreadable.add(path)

    def _flush(self) -> None:
        rows = self._rows
        if not rows:
            return
        if not _is_utf8("".join(map(itemgetter(0), rows))):
            for row in rows:
                if not _is_utf8(row[0]):
                    self._not_utf8.add(row[0])
            rows[:] = [row for row in rows if _is_utf8(row[0])]
        times = list(map(itemgetter(4), rows))
        if times and (max(times) > _NS_MAX or min(times) < -_NS_MAX):
            # Beyond the year 2262: some file systems hold it, no 64-bit column does.
            rows[:] = [(*r[:4], max(-_NS_MAX, min(r[4], _NS_MAX)), *r[5:]) for r in rows]
        sizes = [row[2] for row in rows if row[1] == "file"]
        self._files += len(sizes)
        self._bytes += sum(sizes)
        if rows:
            self._sink(rows[:])
        rows.clear()
        if self._stop is not None:
            self._stop.check()

    def finish(self) -> WalkReport:
        self._flush()
        if self._unreadable.count:
            raise unreadable(
                self._unreadable,
                reason=self._reason,
                total=self._unreadable.count + self._files + self._symlinks,
            )
        if self._not_utf8.count:
            raise not_utf8(self._not_utf8, root=self._root)
        return WalkReport(
            files=self._files,
            bytes=self._bytes,
            symlinks=self._symlinks,
            linked=self._linked,
            folders=self._folders,
            empty_folders=self._empty,
            ignored=tuple(
                Ignored(rule, count, default)
                for (rule, default), count in sorted(self._ignored.items())
            ),
            special=self._special.named(),
            escaping=self._escaping.named(),
            stores=tuple(self._stores),
        )


def _is_utf8(text: str) -> bool:
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _row(
    path: str,
    kind: str,
    status: os.stat_result,
    *,
    size: int = 0,
    executable: bool = False,
    target: str | None = None,
    linked_to: str | None = None,
) -> Entry:
    times = status.st_mtime_ns, status.st_ctime_ns
    where = status.st_ino, status.st_dev
    return (path, kind, size, executable, *times, *where, target, linked_to)


def _escapes(path: str, target: str) -> bool:
    """True if a link at `path` with this text leaves the tree, as far as the text tells."""
    if os.path.isabs(target):
        return True
    resolved = os.path.normpath(os.path.join(os.path.dirname(path), target))
    return resolved == ".." or resolved.startswith(".." + os.sep)


def _special_name(mode: int) -> str:
    if stat.S_ISFIFO(mode):
        return "FIFO"
    if stat.S_ISSOCK(mode):
        return "socket"
    return "device"
