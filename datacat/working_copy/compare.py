"""Compare a folder with a list of files, reading only what the stat cache cannot tell."""

from __future__ import annotations

from datacat import sql
from datacat.manifest import diff
from datacat.opened import OpenedStore, Watch
from datacat.sql import Workspace
from datacat.transfer.executor import threads
from datacat.transfer.tree import HashFiles
from datacat.working_copy.scan import Scanned


def compare_folder(
    workspace: Workspace,
    scanned: Scanned,
    base: str,
    *,
    store: OpenedStore,
    watch: Watch,
    into: str = "difference",
) -> None:
    """Make the table `into` of what differs from relation `base` to the folder's `tree`.

    Only files are read whose digest is not known and whose size says that they may be what they
    were, or a file that is gone from elsewhere: all others have changed for certain.
    """
    listed = sql.identifier(base)
    hash_tree(
        workspace,
        scanned,
        store=store,
        watch=watch,
        only=f"""
            exists (select 1 from {listed} b where b.path = tree.path and b.size = tree.size)
            or size in (
                select size from {listed} b
                where b.kind = 'file' and b.path not in (select path from tree)
            )
        """,
    )
    diff.compare(workspace, base, "tree", into=into)


def hash_tree(
    workspace: Workspace,
    scanned: Scanned,
    *,
    store: OpenedStore,
    watch: Watch,
    only: str = "true",
) -> None:
    """Give the files of `tree` that meet the SQL condition `only` their digests."""
    jobs = store.client.jobs
    hashing = HashFiles(
        workspace,
        files=scanned.files,
        algorithm=store.algorithm,
        listener=watch.listener,
        stop=watch.stop,
    )
    with threads(jobs) as executor:
        hashing.run(executor, jobs=jobs, only=only)
