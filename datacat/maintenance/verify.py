"""Verify: read what is stored, or what lies in a folder, and compare it with what was saved.

Three levels of a whole store: the log and its chain, in both copies; that every file is there with
its size; and every stored byte, against its checksum and its digest. Nothing is taken from this
client's cache, except what a run that was interrupted has read already.
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
from datacat.maintenance.log_copies import examine_log
from datacat.maintenance.named_parts import not_named
from datacat.maintenance.presence import examine_presence, wrong_files
from datacat.maintenance.read_back import REPORTED_MAX, read_content
from datacat.maintenance.unfinished import Unfinished
from datacat.manifest import diff
from datacat.manifest.entry import COLUMNS, DDL
from datacat.model import ChangeKind, Damage, VerifyLevel, VerifyResult, Version
from datacat.objects.index import Index
from datacat.opened import OpenedStore, Watch
from datacat.sql import Workspace
from datacat.text import printable
from datacat.working_copy import marker, safe_path
from datacat.working_copy.compare import compare_folder
from datacat.working_copy.lookup import attach_manifest, attach_readable, check_tree
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
    level: VerifyLevel,
    restart: bool,
    ignore: Sequence[str],
    watch: Watch,
) -> list[VerifyResult]:
    """Verify what each target means, or without any the working copy we are in, else everything.

    `sample` is a percentage of the content to read, `level` how deep to look at everything;
    `restart` reads again what an interrupted run has read. Raises `InvalidInput` for a sample that
    is none, for a folder that is no working copy and for a level of less than everything; `Corrupt`
    when the log is damaged where it is not kept twice.
    """
    if sample is not None and not 0 < sample <= 100:
        raise InvalidInput(f"{sample} is not a percentage", kind="bad_sample")
    if level is not VerifyLevel.CONTENT:
        if targets:
            raise InvalidInput(
                f"the level '{level}' is one of a whole store",
                kind="bad_level",
                commands=[f"datacat verify --all --level {level}"],
            )
        everything = True
    if not targets and not everything:
        here = Path.cwd()
        around = next((one for one in (here, *here.parents) if marker.has_marker(one)), None)
        targets, everything = ([around], False) if around else ((), True)
    results = []
    for word in targets:
        meant = find_meaning(query, word)
        results.append(
            verify_versions(
                store, [meant], target=meant.ref, sample=sample, restart=restart, watch=watch
            )
            if isinstance(meant, Version)
            else verify_folder(store, _working_copy(meant, word), ignore=ignore, watch=watch)
        )
    if everything:
        results.append(
            verify_store(store, query, level=level, sample=sample, restart=restart, watch=watch)
        )
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


def verify_store(
    store: OpenedStore,
    query: CatalogQuery,
    *,
    level: VerifyLevel,
    sample: float | None,
    restart: bool,
    watch: Watch,
) -> VerifyResult:
    """The whole store, as deep as `level` says. Raises `Corrupt` naming the record that neither its
    file nor a bundle has as it was written."""
    began = time.monotonic()
    state = examine_log(store, watch)
    copies = [(one.missing, Damage(None, one.key, one.reason)) for one in state.copies]
    target = store.backend.url
    if level is VerifyLevel.LOG:
        result = VerifyResult(target, state.head, 0, 0.0, (), (), level)
    elif level is VerifyLevel.FILES:
        result = _verify_files(store, query, watch)
    else:
        result = verify_versions(
            store,
            query.every_version(),
            target=target,
            sample=sample,
            restart=restart,
            watch=watch,
            everything=True,
        )
    return replace(
        result,
        damaged=(*(one for missing, one in copies if not missing), *result.damaged),
        missing=(*(one for missing, one in copies if missing), *result.missing),
        seconds=time.monotonic() - began,
    )


def _verify_files(store: OpenedStore, query: CatalogQuery, watch: Watch) -> VerifyResult:
    with Workspace() as workspace:
        fresh = _without_cache(store, workspace)
        unread = attach_readable(fresh, workspace, query)
        examine_presence(store, workspace, query, watch)
        there, size = workspace.row(
            "select count(*), coalesce(sum(p.size), 0)::bigint"
            " from (select distinct key from expected) e join present p using (key)"
        )
        missing, damaged = _wrong(workspace)
        known = {one.path for one in (*missing, *damaged)}
        damaged += [one for one in unread if one.path not in known]
        return VerifyResult(
            store.backend.url,
            there,
            size,
            0.0,
            tuple(damaged),
            tuple(missing),
            VerifyLevel.FILES,
        )


def _wrong(workspace: Workspace, *, but: str = "") -> tuple[list[Damage], list[Damage]]:
    """The files that are missing, and those of another size."""
    return wrong_files(workspace, missing=True, but=but), wrong_files(
        workspace, missing=False, but=but
    )


def verify_versions(
    store: OpenedStore,
    versions: Sequence[Version],
    *,
    target: str,
    sample: float | None,
    restart: bool = False,
    watch: Watch,
    everything: bool = False,
) -> VerifyResult:
    """Read every stored byte of some versions, each piece of content once.

    `sample` is a percentage of the content. A damaged list of files is reported like a damaged
    file, and so is a damaged part of the index, with the files that cannot be found without it.
    With `everything`, files of the store that these versions are not read from must be there too.
    """
    began = time.monotonic()
    query = CatalogQuery(store.catalog.sync())
    unfinished = Unfinished(
        store.cache / "verify", f"{target} {sample} {everything}", restart=restart
    )
    with Workspace() as workspace:
        fresh = _without_cache(store, workspace)
        workspace.execute(f"create table every (ref varchar, {DDL})")
        broken: list[Damage] = []
        listed: list[str] = []
        for version in versions:
            watch.stop.check()
            try:
                _list_files(fresh, workspace, query, version)
            except Corrupt as error:
                broken.append(Damage(version.ref, "(its list of files)", error.message))
                listed.append(query.manifest_of(version).key)
        needed = versions[0] if len(versions) == 1 and not everything else None
        unread = attach_readable(fresh, workspace, query, needed=needed)
        try:
            result = read_content(
                fresh,
                workspace,
                target,
                sample=sample,
                unfinished=unfinished,
                why_missing="the part of the index that says where it is, is damaged"
                if unread
                else None,
                watch=watch,
            )
        except BaseException:
            unfinished.keep()
            raise
        missing: list[Damage] = []
        if everything:
            # What is read from is named by its files; here is what else has to be there.
            examine_presence(store, workspace, query, watch)
            known = [*listed, *(one.path for one in unread)]
            workspace.execute("create table named (key varchar)")
            workspace.load("named", ((key,) for key in known))
            missing, others = _wrong(
                workspace,
                but="select key from named union all select distinct container from pieces",
            )
            broken += others
            found = (*broken, *result.damaged, *result.missing)
            broken += not_named(workspace, query, but=found)
    unfinished.remove()
    return replace(
        result,
        damaged=(*broken, *unread, *result.damaged),
        missing=(*missing, *result.missing),
        seconds=time.monotonic() - began,
    )


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
