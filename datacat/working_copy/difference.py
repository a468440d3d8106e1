"""What differs between two versions, two folders, or one of each: what `diff` shows."""

from __future__ import annotations

import itertools
import os
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from datacat import refs
from datacat.catalog.query import CatalogQuery
from datacat.errors import InvalidInput
from datacat.manifest import diff
from datacat.model import Change, ChangeKind, Diff, Version
from datacat.opened import OpenedStore, Watch
from datacat.sql import Workspace
from datacat.text import printable
from datacat.transfer.executor import threads
from datacat.transfer.fetch import Fetch
from datacat.transfer.sink import Sink, Wanted, want
from datacat.working_copy import marker
from datacat.working_copy.compare import hash_tree
from datacat.working_copy.copying import check
from datacat.working_copy.lookup import attach_index, attach_manifest
from datacat.working_copy.naming import Word, find_meaning
from datacat.working_copy.scan import keep_digests, marker_of, scan_folder
from datacat.working_copy.table_shape import TABLE_BYTES_MAX, difference, is_table, shape_of

TABLES_MAX = 20
"""Tables whose rows are counted; the rest of a long diff shows sizes only."""


@dataclass(frozen=True, slots=True)
class Side:
    """One side of a diff: a version, or a folder with the version it came from."""

    version: Version | None = None
    folder: Path | None = None

    @property
    def label(self) -> str:
        return self.version.ref if self.version else str(self.folder)


def sides(
    store: OpenedStore, query: CatalogQuery, a: Word | None, b: Word | None
) -> tuple[Side, Side]:
    """What is compared with what.

    Nothing: this working copy's version with the copy. A folder alone: its version with it. A
    reference alone: it with the newest version of its dataset. Raises `InvalidInput`, `NotFound`.
    """
    if a is None:
        a = "."
    first = _side(query, a)
    if b is not None:
        return first, _side(query, b)
    if first.version is not None:
        newest = query.newest(first.version.name)
        return first, Side(version=newest or first.version)
    root = next(iter(marker.find(first.folder or Path())), None)
    marked = marker_of(root, store.info.id) if root else None
    if root is None or marked is None:
        raise InvalidInput(
            f"{printable(os.fspath(a))} is not a working copy, so there is nothing to compare it"
            " with",
            kind="nothing_to_compare",
            commands=[f"datacat diff NAME@VERSION {shlex.quote(os.fspath(a))}"],
        )
    return Side(version=query.resolve(refs.parse(marked.ref))), Side(folder=root)


def _side(query: CatalogQuery, word: Word) -> Side:
    meant = find_meaning(query, word)
    return Side(version=meant) if isinstance(meant, Version) else Side(folder=meant)


class Comparison:
    """One comparison of two sides."""

    def __init__(
        self, store: OpenedStore, query: CatalogQuery, *, ignore: Sequence[str], watch: Watch
    ) -> None:
        self._store = store
        self._query = query
        self._ignore = ignore
        self._watch = watch

    def run(self, a: Side, b: Side, *, details: bool) -> Diff:
        """The differences from `a` to `b`; with `details` also the rows and columns of tables."""
        with Workspace() as workspace:
            self._load(workspace, a, "old_files")
            self._load(workspace, b, "new_files")
            diff.compare(workspace, "old_files", "new_files")
            changes = diff.changes(workspace)
            if details:
                lines = self._table_lines(workspace, a, b, changes)
                changes = tuple(replace(c, detail=lines.get(c.path)) for c in changes)
            bytes_a, bytes_b = workspace.row(
                """
                select (select coalesce(sum(size) filter (kind = 'file'), 0)::bigint
                        from old_files),
                       (select coalesce(sum(size) filter (kind = 'file'), 0)::bigint
                        from new_files)
                """
            )
        kinds = [change.change for change in changes]
        return Diff(
            a=a.label,
            b=b.label,
            added=kinds.count(ChangeKind.ADDED),
            modified=kinds.count(ChangeKind.MODIFIED),
            removed=kinds.count(ChangeKind.REMOVED),
            renamed=kinds.count(ChangeKind.RENAMED),
            bytes_a=bytes_a,
            bytes_b=bytes_b,
            changes=changes,
        )

    def _load(self, workspace: Workspace, side: Side, table: str) -> None:
        if side.version is not None:
            attach_manifest(self._store, workspace, self._query, side.version, table)
            return
        if side.folder is None:
            raise ValueError("a side is a version or a folder")
        scanned = scan_folder(
            workspace, side.folder, store=self._store, watch=self._watch, ignore=self._ignore
        )
        hash_tree(workspace, scanned, store=self._store, watch=self._watch)
        keep_digests(workspace, scanned, algorithm=self._store.algorithm)
        workspace.execute(f"create table {table} as select * from tree")

    def _table_lines(
        self, workspace: Workspace, a: Side, b: Side, changes: Sequence[Change]
    ) -> dict[str, str]:
        """A line about rows and columns for the first modified tables."""
        names = [
            change.path
            for change in changes
            if change.change is ChangeKind.MODIFIED
            and is_table(change.path)
            and max(change.bytes or 0, change.old_bytes or 0) <= TABLE_BYTES_MAX
        ][:TABLES_MAX]
        if not names:
            return {}
        before = self._local_files(a, names, folder=workspace.folder / "before")
        after = self._local_files(b, names, folder=workspace.folder / "after")
        lines: dict[str, str] = {}
        for name in before.keys() & after.keys():
            old = shape_of(workspace, before[name], name=name)
            new = shape_of(workspace, after[name], name=name)
            if old is not None and new is not None:
                lines[name] = difference(old, new)
        return lines

    def _local_files(self, side: Side, names: Sequence[str], *, folder: Path) -> dict[str, Path]:
        """Where the content of these files can be read: in the folder, or fetched for a moment."""
        if side.folder is not None:
            return {name: side.folder / name for name in names}
        if side.version is None:
            return {}
        folder.mkdir()
        sink = _Files(folder)
        with Workspace() as own:
            attach_manifest(self._store, own, self._query, side.version, "version_files")
            want(
                own,
                "select * from version_files where path in (select unnest($1::varchar[]))",
                [list(names)],
            )
            attach_index(self._store, own, self._query, needed=side.version)
            fetch = Fetch(
                self._store.backend,
                workspace=own,
                algorithm=self._store.algorithm,
                sink=sink,
                stop=self._watch.stop,
            )
            fetch.plan()
            jobs = self._store.client.jobs
            with threads(jobs) as executor:
                fetch.run(executor, jobs=jobs, done=lambda _files, _size: None)
        return sink.files


class _Files(Sink):
    """A sink for a few files: whole containers stay where they are, others become temporaries."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers = itertools.count()
        self.files: dict[str, Path] = {}

    def write(self, wanted: Wanted, parts: Iterator[bytes | memoryview]) -> None:
        """Write the content to a temporary of its own."""
        path = self._folder / str(next(self._numbers))
        with path.open("xb") as file:
            for part in parts:
                file.write(part)
        self.files[wanted.path] = path

    def place(self, wanted: Wanted, source: Path, sums: bytes) -> None:
        """Read a container in place, once it is known to be whole."""
        with source.open("rb") as file:
            check(file.fileno(), size=wanted.size, checksums=sums)
        self.files[wanted.path] = source
