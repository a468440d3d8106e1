"""Save a folder as a version: what `add` does.

Scan, take known digests from the stat cache, read and store the rest, write segment and manifest,
commit one record. The folder is then marked as a working copy of what was saved, so that the next
add knows its base and can tell when someone else saved in between.

A folder under a new name is compared with what the team has: before any of it is stored when that
is likely to find something, else when all of it was read anyway, and always before anybody sees it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from datacat.catalog.query import CatalogQuery
from datacat.create import begin_log
from datacat.errors import DatacatError, Failed
from datacat.manifest import diff
from datacat.model import AddResult, Changes, Unsaved, Version
from datacat.opened import OpenedStore, Watch
from datacat.sql import Workspace
from datacat.text import printable
from datacat.transfer.arrangement import Arrangement
from datacat.transfer.executor import threads
from datacat.transfer.ingest import Ingest
from datacat.transfer.journal import ChunkRow, Journal, adopt
from datacat.transfer.spread import SpreadIngest
from datacat.working_copy.compare import hash_tree
from datacat.working_copy.conflict import OvertakenMeanwhileError, conflict
from datacat.working_copy.entries import keep_unpulled, make_entries, repeated_bytes
from datacat.working_copy.healing import heal
from datacat.working_copy.likely import hash_if_likely
from datacat.working_copy.lookup import attach_index, attach_manifest
from datacat.working_copy.mark import attach_listing, mark_saved
from datacat.working_copy.publish import (
    CondemnedMeanwhileError,
    Publication,
    choose_chunks,
    publish,
)
from datacat.working_copy.question import DeclinedError, Question, asked_once
from datacat.working_copy.registering import keep_registered
from datacat.working_copy.request import SaveRequest
from datacat.working_copy.scan import Scanned, keep_digests
from datacat.working_copy.scan_provider import scan_any
from datacat.working_copy.similarity import Similarity
from datacat.working_copy.target import Target, find_sources, find_target

CONDEMNED_TRIES = 5
"""A commit whose content was condemned meanwhile starts over this often.

One that was overtaken starts over once: then it sees the newer version, and says so.
"""

SHRUNK = 8
"""A file that is so many times smaller than before is not taken for an edit: to look through the
old content would cost more than it saves."""


def save(store: OpenedStore, request: SaveRequest, watch: Watch) -> AddResult:
    """Save `request.path`. Nothing is visible to anybody before the one record is.

    Raises `Failed` (unreadable, changing), `InvalidInput`, `NotFound`, `Conflict`,
    `StorageError`, `OutcomeUnknown`.
    """
    request = replace(request, decide=asked_once(request.decide))
    for _ in range(CONDEMNED_TRIES):
        with Workspace() as workspace, suppress(CondemnedMeanwhileError, OvertakenMeanwhileError):
            result = _Save(store, request, watch, workspace).run()
            if not request.dry_run and isinstance(request.path, Path):
                keep_registered(store, Path(os.path.abspath(request.path)), watch)
            return result
    raise Failed("the content to save was deleted from the store meanwhile", kind="condemned")


class _Save:
    """One attempt, with a session id of its own."""

    def __init__(
        self, store: OpenedStore, request: SaveRequest, watch: Watch, workspace: Workspace
    ) -> None:
        self._store = store
        self._request = request
        self._watch = watch
        self._workspace = workspace
        self._session = store.client.new_id()
        self._snapshot = store.catalog.sync()
        if self._snapshot.seq == 0 and not request.dry_run:
            # Whoever made the store was interrupted before its first record.
            begin_log(store.backend, client=store.client)
            self._snapshot = store.catalog.sync()
        self._query = CatalogQuery(self._snapshot, store=store.backend.url)
        self._similarity: Similarity | None = None
        self._question: Question | None = None
        self._followed: Version | None = None

    def run(self) -> AddResult:
        request = self._request
        scanned = scan_any(
            self._workspace,
            request.path,
            store=self._store,
            watch=self._watch,
            ignore=request.ignore,
        )
        target = find_target(
            self._query, stem=scanned.stem, name=request.name, marked=scanned.marker
        )
        sources = find_sources(self._store, self._query, request.sources)
        kept = keep_unpulled(
            self._store,
            self._workspace,
            self._query,
            scanned,
            target=target,
            path=request.place,
            only_here=request.only_here,
        )
        attach_index(self._store, self._workspace, self._query, needed=None)
        if target.first and scanned.marker is None and not request.new:
            self._similarity = Similarity(
                self._store,
                self._workspace,
                self._query,
                head=self._snapshot.seq,
                threshold=request.similar,
                watch=self._watch,
            )
            self._question = Question(
                self._similarity,
                self._query,
                place=scanned.place,
                stem=scanned.stem,
                decide=request.decide,
            )
        try:
            if request.dry_run or (target.overtaken and not request.force):
                result = self._look(scanned, target, sources)
            else:
                result = self._store_and_publish(scanned, target, sources)
        except DeclinedError as declined:
            return AddResult(version=declined.version, created=False, declined=True)
        if not (result.created or request.dry_run):
            self._mark_known(scanned, target, result.version)
        return replace(
            result,
            skipped=scanned.report.skipped,
            skipped_count=scanned.report.skipped_count,
            warnings=(*scanned.report.warnings, *_not_compared(request)),
            kept=kept,
            repeated_bytes=repeated_bytes(self._workspace) if result.created else 0,
            renamed=target.asked if target.asked != target.name else None,
            first=result.created and target.first and result.version.number == 1,
            similar=self._similarity.found if self._similarity and result.created else (),
            newest=self._newer(result) if not result.created else None,
            unsaved=_unsaved(request, sources, result.version),
        )

    # Looking only

    def _look(self, scanned: Scanned, target: Target, sources: tuple[str, ...]) -> AddResult:
        """What an add would do, or the reason why it must not be done; stores nothing."""
        hash_tree(self._workspace, scanned, store=self._store, watch=self._watch)
        keep_digests(self._workspace, scanned, algorithm=self._store.algorithm)
        tree = make_entries(self._workspace, algorithm=self._store.algorithm)
        known = self._known(target, tree, sources)
        if known is not None:
            return AddResult(version=known, created=False, dry_run=self._request.dry_run)
        if target.overtaken and not self._request.force:
            raise self._conflict(scanned, target)
        changes = self._changes(target)
        new_bytes, files, size = self._workspace.row(
            """
            select coalesce((
                       select sum(size) from (select distinct digest, size from entries
                       where size > 0 and digest not in (select digest from objects))), 0)::bigint,
                   count(*) filter (kind <> 'dir'),
                   coalesce(sum(size) filter (kind = 'file'), 0)::bigint
            from entries
            """
        )
        request, newest = self._request, target.newest
        version = Version(
            name=target.name,
            number=self._query.next_number(target.name),
            hash=tree.hex(),
            message=request.message,
            author=self._store.client.user,
            created_at=self._store.client.now().replace(microsecond=0),
            files=files,
            bytes=size,
            new_bytes=new_bytes,
            stored_bytes=0,
            base=newest.ref if newest else None,
            changes=changes,
            aliases=(request.alias,) if request.alias else (),
            sources=sources,
            params=request.params,
            metrics=request.metrics,
            better=request.better,
            code=request.code,
            added_from=request.added_from,
        )
        return AddResult(version=version, created=True, dry_run=True)

    def _conflict(self, scanned: Scanned, target: Target) -> DatacatError:
        if target.gone and scanned.marker is not None and scanned.root is not None:
            # The copy itself knows what it started from.
            attach_listing(self._workspace, scanned.root, scanned.marker, "base_files")
        for version, view in ((target.base, "base_files"), (target.newest, "newest_files")):
            if version is not None and not (target.gone and version is target.base):
                attach_manifest(self._store, self._workspace, self._query, version, view)
        return conflict(
            self._workspace, target, path=self._request.place, now=self._store.client.now()
        )

    # Storing

    def _store_and_publish(
        self, scanned: Scanned, target: Target, sources: tuple[str, ...]
    ) -> AddResult:
        target = self._ask_early(scanned, target)
        folder = self._store.cache / "sessions"
        adopted = adopt(folder, self._store.backend)
        journal = Journal.begin(folder, self._session)
        try:
            self._find_edits(scanned, target)
            self._ingest(scanned, journal, adopted.rows)
            tree = make_entries(self._workspace, algorithm=self._store.algorithm)
            known = self._known(target, tree, sources)
            if known is not None:
                result = AddResult(version=known, created=False)
            else:
                if self._question is not None:
                    target = self._question.settle(target)
                choose_chunks(self._workspace)
                version = publish(
                    self._store,
                    self._workspace,
                    self._snapshot,
                    self._request,
                    Publication(target, tree, self._changes(target), sources, self._session),
                )
                mark_saved(
                    self._store,
                    self._workspace,
                    scanned,
                    version,
                    partial=not self._request.only_here,
                )
                result = AddResult(version=version, created=True)
            heal(self._store, self._workspace, self._snapshot)
        except BaseException:
            # INV hands off: what was uploaded stays; the journals let the next add take it over.
            for unfinished in (journal, *adopted.journals):
                unfinished.close()
            raise
        for finished in (journal, *adopted.journals):
            finished.remove()
        keep_digests(self._workspace, scanned, algorithm=self._store.algorithm)
        return result

    def _ask_early(self, scanned: Scanned, target: Target) -> Target:
        """Settle the question before anything is stored, if there probably is one. Then the content
        that differs is stored as edits of what the folder is similar to."""
        if self._similarity is None or self._question is None:
            return target
        likely = hash_if_likely(
            self._store,
            self._workspace,
            scanned,
            threshold=self._request.similar,
            watch=self._watch,
        )
        if likely:
            target = self._question.settle(target)
            self._followed = self._similarity.best
        return target

    def _find_edits(self, scanned: Scanned, target: Target) -> None:
        """Make `edits`: files that may have changed since the version that this one follows, and
        the content that they had in it, unless it was so much more that it is hardly the same."""
        older = target.newest if target.gone else target.base or target.newest
        base = self._followed or older or self._origin(scanned)
        if base is None:
            self._workspace.execute("create table edits (path varchar, object blob)")
            return
        attach_manifest(self._store, self._workspace, self._query, base, "followed")
        self._workspace.execute(
            f"""
            create table edits as
            select t.path, f.digest as object
            from tree t join followed f using (path)
            where t.kind = 'file' and f.kind = 'file' and t.size > 0 and f.size > 0
              and f.size <= {SHRUNK} * t.size and t.digest is distinct from f.digest
            """
        )

    def _origin(self, scanned: Scanned) -> Version | None:
        """The version that a working copy started from, also when it goes to another dataset."""
        marked = scanned.marker
        if marked is None or self._query.current_name(marked.name) is None:
            return None
        version = self._query.find_version(marked.name, marked.number)
        return None if version is None or self._query.is_gone(version) else version

    def _ingest(self, scanned: Scanned, journal: Journal, adopted: list[ChunkRow]) -> None:
        jobs, info = self._store.client.jobs, self._store.info
        arrangement = Arrangement(self._request.layout or info.parameters.layout, info.link)
        workers = self._request.executor
        ingest = (Ingest if workers is None else SpreadIngest)(
            self._store.backend,
            workspace=self._workspace,
            parameters=info.parameters,
            session=self._session,
            files=scanned.files,
            journal=journal,
            arrangement=arrangement,
            listener=self._watch.listener,
            stop=self._watch.stop,
        )
        if isinstance(ingest, SpreadIngest) and workers is not None:
            ingest.assign(workers, options=self._store.options, arrangement=arrangement)
        try:
            with threads(jobs) as executor:
                ingest.run(executor, jobs=jobs, adopted=adopted)
        except BaseException:
            # What was hashed so far is remembered, so that an interrupted add goes on from there.
            keep_digests(self._workspace, scanned, algorithm=self._store.algorithm)
            raise

    def _known(self, target: Target, tree: bytes, sources: tuple[str, ...]) -> Version | None:
        """The version that has exactly this content already, unless it shall be saved anyway."""
        known, request = self._query.version_by_tree(tree.hex(), name=target.name), self._request
        if known is None:
            return None
        if (known.name, known.number) == _identity(target.newest):
            # The newest again is no new version, unless it is another run with the same result.
            wanted = request.new_version and bool(_unsaved(request, sources, known))
        else:
            wanted = request.new_version or (request.new and known.name != target.name)
        return None if wanted else known

    def _mark_known(self, scanned: Scanned, target: Target, known: Version) -> None:
        """The folder holds the newest version: what is saved from it next, follows that one.

        So does the add after one that was interrupted just behind its record.
        """
        if _identity(target.newest) != (known.name, known.number) or target.base == known:
            return
        mark_saved(
            self._store, self._workspace, scanned, known, partial=not self._request.only_here
        )

    def _changes(self, target: Target) -> Changes:
        """How `entries` differ from the newest version of the dataset."""
        if target.newest is None:
            (added,) = self._workspace.row("select count(*) from entries where kind <> 'dir'")
            return Changes(added=added)
        attach_manifest(self._store, self._workspace, self._query, target.newest, "previous")
        diff.compare(self._workspace, "previous", "entries")
        return diff.counts(self._workspace)

    def _newer(self, result: AddResult) -> str | None:
        newest = self._query.newest(result.version.name)
        known = newest is None or newest.number == result.version.number
        return None if known or newest is None else newest.ref


def _unsaved(request: SaveRequest, sources: tuple[str, ...], version: Version) -> Unsaved:
    """What the request says of the run and `version` does not."""
    # 1 and 1.0 and True are equal to Python, and are not the same value.
    said = {*map(repr, version.params.items())}, {*map(repr, version.metrics.items())}
    return Unsaved(
        params={k: v for k, v in request.params.items() if repr((k, v)) not in said[0]},
        metrics={k: v for k, v in request.metrics.items() if repr((k, v)) not in said[1]},
        better={k: v for k, v in request.better.items() if version.better.get(k) != v},
        sources=tuple(source for source in sources if source not in version.sources),
    )


def _identity(version: Version | None) -> tuple[str, int] | None:
    return (version.name, version.number) if version else None


def _not_compared(request: SaveRequest) -> Iterator[str]:
    """Metrics that are no number are probably a typing error, or a run that diverged."""
    for name, value in request.metrics.items():
        if isinstance(value, str | bool):
            yield (
                f"metric {printable(name)} is '{printable(str(value))[:80]}', not a number:"
                " it is kept, but never compared"
            )
