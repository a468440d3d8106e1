"""Which versions a folder is similar to, whatever they are called.

`ranking` says which versions may be, out of the index and the sketches. The few that may be most
are compared file by file here: whatever is shown to anybody is exact.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from datacat.catalog.query import CatalogQuery
from datacat.catalog.relatives import Relative
from datacat.errors import Corrupt
from datacat.manifest import diff
from datacat.model import Change, Relation, Similar, Version
from datacat.opened import OpenedStore, Watch
from datacat.sql import Workspace, identifier
from datacat.transfer.tree import note_same_size
from datacat.working_copy.lookup import attach_manifest
from datacat.working_copy.ranking import Rank, rank, ranked

COMPARED_MAX = 4
"""Versions that are compared file by file: each takes a tenth of a second for 100,000 files."""

SHOWN_MAX = 3
"""Datasets that are told about."""

CLOSE = 0.005
"""A version that can be better by less than this is not worth a comparison."""


@dataclass(frozen=True, slots=True)
class _Match:
    """A version that was compared, and the view that shows its files."""

    version: Version
    rank: Rank
    similar: Similar
    view: str


class Similarity:
    """The folder in the workspace's `tree`, compared with the versions of a store.

    Needs the views of `objects.index.prepare`. `threshold` is the share of bytes from which a
    version counts as similar, 0 to 1.
    """

    def __init__(
        self,
        store: OpenedStore,
        workspace: Workspace,
        query: CatalogQuery,
        *,
        head: int,
        threshold: float,
        watch: Watch,
    ) -> None:
        self._store = store
        self._workspace = workspace
        self._query = query
        self._head = head
        self._threshold = threshold
        self._watch = watch
        self._found: tuple[_Match, ...] | None = None
        self._differences: set[str] = set()

    @property
    def found(self) -> tuple[Similar, ...]:
        """The versions that are similar, the best of each dataset, the best first.

        Looked for once, when it is first asked for. Files of `tree` without a digest count as
        content that the store does not have.
        """
        if self._found is None:
            self._found = self._find()
        return tuple(match.similar for match in self._found)

    @property
    def best(self) -> Version | None:
        """The version that the first of `found` is about."""
        return self._found[0].version if self.found and self._found else None

    def attach_best(self, view: str) -> None:
        """Make `view` show the files of `best`."""
        if self._found:
            source = identifier(self._found[0].view)
            self._workspace.execute(f"create or replace view {identifier(view)} as from {source}")

    def differences(self) -> Iterator[Change]:
        """Every path that differs from `best`, in order."""
        if self._found:
            table = self._compared(self._found[0])
            yield from diff.changes(self._workspace, table)

    def _find(self) -> tuple[_Match, ...]:
        files, size, stored = self._load_contents()
        if not stored:
            return ()
        found: dict[int, _Match] = {}
        looked = 0
        candidates = ranked(
            self._store,
            self._workspace,
            self._query,
            head=self._head,
            size=size,
            threshold=self._threshold,
        )
        for relative, possible in candidates:
            self._watch.stop.check()
            known = found.get(relative.dataset_id)
            if known is not None and known.rank >= (possible[0], possible[1] - CLOSE):
                continue
            if looked == COMPARED_MAX:
                break
            looked += 1
            match = self._compare(relative, f"similar_{looked}", files=files, size=size)
            if match is not None and (known is None or match.rank > known.rank):
                found[relative.dataset_id] = match
        best = sorted(found.values(), key=lambda match: match.rank, reverse=True)
        return tuple(self._with_differences(match) for match in best[:SHOWN_MAX])

    def _load_contents(self) -> tuple[int, int, int]:
        """Make `contents(digest, size, files)`: what of the folder the store has, and empty files.

        Returns how many files and bytes the folder holds, and how many of those bytes it is.
        """
        note_same_size(self._workspace)
        self._workspace.execute(
            """
            create or replace table contents as
            select digest, any_value(size) as size, count(*) as files
            from tree
            where kind = 'file' and digest is not null
                and (size = 0 or digest in (select digest from same_size))
            group by digest
            """
        )
        files, size, stored = self._workspace.row(
            """
            select count(*), coalesce(sum(size), 0)::bigint,
                   (select coalesce(sum(size * files), 0)::bigint from contents)
            from tree where kind = 'file'
            """
        )
        return files, size, stored

    def _compare(self, relative: Relative, view: str, *, files: int, size: int) -> _Match | None:
        """The version compared file by file; None when it is not similar, or damaged."""
        version = self._query.find_version(relative.name, relative.number)
        if version is None:
            return None
        try:
            attach_manifest(self._store, self._workspace, self._query, version, view)
        except Corrupt:
            return None  # `verify` names it; here it only cannot be shown
        same_files, same_bytes, theirs, their_bytes = self._workspace.row(
            f"""
            with theirs as (
                select digest, any_value(size) as size, count(*) as files
                from {view} where kind = 'file' group by digest
            ),
            same as (
                select least(c.files, t.files) as files, c.size
                from contents c join theirs t using (digest)
            )
            select (select coalesce(sum(files), 0)::bigint from same),
                   (select coalesce(sum(files * size), 0)::bigint from same),
                   (select coalesce(sum(files), 0)::bigint from theirs),
                   (select coalesce(sum(files * size), 0)::bigint from theirs)
            """
        )
        relation = _relation(same_bytes, size, their_bytes, self._threshold)
        if relation is None:
            return None
        similar = Similar(
            ref=version.ref,
            author=version.author,
            created_at=version.created_at,
            relation=relation,
            same_files=same_files,
            same_bytes=same_bytes,
            folder_files=files,
            folder_bytes=size,
            files=theirs,
            bytes=their_bytes,
        )
        reached = rank(same_bytes, size, their_bytes, self._threshold)
        return _Match(version, reached, similar, view)

    def _compared(self, match: _Match) -> str:
        """The table of the paths that differ, made when it is first asked for."""
        table = f"{match.view}_difference"
        if table not in self._differences:
            diff.compare(self._workspace, match.view, "tree", into=table)
            self._differences.add(table)
        return table

    def _with_differences(self, match: _Match) -> _Match:
        rows = self._workspace.all(
            f"""
            select change, count(*), list(path order by path)[:3]
            from {self._compared(match)} group by change
            """
        )
        counts = {change: count for change, count, _ in rows}
        first = {change: tuple(paths) for change, _, paths in rows}
        similar = replace(
            match.similar,
            added=counts.get("added", 0),
            modified=counts.get("modified", 0),
            removed=counts.get("removed", 0),
            renamed=counts.get("renamed", 0),
            added_first=first.get("added", ()),
            modified_first=first.get("modified", ()),
            removed_first=first.get("removed", ()),
        )
        return replace(match, similar=similar)


def _relation(same: int, here: int, there: int, threshold: float) -> Relation | None:
    """How a folder of `here` bytes relates to a version of `there`, with `same` in both."""
    if not same:
        return None
    if same >= threshold * max(here, there):
        return Relation.NEAR
    if same >= threshold * here:
        return Relation.PART
    return Relation.CONTAINS if same >= threshold * there else None
