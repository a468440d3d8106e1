"""Verify: read what is stored, or what lies in a folder, and compare it with what was saved.

Three levels: the log and its chain, the files that describe versions (manifests and index), and
every stored byte, against its checksum and its digest. Nothing is taken from this client's cache.
"""

from __future__ import annotations

import os
import shlex
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from datacat.catalog.query import CatalogQuery
from datacat.errors import Corrupt, InvalidInput
from datacat.maintenance.read_back import REPORTED_MAX, read_content
from datacat.manifest import diff
from datacat.manifest.entry import COLUMNS, DDL
from datacat.model import ChangeKind, Damage, VerifyResult, Version
from datacat.objects.index import Index
from datacat.opened import OpenedStore, Watch
from datacat.sql import Workspace
from datacat.text import printable
from datacat.working_copy import marker, safe_path
from datacat.working_copy.compare import compare_folder
from datacat.working_copy.lookup import attach_index, attach_manifest, check_tree
from datacat.working_copy.mark import attach_listing
from datacat.working_copy.naming import Word, find_meaning
from datacat.working_copy.scan import keep_digests, scan_folder


def verify(
    store: OpenedStore,
    query: CatalogQuery,
    targets: Sequence[Word],
    *,
    sample: float | None,
    everything: bool,
    ignore: Sequence[str],
    watch: Watch,
) -> list[VerifyResult]:
    """Verify what each target means, or without any the working copy we are in, else everything.

    `sample` is a percentage of the content to read. Raises `InvalidInput` for a sample that is
    none and for a folder that is no working copy, `Corrupt` when the log or the index is damaged.
    """
    if sample is not None and not 0 < sample <= 100:
        raise InvalidInput(f"{sample} is not a percentage", kind="bad_sample")
    if not targets and not everything:
        here = Path.cwd()
        around = next((one for one in (here, *here.parents) if marker.has_marker(one)), None)
        targets, everything = ([around], False) if around else ((), True)
    results = []
    for word in targets:
        meant = find_meaning(query, word)
        results.append(
            verify_versions(store, [meant], target=meant.ref, sample=sample, watch=watch)
            if isinstance(meant, Version)
            else verify_folder(store, _working_copy(meant, word), ignore=ignore, watch=watch)
        )
    if everything:
        verify_log(store, watch)
        versions, target = query.every_version(), store.backend.url
        results.append(verify_versions(store, versions, target=target, sample=sample, watch=watch))
    return results


def _working_copy(folder: Path, word: Word) -> Path:
    if marker.has_marker(folder):
        return folder
    typed = os.fspath(word)
    raise InvalidInput(
        f"{printable(typed)} is not a working copy, so there is nothing to compare it with",
        kind="nothing_to_compare",
        commands=[f"datacat status {shlex.quote(typed)}"],
    )


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
        result = read_content(fresh, workspace, target, sample=sample, watch=watch)
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
