"""Scan folders for copies: what `datacat scan` does."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from datacat.errors import Failed, Refused
from datacat.model import CopyGroup, LeftOut, ScanResult
from datacat.opened import OpenedStore, Watch
from datacat.scan.contents import Contents, find_contents, number_files, to_read_bytes
from datacat.scan.groups import Counted, find_groups, groups_of
from datacat.scan.listing import Listed, list_folders
from datacat.scan.near import propose_pairs
from datacat.scan.recognise import recognise
from datacat.scan.rollup import roll_up
from datacat.scan.trees import find_same_trees, measure_trees
from datacat.sql import Workspace
from datacat.text import printable
from datacat.working_copy.ignore import IgnoreRules
from datacat.working_copy.open_folder import root_status
from datacat.working_copy.walk import inside_store
from datacat.working_copy.walk_report import Collected


@dataclass(frozen=True, slots=True)
class ScanRequest:
    """What to scan, and what to report of it.

    Groups that waste less than `min_bytes` are left out, as are those of which every copy lies
    more than `depth` folders below the scanned ones, and all but the `limit` largest.
    `files_only` reports no folders. `dry_run` looks at names and sizes and reads nothing.
    """

    paths: Sequence[Path]
    min_bytes: int = 0
    depth: int | None = None
    limit: int | None = None
    files_only: bool = False
    one_file_system: bool = False
    dry_run: bool = False
    ignore: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Survey:
    """What was found, with the tables in a workspace. `groups` are not recognised yet."""

    roots: list[str]
    listed: Listed
    found: Contents
    counted: Counted
    groups: list[CopyGroup]


def scan(store: OpenedStore, request: ScanRequest, watch: Watch) -> ScanResult:
    """Find the copies below `request.paths`. Changes nothing but the cache of fingerprints.

    Raises `NotFound` (`path_not_found`), `Failed` (`not_a_folder`), `Refused` (`inside_store`).
    """
    began = time.monotonic()
    with Workspace() as workspace:
        if request.dry_run:
            return _looked(workspace, store, request, watch)
        survey = survey_folders(workspace, store, request, watch)
    listed, counted = survey.listed, survey.counted
    return ScanResult(
        roots=tuple(survey.roots),
        files=counted.files,
        folders=listed.folders,
        bytes=counted.bytes,
        duplicate_bytes=counted.duplicate_bytes,
        groups=tuple(recognise(store, survey.groups, ignore=request.ignore, watch=watch)),
        groups_total=counted.groups,
        read_bytes=survey.found.read_bytes,
        seconds=time.monotonic() - began,
        unreadable=_left_out(listed.unreadable, survey.found.unreadable),
        changed=_left_out(survey.found.changed),
        stores=listed.stores,
        other_file_systems=_left_out(listed.other_file_systems),
    )


def survey_folders(
    workspace: Workspace, store: OpenedStore, request: ScanRequest, watch: Watch
) -> Survey:
    """As `scan`, without asking the catalog; leaves the tables of the scan in `workspace`."""
    roots, listed = _list(workspace, store, request, watch)
    found = find_contents(
        workspace, cache_dir=store.client.own_cache_dir, jobs=store.client.jobs, watch=watch
    )
    measure_trees(workspace)
    if request.files_only:
        workspace.execute("create table same_trees (id bigint, last bigint, same bigint)")
        workspace.execute("create table proposed (id bigint, near bigint)")
    else:
        find_same_trees(workspace)
        propose_pairs(workspace)
    roll_up(workspace)
    counted = find_groups(workspace, min_bytes=request.min_bytes, depth=request.depth)
    return Survey(roots, listed, found, counted, groups_of(workspace, request.limit))


def _list(
    workspace: Workspace, store: OpenedStore, request: ScanRequest, watch: Watch
) -> tuple[list[str], Listed]:
    roots = _roots(store, request.paths)
    listed = list_folders(
        workspace,
        roots,
        rules=IgnoreRules(patterns=request.ignore),
        one_file_system=request.one_file_system,
        watch=watch,
    )
    number_files(workspace)
    return roots, listed


def _looked(
    workspace: Workspace, store: OpenedStore, request: ScanRequest, watch: Watch
) -> ScanResult:
    """The answer of a dry run: names and sizes."""
    began = time.monotonic()
    roots, listed = _list(workspace, store, request, watch)
    files, size = workspace.row(
        "select (select count(*) from files), (select coalesce(sum(size), 0) from inodes)"
    )
    return ScanResult(
        roots=tuple(roots),
        files=int(files),
        folders=listed.folders,
        bytes=int(size),
        duplicate_bytes=0,
        groups=(),
        groups_total=0,
        read_bytes=0,
        seconds=time.monotonic() - began,
        unreadable=_left_out(listed.unreadable),
        stores=listed.stores,
        other_file_systems=_left_out(listed.other_file_systems),
        dry_run=True,
        to_read_bytes=to_read_bytes(workspace, store.client.own_cache_dir),
    )


def _left_out(*collected: Collected) -> LeftOut:
    first = [path for one in collected for path in one.first]
    return LeftOut(sum(one.count for one in collected), tuple(first))


def _roots(store: OpenedStore, paths: Sequence[Path]) -> list[str]:
    """The folders to scan, absolute, without those that lie in another one."""
    wanted: dict[str, str] = {}
    for path in paths:
        status = root_status(path)
        if not stat.S_ISDIR(status.st_mode):
            raise Failed(f"{printable(str(path))} is not a folder", kind="not_a_folder")
        if store.local_path is not None and inside_store(path, store.local_path):
            raise Refused(
                f"{printable(str(path))} is inside the store {printable(str(store.local_path))}",
                kind="inside_store",
                hint="A store has no copies to find: it keeps each content once.",
            )
        wanted.setdefault(os.path.realpath(path), os.path.abspath(path))
    return [
        path
        for real, path in wanted.items()
        if not any(real != other and real.startswith(os.path.join(other, "")) for other in wanted)
    ]
