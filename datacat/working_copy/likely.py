"""Whether a folder is likely to be near to something in the store, before any of it is stored.

To be sure, every file has to be read whose content the store may have. Of a folder that turns out
to be new that reading would be lost, so sizes and a sample tell first if it is worth it.
"""

from __future__ import annotations

from datacat.opened import OpenedStore, Watch
from datacat.sql import Workspace
from datacat.transfer.tree import note_same_size
from datacat.working_copy.compare import hash_tree
from datacat.working_copy.scan import Scanned, keep_digests

SAMPLE_FILES = 64
"""Files that are read to learn if it is worth reading all of them before any is stored."""


def hash_if_likely(
    store: OpenedStore, workspace: Workspace, scanned: Scanned, *, threshold: float, watch: Watch
) -> bool:
    """Give every file of `tree` its digest whose content the store may have, if probably the share
    `threshold` of the folder's bytes is there already; says if it did.

    Nothing is read for data whose sizes the store does not know, and a sample for data that is new
    although its sizes are common. What is read here is not read again, unless it has to be stored.
    """
    note_same_size(workspace)
    total, known, possible = workspace.row(
        """
        select coalesce(sum(size), 0),
               coalesce(sum(size) filter (digest in (select digest from same_size)), 0),
               coalesce(sum(size) filter (
                   digest is null and size in (select size from same_size)), 0)
        from tree where kind = 'file'
        """
    )
    if not total or known + possible < threshold * total:
        return False

    def read(only: str) -> None:
        try:
            hash_tree(workspace, scanned, store=store, watch=watch, only=only)
        finally:
            keep_digests(workspace, scanned, algorithm=store.algorithm)

    if possible:
        _draw_sample(workspace)
        read("path in (select path from drawn)")
        # A sample that is wrong by so much does not occur: half of what is needed is enough.
        if known + possible * _stored_share(workspace) < threshold * total / 2:
            return False
    read("size in (select size from same_size) or size = 0")
    return True


def _draw_sample(workspace: Workspace) -> None:
    """Make `drawn(path, least)` of the files that the store may have: a priority sample by size
    (Duffield, Lund and Thorup, 2007), in which a file counts for `least` bytes at least."""
    workspace.execute(
        f"""
        create or replace table priorities as
        select path, size / ((hash(path)::double + 1) / 18446744073709551616) as priority
        from tree
        where kind = 'file' and digest is null and size in (select size from same_size)
        order by priority desc limit {SAMPLE_FILES + 1}
        """
    )
    workspace.execute(
        f"""
        create or replace table drawn as
        select path, if(count(*) over () > {SAMPLE_FILES}, min(priority) over (), 0) as least
        from priorities qualify row_number() over (order by priority desc) <= {SAMPLE_FILES}
        """
    )


def _stored_share(workspace: Workspace) -> float:
    """Which share of the bytes that the sample stands for the store has."""
    (share,) = workspace.row(
        """
        select coalesce(
            sum(greatest(t.size, s.least)) filter (t.digest in (select digest from same_size))
            / sum(greatest(t.size, s.least)), 0)
        from drawn s join tree t using (path)
        """
    )
    return float(share)
