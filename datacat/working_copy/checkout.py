"""Bring a folder to a version: what `pull` does.

Everything is planned before anything is touched: which files are right already, which would be
overwritten although somebody changed them, what has to go. Then files are written, each to a
temporary that is renamed, links last. The marker is written at the very end, so an interrupted
pull is continued by running it again: what has arrived is recognised by its content.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from datacat import refs
from datacat.catalog.query import CatalogQuery
from datacat.errors import Corrupt, Refused, StorageFull
from datacat.manifest.entry import COLUMNS
from datacat.model import PullResult, Version
from datacat.opened import OpenedStore, Watch
from datacat.progress import Advanced, Finished, Started
from datacat.sql import Loader, Workspace
from datacat.text import printable
from datacat.transfer.executor import threads
from datacat.transfer.fetch import Fetch
from datacat.transfer.sink import Damaged
from datacat.working_copy import marker, safe_path
from datacat.working_copy.arrival import Arrivals
from datacat.working_copy.compare import compare_folder
from datacat.working_copy.destination import choose_place, find_local_edits
from datacat.working_copy.lookup import attach_index, attach_manifest, check_tree
from datacat.working_copy.mark import attach_listing, id_for, mark
from datacat.working_copy.materialize import Destination, FileStat
from datacat.working_copy.registering import LINKS, Held, announce, keep_registered
from datacat.working_copy.request import PullRequest
from datacat.working_copy.room import refuse_full
from datacat.working_copy.scan import empty_tree, keep_digests, save_digests, scan_folder
from datacat.working_copy.selection import PathPatterns, no_match
from datacat.working_copy.temporary import remove_abandoned


def pull(store: OpenedStore, request: PullRequest, watch: Watch) -> PullResult:
    """Bring the folder to the version. Never overwrites local edits without `force`.

    Raises `NotFound`, `Refused` (local edits, a folder of something else), `Corrupt` naming the
    files whose stored content is damaged (all others have arrived), `StorageFull`.
    """
    with Workspace() as workspace:
        result = _Pull(store, request, watch, workspace).run()
    if request.dry_run:
        return result
    reason = keep_registered(store, Path(result.path), watch)
    if reason is None or request.link not in LINKS:
        return result
    warning = (
        f"the store does not know of these links, so garbage collection may break them: {reason}"
    )
    return replace(result, warnings=(*result.warnings, warning))


class _Pull:
    def __init__(
        self, store: OpenedStore, request: PullRequest, watch: Watch, workspace: Workspace
    ) -> None:
        self._store = store
        self._request = request
        self._watch = watch
        self._workspace = workspace
        self._query = CatalogQuery(store.catalog.sync(), store=store.backend.url)
        ref = refs.parse(request.ref)
        self._version = self._query.resolve(ref)
        inside = (f"/{ref.path}",) if ref.path else ()
        self._place = choose_place(
            store, self._query, self._version, request.dest, (*inside, *request.patterns)
        )

    def run(self) -> PullResult:
        self._select()
        self._plan()
        result = self._result()
        (to_do,) = self._workspace.row(
            "select (select count(*) from to_write) + (select count(*) from to_remove)"
        )
        if self._request.dry_run:
            return result
        if not to_do and self._is_marked():
            left = self._place.root / marker.DIRECTORY / marker.TEMPORARY
            remove_abandoned(left, now_ns=time.time_ns())
            return result
        return self._write(result)

    # Planning

    def _select(self) -> None:
        """Make `selected`: the entries of the version that shall be in the folder."""
        workspace, place = self._workspace, self._place
        attach_manifest(self._store, workspace, self._query, self._version, "version_files")
        check_tree(self._store, workspace, self._query, self._version, "version_files")
        if not place.patterns:
            workspace.execute(f"create table selected as select {COLUMNS} from version_files")
        else:
            patterns = PathPatterns(place.patterns)
            rows = workspace.rows("select path, kind = 'dir' from version_files order by path")
            taken = [(path,) for path, folder in rows if patterns.takes(path, is_folder=folder)]
            workspace.execute("create table taken (path varchar)")
            workspace.load("taken", taken)
            for pattern in patterns.unmatched:
                if pattern in self._request.patterns:
                    paths = (row[0] for row in workspace.rows("select path from version_files"))
                    raise no_match(self._version.ref, pattern, paths)
            workspace.execute(
                f"create table selected as select {COLUMNS} from version_files"
                " semi join taken using (path)"
            )
        safe_path.check_entries(workspace, "selected", listing=f"the list of {self._version.ref}")

    def _plan(self) -> None:
        """Make `to_write` and `to_remove`, or raise `Refused` because of local edits."""
        workspace, place = self._workspace, self._place
        if place.exists:
            scanned = scan_folder(
                workspace,
                place.root,
                store=self._store,
                watch=self._watch,
                ignore=self._request.ignore,
            )
            # What lies there is compared with what shall be there ...
            compare_folder(
                workspace, scanned, "selected", store=self._store, watch=self._watch, into="ahead"
            )
            if place.marked is not None:
                attach_listing(workspace, place.root, place.marked, "listed")
                compare_folder(
                    workspace, scanned, "listed", store=self._store, watch=self._watch, into="edits"
                )
            keep_digests(workspace, scanned, algorithm=self._store.algorithm)
        else:
            empty_tree(workspace)
        if place.marked is None or not place.exists:
            workspace.execute(f"create table listed as select {COLUMNS} from selected limit 0")
        workspace.execute(
            """
            create table to_write as
            select s.* from selected s
            where not exists (
                select 1 from tree t
                where t.path = s.path and t.kind = s.kind and t.executable = s.executable
                  and t.digest is not distinct from s.digest
                  and t.target is not distinct from s.target
            )
            """
        )
        # ... and what was pulled before and is not wanted any more goes, if nobody changed it.
        workspace.execute(
            """
            create table to_remove as
            select l.path, l.kind
            from listed l
            join tree t using (path)
            left join selected s using (path)
            where s.path is null or (s.kind = 'dir' and t.kind <> 'dir')
            union
            -- An empty folder below what becomes a file: it is nothing, and would be in the way.
            select path, kind
            from (
                select path, kind, string_split(path, '/') as parts from tree where kind = 'dir'
            ), unnest(range(1, len(parts))) d(depth)
            where array_to_string(parts[1:depth], '/') in (
                select path from to_write where kind <> 'dir'
            )
            """
        )
        find_local_edits(workspace, place, self._version, force=self._request.force)

    def _is_marked(self) -> bool:
        marked = self._place.marked
        return (
            marked is not None
            and (marked.name, marked.number) == (self._version.name, self._version.number)
            and marked.patterns == self._place.patterns
        )

    def _result(self) -> PullResult:
        workspace, version, place = self._workspace, self._version, self._place
        files, size = workspace.row(
            "select count(*) filter (kind <> 'dir'),"
            " coalesce(sum(size) filter (kind = 'file'), 0)::bigint from selected"
        )
        written, written_bytes, replaced = workspace.row(
            """
            select count(*) filter (kind <> 'dir'),
                   coalesce(sum(size) filter (kind = 'file'), 0)::bigint,
                   count(*) filter (path in (select path from tree))
            from to_write
            """
        )
        (removed,) = workspace.row("select count(*) from to_remove where kind <> 'dir'")
        (others,) = workspace.row(
            "select count(*) from tree anti join selected using (path)"
            " anti join to_remove using (path) anti join mine using (path) where kind <> 'dir'"
        )
        links = self._request.link in LINKS
        return PullResult(
            ref=version.ref,
            path=str(place.root),
            files=files,
            bytes=size,
            copied=written,
            already=files - written,
            linked=0,
            removed=removed,
            copied_bytes=written_bytes,
            partial=bool(place.patterns),
            previous=place.previous,
            checked=not links,
            adopted=place.exists and place.marked is None and files > 0 and not written,
            total_files=version.files,
            dry_run=self._request.dry_run,
            replaced=replaced,
            others=others,
        )

    # Writing

    def _write(self, planned: PullResult) -> PullResult:
        workspace, place = self._workspace, self._place
        self._make_wanted()
        above = (place.root, *place.root.parents)
        made = [folder for folder in above if not os.path.lexists(folder)]
        with Destination(place.root) as destination:
            arrivals = self._arrivals(destination)
            fetch = self._fetch_plan(arrivals)
            damaged = fetch.plan()
            try:
                safe_path.check_entries(
                    workspace,
                    "selected",
                    listing=f"the list of {self._version.ref}",
                    names=destination.names(),
                )
                refuse_full(
                    workspace,
                    place.root,
                    store_path=self._store.local_path,
                    link=self._request.link,
                    ref=self._version.ref,
                )
            except (StorageFull, Refused):
                destination.close()
                self._leave_as_it_was(made)
                raise
            held = self._held()
            if held.link in LINKS:
                # Before there is a link: garbage collection hears of it in time.
                announce(self._store, place.root, held, self._watch)
            backup = self._back_up(destination)
            self._remove(destination)
            damaged += self._run(fetch, arrivals, planned)
            arrivals.finish(workspace)
            if damaged:
                raise _damaged(self._version, damaged)
        mark(
            self._store,
            workspace,
            place.root,
            self._version,
            relation="selected",
            patterns=place.patterns,
            link=self._request.link,
            copy_id=held.copy_id,
            pulled_at=held.pulled_at,
            last_pull=held.last_pull,
        )
        save_digests(workspace, place.root, algorithm=self._store.algorithm)
        return replace(
            planned,
            copied=arrivals.copied,
            linked=arrivals.linked,
            copied_bytes=arrivals.copied_bytes,
            checked=arrivals.checked,
            backup=backup,
        )

    def _held(self) -> Held:
        version, now = self._version, self._store.client.now()
        return Held(
            copy_id=id_for(self._store, self._place.root, self._place.marked),
            name=version.name,
            number=version.number,
            link=self._request.link,
            partial=bool(self._place.patterns),
            pulled_at=now,
            last_pull=marker.Pulled(name=version.name, number=version.number, at=now),
        )

    def _leave_as_it_was(self, made: list[Path]) -> None:
        """Take away the empty folders that a refused pull has `made`, the innermost first."""
        if self._place.marked is None:
            marker.remove(self._place.root)
        with suppress(OSError):
            for folder in made:
                folder.rmdir()

    def _make_wanted(self) -> None:
        """The files to fetch, and what may be replaced: not what goes to the backup."""
        self._workspace.execute(
            """
            create table wanted as
            select w.*, t.size as there_size, t.mtime_ns as there_mtime_ns,
                   t.ctime_ns as there_ctime_ns, t.inode as there_inode
            from to_write w
            left join (select * from tree anti join mine using (path)) t
              on t.path = w.path and t.kind <> 'dir'
            where w.kind = 'file'
            """
        )

    def _back_up(self, destination: Destination) -> str | None:
        paths = [row[0] for row in self._workspace.rows("select path from mine order by path")]
        if not paths:
            return None
        backup = destination.new_backup(self._store.client.now().strftime("%Y%m%d-%H%M%S"))
        for path in paths:
            destination.backup(path, backup)
        return str(self._place.root / backup)

    def _remove(self, destination: Destination) -> None:
        """Take away what was pulled before and is not wanted any more, files before folders."""
        gone = self._workspace.rows(
            """
            select t.path, t.kind, t.size, t.mtime_ns, t.ctime_ns, t.inode
            from tree t semi join to_remove using (path) anti join mine using (path)
            order by t.kind = 'dir', t.path desc
            """
        )
        for path, kind, *there in gone:
            destination.remove(path, expected=None if kind == "dir" else FileStat(*there))

    def _arrivals(self, destination: Destination) -> Arrivals:
        return Arrivals(
            destination,
            algorithm=self._store.algorithm,
            link=self._request.link,
            verify=self._request.verify,
            stop=self._watch.stop,
        )

    def _fetch_plan(self, arrivals: Arrivals) -> Fetch:
        attach_index(self._store, self._workspace, self._query, needed=self._version)
        return Fetch(
            self._store.backend,
            workspace=self._workspace,
            algorithm=self._store.algorithm,
            sink=arrivals,
            stop=self._watch.stop,
        )

    def _run(self, fetch: Fetch, arrivals: Arrivals, planned: PullResult) -> list[Damaged]:
        jobs, listener = self._store.client.jobs, self._watch.listener
        listener(Started("Copying", planned.copied, planned.copied_bytes))
        arrivals.begin(self._workspace)
        with threads(jobs) as executor, Loader(self._workspace, "arrived") as arrived:

            def done(files: int, size: int) -> None:
                arrivals.note(arrived)
                listener(Advanced(files, size))

            damaged = fetch.run(executor, jobs=jobs, done=done)
        listener(Finished("Copying"))
        return damaged


def _damaged(version: Version, damaged: list[Damaged]) -> Corrupt:
    first = min(damaged, key=lambda one: one.wanted.path)
    more = f" and {len(damaged) - 1:,} more" if len(damaged) > 1 else ""
    return Corrupt(
        f"{printable(first.wanted.path)}{more} in the store {'is' if not more else 'are'} damaged:"
        f" {first.reason}. The other files are in place.",
        kind="content_damaged",
        commands=[f"datacat verify {version.ref}"],
    )
