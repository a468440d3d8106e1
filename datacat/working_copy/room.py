"""Is there room for a pull? Asked before anything is touched."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from datacat import layout
from datacat.backend.reflink import clone
from datacat.errors import StorageFull
from datacat.model import LinkMode
from datacat.sql import Workspace
from datacat.text import human_bytes, printable
from datacat.working_copy import marker

ROOM_LEFT_BYTES_MAX = 16 * 1024 * 1024
"""A pull leaves this free, or an eighth of what it writes if that is less: for folders, for what
datacat keeps about the copy, and so that a small pull is not refused on a small disk."""

BLOCK_BYTES = 4096
"""A file takes whole blocks of the disk; this is the size of nearly every file system."""


def refuse_full(
    workspace: Workspace, root: Path, *, store_path: Path | None, link: LinkMode, ref: str
) -> None:
    """Raise `StorageFull` with the numbers when what must be written does not fit.

    Needs `wanted` and the fetch's `pieces`. Whole containers cost nothing where they are linked
    or cloned.
    """
    whole, packed = workspace.row(
        f"""
        select coalesce(sum(w.blocks) filter (p.is_whole), 0)::bigint * {BLOCK_BYTES},
               coalesce(sum(w.blocks) filter (not p.is_whole), 0)::bigint * {BLOCK_BYTES}
        from (
            select digest, (size + {BLOCK_BYTES - 1}) // {BLOCK_BYTES} as blocks from wanted
        ) w join (
            select object, bool_and(starts_with(container, '{layout.WHOLE}')) as is_whole
            from pieces group by object
        ) p on p.object = w.digest
        """
    )
    free = shutil.disk_usage(root).free
    if _fits(whole + packed, free):
        return
    linked = link in (LinkMode.HARDLINK, LinkMode.SYMLINK)
    if linked or (link is not LinkMode.COPY and _clones(workspace, root, store_path)):
        whole = 0
    needed = whole + packed
    if _fits(needed, free):
        return
    # Only what lies whole in a local store can be linked; small files share packs.
    can_link = whole > 0 and store_path is not None and _fits(packed, free)
    raise StorageFull(
        f"not enough space for {ref}: need {human_bytes(needed)}, {human_bytes(free)} free on"
        f" {printable(str(root))}",
        kind="no_space",
        commands=[
            f"datacat pull {ref} --link symlink   (needs {human_bytes(packed)})"
            if can_link
            else f"datacat pull {ref} -d /a/larger/disk"
        ],
    )


def _fits(needed: int, free: int) -> bool:
    return needed + min(needed // 8, ROOM_LEFT_BYTES_MAX) <= free


def _clones(workspace: Workspace, root: Path, store_path: Path | None) -> bool:
    """True if a container of this pull can be cloned into `root`: found out by doing it once."""
    if store_path is None:
        return False
    rows = workspace.all(
        "select container from pieces where starts_with(container, $1) limit 1", [layout.WHOLE]
    )
    try:
        with (
            (store_path / rows[0][0]).open("rb") as source,
            tempfile.TemporaryFile(dir=root / marker.DIRECTORY) as target,
        ):
            return clone(source.fileno(), target.fileno())
    except (OSError, IndexError):
        return False
