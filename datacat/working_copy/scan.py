"""Scan a folder: walk it into the workspace's table `tree`, with the digests that are known."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from datacat import sql
from datacat.errors import DatacatError
from datacat.opened import OpenedStore, Watch
from datacat.sql import Workspace
from datacat.transfer.files import Files, LocalFiles
from datacat.working_copy import marker, stat_cache
from datacat.working_copy.ignore import IgnoreRules
from datacat.working_copy.marker import Marker
from datacat.working_copy.walk import COLUMNS, walk
from datacat.working_copy.walk_report import WalkReport


@dataclass(frozen=True, slots=True)
class Scanned:
    """A scanned folder, single file or provider. Paths in `tree` are those of `files`.

    `place` names it to people and `stem` is what it is called; `root` is where it lies on this
    machine, None for a provider.
    """

    place: str
    stem: str
    root: Path | None
    files: Files
    report: WalkReport
    marker: Marker | None
    cache_file: Path


def marker_of(root: Path, store_id: str) -> Marker | None:
    """What the working copy at `root` is, if it is one of this store."""
    if not marker.has_marker(root):
        return None
    found = marker.read(root)
    return found if found.store_id == store_id else None


def scan_folder(
    workspace: Workspace,
    root: Path,
    *,
    store: OpenedStore,
    watch: Watch,
    ignore: Sequence[str] = (),
) -> Scanned:
    """Make the tables `tree` and `stat_cache` for `root`.

    `tree` has the columns of `walk.COLUMNS`, `digest` (null unless the stat cache is sure of it)
    and `hashed_ns`. Raises what `walk` raises.
    """
    root = Path(os.path.abspath(root))
    workspace.execute(f"create or replace table walked ({COLUMNS})")
    report = walk(
        root,
        rules=IgnoreRules.of(root, extra=ignore),
        store_path=store.local_path,
        sink=lambda rows: workspace.load("walked", rows),
        stop=watch.stop,
    )
    cache_file = stat_cache.location(
        root, cache_dir=store.client.own_cache_dir, store_id=store.info.id
    )
    stat_cache.load_into(workspace, cache_file, algorithm=store.algorithm)
    recall_digests(workspace)
    is_folder = root.is_dir()
    return Scanned(
        place=str(root),
        stem=root.name if is_folder else _without_endings(root.name),
        root=root,
        files=LocalFiles(str(root if is_folder else root.parent)),
        report=report,
        marker=marker_of(root, store.info.id),
        cache_file=cache_file,
    )


def recall_digests(workspace: Workspace) -> None:
    """Make `tree` of `walked` (columns of `walk.COLUMNS`), with the digests that are sure."""
    workspace.execute(
        f"""
        create or replace table tree as
        select w.*, known.digest, null::bigint as hashed_ns
        from walked w left join ({stat_cache.known_digests("walked")}) known using (path)
        """
    )
    workspace.execute("drop table walked")


def _without_endings(name: str) -> str:
    return name.partition(".")[0] or name


def empty_tree(workspace: Workspace) -> None:
    """The tables that `scan_folder` makes, for a folder that does not exist yet."""
    workspace.execute(f"create table tree ({COLUMNS}, digest blob, hashed_ns bigint)")
    workspace.execute(f"create table stat_cache ({stat_cache.COLUMNS})")


def keep_digests(workspace: Workspace, scanned: Scanned, *, algorithm: str) -> None:
    """Save what is known about the tree for the next scan. Best effort: it only saves time."""
    if scanned.root is not None and marker.has_marker(scanned.root):
        save_digests(workspace, scanned.root, algorithm=algorithm)
    else:
        _save(workspace, scanned.cache_file, algorithm)


def save_digests(workspace: Workspace, root: Path, *, algorithm: str) -> None:
    """As `keep_digests`, for the working copy `root`."""
    _save(workspace, root / marker.DIRECTORY / stat_cache.FILE, algorithm)


def _save(workspace: Workspace, file: Path, algorithm: str) -> None:
    with suppress(DatacatError, OSError, sql.Error):
        stat_cache.save(
            workspace,
            """
            select t.path, t.size, t.mtime_ns, t.ctime_ns, t.inode, t.digest,
                   coalesce(t.hashed_ns, c.hashed_ns) as hashed_ns
            from tree t left join stat_cache c using (path)
            where t.kind = 'file' and t.digest is not null
              and coalesce(t.hashed_ns, c.hashed_ns) is not null
            """,
            file,
            algorithm=algorithm,
        )
