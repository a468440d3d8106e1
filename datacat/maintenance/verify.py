"""Verify: read what is stored, or what lies in a folder, and compare it with what was saved.

Three levels: the log and its chain, the files that describe versions (manifests and index), and
every stored byte, against its checksum and its digest. Nothing is taken from this client's cache.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from pathlib import Path

from datacat import layout
from datacat.catalog.query import CatalogQuery
from datacat.digest import checksums, new_hasher
from datacat.errors import Corrupt, StorageMissing
from datacat.manifest import diff
from datacat.manifest.entry import COLUMNS, DDL
from datacat.model import ChangeKind, Damage, VerifyResult, Version
from datacat.objects.index import Index
from datacat.objects.pack import footer_entries
from datacat.opened import OpenedStore, Watch
from datacat.progress import Advanced, Finished, Started, StopSignal
from datacat.sql import Workspace
from datacat.transfer.executor import run_bounded, threads
from datacat.transfer.fetch import Fetch
from datacat.transfer.following import look_through
from datacat.transfer.sink import Damaged, Sink, Wanted, want
from datacat.working_copy import marker, safe_path
from datacat.working_copy.compare import compare_folder
from datacat.working_copy.lookup import attach_index, attach_manifest, check_tree
from datacat.working_copy.mark import attach_listing
from datacat.working_copy.scan import keep_digests, scan_folder

REPORTED_MAX = 1_000
"""Damaged files that are named; with more, the store needs more than a list."""


def verify_versions(
    store: OpenedStore,
    versions: Sequence[Version],
    *,
    target: str,
    sample: float | None,
    watch: Watch,
) -> VerifyResult:
    """Read every stored byte of some versions, each piece of content once.

    `sample` is a percentage of the content. A damaged list of files is reported like a damaged
    file; a damaged index raises `Corrupt`, for without it nothing can be found.
    """
    began = time.monotonic()
    query = CatalogQuery(store.catalog.sync())
    with Workspace() as workspace:
        fresh = _without_cache(store, workspace)
        workspace.execute(f"create table every (ref varchar, {DDL})")
        broken: list[Damage] = []
        for version in versions:
            watch.stop.check()
            try:
                _list_files(fresh, workspace, query, version)
            except Corrupt as error:
                broken.append(Damage(version.ref, "(its list of files)", error.message))
        needed = versions[0] if len(versions) == 1 else None
        attach_index(fresh, workspace, query, needed=needed)
        result = _verify_content(fresh, workspace, target, sample=sample, watch=watch)
    return replace(
        result,
        damaged=(*broken, *result.damaged),
        seconds=time.monotonic() - began,
    )


def verify_log(store: OpenedStore, watch: Watch) -> None:
    """Read the whole log. Raises `Corrupt` naming the record that is not as it was."""
    log = store.catalog.log
    for _ in log.read_from(0, log.genesis_digest, careful=True):
        watch.stop.check()


def verify_folder(
    store: OpenedStore, root: Path, *, ignore: Sequence[str], watch: Watch
) -> VerifyResult:
    """Read every file of a working copy and compare it with the version it was pulled from.

    Files that were added since are no damage. Raises `Failed` when `root` is no working copy.
    """
    began = time.monotonic()
    marked = marker.read(root)
    with Workspace() as workspace:
        scanned = scan_folder(workspace, root, store=store, watch=watch, ignore=ignore)
        workspace.execute("update tree set digest = null")
        attach_listing(workspace, root, marked, "listed")
        compare_folder(workspace, scanned, "listed", store=store, watch=watch)
        keep_digests(workspace, scanned, algorithm=store.algorithm)
        checked, size = workspace.row(
            "select count(*), coalesce(sum(size), 0)::bigint from listed where kind = 'file'"
        )
        changes = diff.changes(workspace, limit=REPORTED_MAX)
    return VerifyResult(
        target=os.path.relpath(root),
        checked=checked,
        bytes=size,
        seconds=time.monotonic() - began,
        damaged=tuple(
            Damage(marked.ref, change.path, "it is not what was saved")
            for change in changes
            if change.change is ChangeKind.MODIFIED
        ),
        missing=tuple(
            Damage(marked.ref, change.old_path or change.path, "it is not there")
            for change in changes
            if change.change in (ChangeKind.REMOVED, ChangeKind.RENAMED)
        ),
    )


def _without_cache(store: OpenedStore, workspace: Workspace) -> OpenedStore:
    """The same store, seen by a client that has nothing cached yet."""
    return replace(
        store,
        index=Index(store.backend, workspace.folder / "segments"),
        client=replace(store.client, cache_dir=workspace.folder),
    )


def _list_files(
    store: OpenedStore, workspace: Workspace, query: CatalogQuery, version: Version
) -> None:
    attach_manifest(store, workspace, query, version, "version_files")
    check_tree(store, workspace, query, version, "version_files")
    safe_path.check_entries(workspace, "version_files", listing=f"the list of {version.ref}")
    workspace.execute(f"insert into every select $1, {COLUMNS} from version_files", [version.ref])


def _verify_content(
    store: OpenedStore,
    workspace: Workspace,
    target: str,
    *,
    sample: float | None,
    watch: Watch,
) -> VerifyResult:
    """Read the content of all files in `every(ref, …)`, each digest once."""
    share = 1.0 if sample is None else sample / 100
    want(
        workspace,
        f"""
        select any_value(path) as path, 'file' as kind, size, false as executable,
               0::bigint as mtime_ns, digest, null::varchar as target
        from every where kind = 'file' and size > 0
        group by digest, size having random() < {share}
        """,
    )
    pieces, pieces_bytes, checked, size = workspace.row(
        """
        select (select count(*) from wanted),
               (select coalesce(sum(size), 0) from wanted),
               count(*), coalesce(sum(size), 0)
        from every where kind = 'file' and (size = 0 or digest in (select digest from wanted))
        """
    )
    fetch = Fetch(
        store.backend,
        workspace=workspace,
        algorithm=store.algorithm,
        sink=_Reader(store.algorithm, watch.stop),
        stop=watch.stop,
    )
    watch.listener(Started("Checking", pieces, pieces_bytes))
    found = fetch.plan()
    jobs = store.client.jobs
    with threads(jobs) as executor:
        found += fetch.run(
            executor, jobs=jobs, done=lambda files, size: watch.listener(Advanced(files, size))
        )
        footers = _check_footers(store, workspace, executor, watch.stop)
    watch.listener(Finished("Checking"))
    return VerifyResult(
        target=target,
        checked=checked,
        bytes=size,
        seconds=0.0,
        damaged=(*_named(workspace, [one for one in found if not one.missing]), *footers),
        missing=_named(workspace, [one for one in found if one.missing]),
    )


def _check_footers(
    store: OpenedStore, workspace: Workspace, executor: Executor, stop: StopSignal
) -> list[Damage]:
    """What packs say of themselves: nothing reads it every day, but a lost index is made of it."""

    workspace.execute(
        """
        create table listed (container varchar, digest blob, "offset" bigint, stored_size bigint,
            size bigint, codec varchar, checksum blob, reference blob)
        """
    )
    workspace.execute(
        f"""
        create table indexed as
        select distinct container, chunk as digest, "offset", stored_size, size, codec, checksums,
            r_chunk as reference
        from pieces where starts_with(container, '{layout.PACKS}')
        """
    )

    def check(key: str) -> Damage | None:
        found = store.backend.stat(key)
        try:
            if found is not None:
                for entries in footer_entries(store.backend, key, size_bytes=found.size_bytes):
                    stop.check()
                    workspace.load("listed", ((key, *entry) for entry in entries))
        except (Corrupt, StorageMissing):
            return Damage(None, key, "its own list of what it holds is damaged")
        return None

    packs = (str(row[0]) for row in workspace.rows("select distinct container from indexed"))
    checked = run_bounded(executor, check, packs, jobs=store.client.jobs, stop=stop)
    damaged = {one.path: one for one in checked if one is not None}
    others = workspace.rows(
        """
        select distinct i.container from indexed i
        semi join (select distinct container from listed) using (container)
        anti join listed l on l.container = i.container and l."offset" = i."offset"
            and l.digest = i.digest and l.size = i.size and l.stored_size = i.stored_size
            and l.codec = i.codec and l.checksum = i.checksums
            and l.reference is not distinct from i.reference
        """
    )
    for (key,) in others:
        why = "its own list of what it holds is not what the index says"
        damaged.setdefault(str(key), Damage(None, str(key), why))
    return [damaged[key] for key in sorted(damaged)]


def _named(workspace: Workspace, damaged: Sequence[Damaged]) -> tuple[Damage, ...]:
    """Damaged content as the files of the versions that hold it."""
    if not damaged:
        return ()
    workspace.execute("create or replace table bad (digest blob, reason varchar)")
    workspace.load("bad", ((one.wanted.digest, one.reason) for one in damaged))
    rows = workspace.all(
        "select e.ref, e.path, any_value(b.reason) from every e join bad b using (digest)"
        f" group by e.ref, e.path order by e.ref, e.path limit {REPORTED_MAX}"
    )
    return tuple(Damage(ref, path, reason) for ref, path, reason in rows)


class _Reader(Sink):
    """A sink that keeps nothing: it reads whole containers to their end and compares."""

    def __init__(self, algorithm: str, stop: StopSignal) -> None:
        self._algorithm = algorithm
        self._stop = stop

    def write(self, wanted: Wanted, parts: Iterator[bytes | memoryview]) -> None:
        """The parts of packs are verified as they are made; the whole is compared here."""
        hasher = new_hasher(self._algorithm)
        for part in parts:
            hasher.update(part)
        if hasher.digest() != wanted.digest:
            raise Corrupt("its content is not what was saved", kind="content_damaged")

    def place(self, wanted: Wanted, source: Path, sums: bytes) -> None:
        """Read a whole container: its checksums and its digest."""
        hasher = new_hasher(self._algorithm)
        found: list[bytes] = []

        def look(view: memoryview) -> None:
            hasher.update(view)
            found.append(checksums(view))

        try:
            fd = os.open(source, os.O_RDONLY | getattr(os, "O_BINARY", 0))
            try:
                # What grew meanwhile is not what was stored either.
                look_through(fd, look=look, stop=self._stop, limit=wanted.size)
            finally:
                os.close(fd)
        except FileNotFoundError as error:
            raise Corrupt("its container is missing", kind="container_missing") from error
        except OSError as error:
            # A bad disk: the other files are still to be looked at.
            raise Corrupt(f"it cannot be read: {error.strerror}") from error
        if b"".join(found) != sums or hasher.digest() != wanted.digest:
            raise Corrupt("its content is not what was saved", kind="content_damaged")
