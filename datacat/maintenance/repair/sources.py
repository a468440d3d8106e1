"""Where good content may be, outside of what is damaged, in the order in which it is looked for.

Working copies that are registered on this machine, what this user's cache holds, the folders that
content was saved from, and what the caller names: a folder, or another store. Every candidate is
read and hashed before it is believed.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from datacat import sql
from datacat.catalog.query import CatalogQuery
from datacat.copies import hidden_copies, working_copies
from datacat.digest import new_hasher
from datacat.errors import Cancelled, DatacatError
from datacat.opened import OpenedStore, Watch
from datacat.progress import StopSignal
from datacat.sql import Workspace
from datacat.text import printable
from datacat.transfer.executor import threads
from datacat.transfer.fetch import Fetch
from datacat.transfer.following import look_through
from datacat.transfer.sink import Sink, Wanted, want
from datacat.working_copy import marker
from datacat.working_copy.lookup import attach_readable
from datacat.working_copy.mark import attach_listing

CANDIDATES_MAX = 5
"""Files that are tried for one content: where that many are not what they were, others are not."""


@dataclass(frozen=True, slots=True)
class Located:
    """Where content was found: a local file, or (`path` is None) in the other store."""

    digest: bytes
    size: int
    path: Path | None
    label: str


class Sources:
    """Finds content by digest. `folders` and `other` are what the caller names with `--from`."""

    def __init__(
        self,
        store: OpenedStore,
        query: CatalogQuery,
        workspace: Workspace,
        *,
        folders: Iterable[Path],
        other: OpenedStore | None,
        watch: Watch,
    ) -> None:
        self._store = store
        self._query = query
        self._workspace = workspace
        self._folders = list(folders)
        self._other = other
        self._watch = watch

    def locate(self) -> list[Located]:
        """A good copy of as much of the table `missing(digest, size)` as there is."""
        run = self._workspace.execute
        run("create or replace table candidates (digest blob, path varchar, label varchar)")
        for root, label in self._copies():
            self._list_copy(root, label)
        self._list_cache()
        for folder in self._folders:
            self._list_folder(folder)
        found = list(self._checked())
        if self._other is not None:
            found += self._in_other({one.digest for one in found}, self._other)
        return found

    def _copies(self) -> Iterator[tuple[Path, str]]:
        """Working copies on this machine, the folders that were saved among them."""
        store, query = self._store, self._query
        seen: set[str] = set()
        for copy in (*working_copies(store, query), *hidden_copies(store, query)):
            if copy.path is None or copy.host != store.client.host or copy.path in seen:
                continue
            seen.add(copy.path)
            yield Path(copy.path), f"{copy.user}'s working copy {copy.place}"
        versions = store.cache / "versions"
        for root in sorted(versions.glob("*/*")) if versions.is_dir() else ():
            yield root, "your cache"

    def _list_copy(self, root: Path, label: str) -> None:
        """Add the files of a working copy that are said to hold what is missing."""
        try:
            if not marker.has_marker(root):
                return
            marked = marker.read(root)
            if marked.store_id != self._store.info.id:
                return
            with Workspace() as listed:
                attach_listing(listed, root, marked, "listed")
                rows = listed.all("select digest, path from listed where kind = 'file'")
        except (DatacatError, OSError, sql.Error):
            return
        self._add((digest, str(root / path), label) for digest, path in rows)

    def _list_cache(self) -> None:
        for files in {self._store.cache / "files", self._store.shared_cache / "files"}:
            self._add(
                (bytes.fromhex(path.parent.name), str(path), "your cache")
                for path in files.glob("*/*/*")
                if not path.name.startswith(".") and _is_hex(path.parent.name)
            )

    def _list_folder(self, folder: Path) -> None:
        """Files of a size that is missing; which of them it is, only reading tells."""
        sizes = {int(row[0]) for row in self._workspace.all("select distinct size from missing")}
        rows = []
        for path in _regular_files(folder):
            self._watch.stop.check()
            size = path.stat().st_size
            if size in sizes:
                digest = _digest_of(path, size, self._store.algorithm, self._watch.stop)
                if digest is not None:
                    rows.append((digest, str(path), printable(str(folder))))
        self._add(rows)

    def _add(self, rows: Iterable[tuple[object, ...]]) -> None:
        self._workspace.execute(
            "create or replace temp table arriving (digest blob, path varchar, label varchar)"
        )
        self._workspace.load("arriving", rows)
        self._workspace.execute(
            "insert into candidates select * from arriving"
            " where digest in (select digest from missing)"
        )

    def _checked(self) -> Iterator[Located]:
        """The first file of each content that holds it."""
        rows = self._workspace.all(
            f"""
            select c.digest, m.size, c.path, c.label from candidates c join missing m using (digest)
            qualify row_number() over (partition by c.digest order by c.rowid) <= {CANDIDATES_MAX}
            order by c.digest, c.rowid
            """
        )
        good: set[bytes] = set()
        for digest, size, path, label in rows:
            if digest in good:
                continue
            self._watch.stop.check()
            found = _digest_of(Path(path), size, self._store.algorithm, self._watch.stop)
            if found == digest:
                good.add(digest)
                yield Located(digest, size, Path(path), label)

    def _in_other(self, found: set[bytes], other: OpenedStore) -> Iterator[Located]:
        """What the other store has, as far as its index says; it is read when it is needed."""
        if other.algorithm != self._store.algorithm:
            return
        missing = [
            (digest, size)
            for digest, size in self._workspace.all("select digest, size from missing")
            if digest not in found
        ]
        with Workspace() as workspace:
            attach_readable(other, workspace, CatalogQuery(other.catalog.sync()))
            workspace.execute("create table missing (digest blob, size bigint)")
            workspace.load("missing", missing)
            rows = workspace.all(
                "select digest, size from missing where digest in (select digest from objects)"
            )
        for digest, size in rows:
            yield Located(digest, size, None, f"the store {other.backend.url}")


def fetch_from(
    other: OpenedStore, located: Iterable[Located], folder: Path, stop: StopSignal
) -> dict[bytes, Path]:
    """Files in `folder` with what the other store holds of `located`, each verified."""
    with Workspace() as workspace:
        attach_readable(other, workspace, CatalogQuery(other.catalog.sync()))
        workspace.execute("create table asked (digest blob, size bigint)")
        workspace.load("asked", ((one.digest, one.size) for one in located))
        want(
            workspace,
            "select hex(digest) as path, 'file' as kind, size, false as executable,"
            " 0::bigint as mtime_ns, digest, null::varchar as target from asked",
        )
        sink = _ToFolder(folder, other.algorithm, stop)
        fetch = Fetch(
            other.backend,
            workspace=workspace,
            algorithm=other.algorithm,
            sink=sink,
            stop=stop,
        )
        fetch.plan()
        with threads(other.client.jobs) as executor:
            fetch.run(executor, jobs=other.client.jobs, done=lambda _files, _size: None)
    return sink.arrived


class _ToFolder(Sink):
    def __init__(self, folder: Path, algorithm: str, stop: StopSignal) -> None:
        self._folder = folder
        self._algorithm = algorithm
        self._stop = stop
        self.arrived: dict[bytes, Path] = {}

    def write(self, wanted: Wanted, parts: Iterator[bytes | memoryview]) -> None:
        path = self._folder / wanted.digest.hex()
        with path.open("wb") as file:
            for part in parts:
                file.write(part)
        self.arrived[wanted.digest] = path

    def place(self, wanted: Wanted, source: Path, sums: bytes) -> None:  # noqa: ARG002
        """A whole container where it lies: its digest is compared here, and once more later."""
        if _digest_of(source, wanted.size, self._algorithm, self._stop) == wanted.digest:
            self.arrived[wanted.digest] = source


def _digest_of(path: Path, size: int, algorithm: str, stop: StopSignal) -> bytes | None:
    """The digest of a regular file of this size, None when it is not one or cannot be read."""
    hasher = new_hasher(algorithm)
    try:
        fd = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        try:
            found = os.fstat(fd)
            if not stat.S_ISREG(found.st_mode) or found.st_size != size:
                return None
            look_through(fd, look=hasher.update, stop=stop, limit=size)
        finally:
            os.close(fd)
    except Cancelled:
        raise
    except OSError:
        return None
    return hasher.digest()


def _regular_files(folder: Path) -> Iterator[Path]:
    for root, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if name != marker.DIRECTORY)
        for name in sorted(names):
            path = Path(root, name)
            with suppress(OSError):
                if stat.S_ISREG(path.lstat().st_mode):
                    yield path


def _is_hex(text: str) -> bool:
    return len(text) in (32, 64) and not set(text) - set("0123456789abcdef")
