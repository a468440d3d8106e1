"""Repair a store: examine everything, show the plan, then put right what can be."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from datacat import layout, refs
from datacat.backend.download import StoredFile
from datacat.catalog import record_parts
from datacat.catalog.database import Catalog
from datacat.catalog.query import CatalogQuery
from datacat.errors import Corrupt
from datacat.maintenance.log_copies import examine_log
from datacat.maintenance.repair.containers import examine_containers, set_bad_aside
from datacat.maintenance.repair.described import (
    Described,
    chained,
    find_damaged,
    plan_files,
    plan_log,
)
from datacat.maintenance.repair.plan import ContentPlan, list_content, plan_content
from datacat.maintenance.repair.rebuild import (
    index_orphans,
    list_again,
    same_tree,
    write_no_recipes,
    write_orphans,
)
from datacat.maintenance.repair.sources import Located, Sources, fetch_from
from datacat.maintenance.repair.store_again import Again, quarantine
from datacat.model import Damage, Mend, Repair, Version
from datacat.objects.index import Index, Segment
from datacat.opened import OpenedStore, Watch
from datacat.sql import Workspace
from datacat.working_copy.lookup import attach_readable
from datacat.working_copy.publish import uploaded

Confirm = Callable[[Repair], bool]


@dataclass(slots=True)
class _Files:
    """Lists of files and parts of the index: what can be put back, and what is made again."""

    described: Described = field(default_factory=Described)
    lists: list[tuple[Version, Path, Mend]] = field(default_factory=list)
    unlisted: list[Damage] = field(default_factory=list)
    segments: list[Segment] = field(default_factory=list)
    """Lost parts of the index: their rows were made again, as far as that can be."""


def repair(
    store: OpenedStore,
    *,
    other: OpenedStore | None,
    folders: Sequence[Path],
    dry_run: bool,
    confirm: Confirm | None,
    watch: Watch,
) -> Repair:
    """Mend what is damaged; `other` and `folders` are where good copies may be too.

    `confirm` is asked when the plan is made. A log that only `other` has whole is mended first,
    with a plan of its own. Raises `Corrupt` when a record of the log is lost everywhere, and
    `Conflict`.
    """
    began = time.monotonic()
    with Workspace() as workspace:
        job = _Repair(store, other, folders, workspace, watch)
        log, unreadable = job.plan_log()
        first = Repair()
        if unreadable:
            first = Repair(damaged=tuple(log.damaged), mends=tuple(m for m, _ in log.mends))
            if dry_run or not (confirm is None or confirm(first)):
                return replace(first, seconds=time.monotonic() - began)
            _put(log)
            store.backend.sync()
            log = Described()
        plan = replace(job.plan_rest(log), seconds=time.monotonic() - began)
        going = not (plan.is_empty or dry_run) and (confirm is None or confirm(plan))
        if going:
            job.execute(log)
    return replace(
        plan,
        damaged=(*first.damaged, *plan.damaged),
        mends=(*first.mends, *plan.mends),
        done=going or (unreadable and plan.is_empty),
        seconds=time.monotonic() - began,
    )


def _put(described: Described) -> None:
    for _, put in described.mends:
        put()


class _Repair:
    def __init__(
        self,
        store: OpenedStore,
        other: OpenedStore | None,
        folders: Sequence[Path],
        workspace: Workspace,
        watch: Watch,
    ) -> None:
        self._cached = store
        self._other = other
        self._folders = folders
        self._workspace = workspace
        self._watch = watch
        folder = workspace.folder
        # Nothing is taken from the cache, except as a copy that is compared.
        self._store = replace(
            store,
            catalog=Catalog(store.catalog.log, folder / "catalog", store.info.id),
            index=Index(store.backend, folder / "segments"),
        )
        self._manifests = folder / "manifests"
        self._files = _Files()
        self._lists: list[tuple[str, bytes, Mend]] = []
        self._content = ContentPlan()

    # The plan

    def plan_log(self) -> tuple[Described, bool]:
        """What is wrong with the log, and whether it cannot be read without the other store's."""
        log = self._store.catalog.log
        others = []
        if self._other is not None:
            theirs = self._other.catalog.log
            if theirs.genesis_digest == log.genesis_digest:
                others.append((theirs, f"the store {self._other.backend.url}"))
        sources: dict[int, str] = {}
        entries = chained(log, others, sources)
        state = examine_log(self._store, self._watch, entries=entries)
        return plan_log(state, self._store, sources=sources), bool(sources)

    def plan_rest(self, log: Described) -> Repair:
        """Everything else, as of the head of the log."""
        self._snapshot = self._store.catalog.sync()
        query = self._query = CatalogQuery(self._snapshot, store=self._store.backend.url)
        self._manifests.mkdir()
        (self._workspace.folder / "segments").mkdir(exist_ok=True)
        self._plan_lists(query)
        self._plan_index(query)
        attach_readable(self._store, self._workspace, query)
        kept = query.kept()
        listed = {
            v.manifest.key: str(self._manifests / v.manifest.key.rpartition("/")[2]) for v in kept
        }
        for version, path, _ in self._files.lists:
            listed[query.manifest_of(version).key] = str(path)
        there = {key: path for key, path in listed.items() if Path(path).exists()}
        list_content(self._workspace, kept, there)
        examined = examine_containers(self._store, self._workspace, self._watch)
        self._plan_pack_lists()
        set_bad_aside(self._workspace)
        sources = Sources(
            self._cached,
            query,
            self._workspace,
            folders=self._folders,
            other=self._other,
            watch=self._watch,
        )
        content = self._content = plan_content(self._workspace, sources, examined)
        files = self._files
        return Repair(
            damaged=(
                *log.damaged,
                *files.described.damaged,
                *content.damaged,
                *(
                    Damage(None, mend.key or "", "its own list is damaged")
                    for *_, mend in self._lists
                ),
            ),
            mends=(
                *(mend for mend, _ in log.mends),
                *(mend for mend, _ in files.described.mends),
                *(mend for *_, mend in files.lists),
                *(_index_mend(segment) for segment in files.segments),
                *(mend for *_, mend in self._lists),
                *content.mends,
            ),
            lost=(*files.unlisted, *content.lost),
            checked_files=content.containers + len(kept),
            checked_bytes=content.bytes,
        )

    def _plan_lists(self, query: CatalogQuery) -> None:
        by_key: dict[str, list[str]] = {}
        wanted: dict[str, StoredFile] = {}
        for version in query.kept():
            by_key.setdefault(version.manifest.key, []).append(version.ref)
            file = version.manifest
            wanted[file.key] = StoredFile(file.key, file.size, file.digest)
        damaged = find_damaged(self._store, list(wanted.values()), self._manifests, self._watch)
        found = plan_files(
            self._cached,
            [(f, error, f"the list of files of {by_key[f.key][0]}") for f, error in damaged],
            other=self._other,
            folder=self._manifests,
        )
        self._add(found)
        for stored in found.lost:
            for ref in by_key[stored.key]:
                whose = query.find(refs.parse(ref))
                again = same_tree(self._store, query, whose, self._manifests)
                if again is None:
                    why = "no good copy of its list of files was found"
                    self._files.unlisted.append(Damage(ref, "(its list of files)", why))
                else:
                    mend = Mend(f"the list of files of {ref}", stored.key, again[1], 0)
                    self._files.lists.append((whose, again[0], mend))

    def _plan_index(self, query: CatalogQuery) -> None:
        segments = [
            Segment(p.seq, p.kind, StoredFile(p.file.key, p.file.size, p.file.digest))
            for p in query.segments()
        ]
        index, folder = self._store.index, self._workspace.folder / "segments"
        unread = list(index.unreadable(self._workspace, segments))
        by_key = {segment.file.key: segment for segment, _ in unread}
        found = plan_files(
            self._cached,
            [(s.file, error, f"the index of record {s.seq}") for s, error in unread],
            other=self._other,
            folder=folder,
        )
        self._add(found)
        for mend, _ in found.mends:
            segment = by_key[mend.key or ""]
            copy = folder / f".again-{segment.seq}-{segment.relation}"
            copy.write_bytes((folder / segment.file.key.rpartition("/")[2]).read_bytes())
            index.supply(segment, copy)
        self._files.segments = lost = [by_key[stored.key] for stored in found.lost]
        if not lost:
            return
        with Workspace() as looking:
            attach_readable(self._store, looking, query)
            index_orphans(self._store, looking, self._watch)
            written = False
            for segment in lost:
                target = folder / f".again-{segment.seq}-{segment.relation}"
                if segment.relation == "chunks":
                    write_orphans(looking, target, empty=written)
                    written = True
                else:
                    write_no_recipes(looking, target)
                index.supply(segment, target)

    def _plan_pack_lists(self) -> None:
        for (key,) in self._workspace.all("select container from bad_lists order by container"):
            data = list_again(self._store, self._workspace, key)
            if data is not None:
                mend = Mend("what a pack says that it holds", key, "the index", len(data))
                self._lists.append((key, data, mend))

    def _add(self, found: Described) -> None:
        self._files.described.damaged += found.damaged
        self._files.described.mends += found.mends

    # The execution

    def execute(self, log: Described) -> None:
        """Put right what can be, in the order in which each relies on what was before."""
        _put(log)
        _put(self._files.described)
        for key, data, _ in self._lists:
            self._store.backend.replace(key, data)
        self._store.backend.sync()
        self._store_again()
        bad = self._workspace.all("select distinct container, chunk from bad")
        lost = [(segment.file.key, None) for segment in self._files.segments]
        quarantine(self._store, [*bad, *lost])

    def _store_again(self) -> None:
        seqs = [str(segment.seq) for segment in self._files.segments]
        if not (self._content.located or seqs or self._files.lists):
            return
        again = Again(self._store, self._workspace, self._watch)
        try:
            for located in self._content.located:
                self._content_again(again, located)
            if seqs:
                # Only what is read from there now: what is bad of it is stored elsewhere.
                again.rows(f"select * from usable where seq in ({', '.join(seqs)})")
            again.publish(self._snapshot, self._manifests_again(again.session))
        except BaseException:
            again.discard()
            raise

    def _content_again(self, again: Again, located: Located) -> None:
        path = located.path
        if path is None:
            if self._other is None:
                raise Corrupt(f"{located.label} is gone", kind="source_changed")
            folder, stop = self._workspace.folder, self._watch.stop
            path = fetch_from(self._other, [located], folder, stop).get(located.digest)
            if path is None:
                raise Corrupt(
                    f"{located.label} does not hold what its index says", kind="source_changed"
                )
        parts = self._workspace.all(
            """
            select start, size, chunk from cuts
            where object = $1 and chunk not in (select digest from usable)
                and chunk not in (select digest from new_chunks)
            order by start
            """,
            [located.digest],
        )
        if parts:
            for start, size, chunk in parts:
                again.chunk(path, start, size, chunk)
        else:
            again.content(path, located.digest, located.size)
            self._parts_again(again, located)
        if path.parent == self._workspace.folder:
            path.unlink()

    def _parts_again(self, again: Again, located: Located) -> None:
        """Others may be made of parts of what was stored whole: they are where they were in it."""
        key = layout.whole(located.digest.hex(), again.session)
        old = layout.whole(located.digest.hex(), "")
        again.rows(
            f"""
            select c.* replace ('{key}' as container) from chunks c
            where starts_with(c.container, '{old}') and c.digest <> unhex('{located.digest.hex()}')
                and exists (select 1 from new_chunks n where n.container = '{key}')
            """
        )

    def _manifests_again(self, session: str) -> list[record_parts.MovedManifest]:
        moved = []
        for version, path, _ in self._files.lists:
            key = layout.manifest(version.hash, f"{session}")
            file = uploaded(self._store, key, path)
            moved.append(
                record_parts.MovedManifest(
                    dataset=version.name, number=version.number, manifest=file
                )
            )
        return moved


def _index_mend(segment: Segment) -> Mend:
    return Mend(f"the index of record {segment.seq}", segment.file.key, "packs and containers", 0)
