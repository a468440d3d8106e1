"""What one entry of a manifest is, and its canonical form from which the tree digest is made.

An entry is `(path, kind, size, executable, mtime_ns, digest, target)`. The canonical listing is
the entries sorted by the UTF-8 bytes of their paths; each contributes six fields, every one
followed by a NUL byte (no field can hold one, so the listing is unambiguous):

    kind, '1' if executable else '0', size in decimal, digest in hex, path, target

The time is left out: the same content has the same identity, whenever it was written.
"""

from __future__ import annotations

from datacat import sql
from datacat.digest import new_hasher
from datacat.sql import Workspace

COLUMNS = "path, kind, size, executable, mtime_ns, digest, target"
DDL = """
    path varchar, kind varchar, size bigint, executable boolean, mtime_ns bigint,
    digest blob, target varchar
"""

_CANONICAL = """
    concat(kind, chr(0), case when executable then '1' else '0' end, chr(0), size, chr(0),
           coalesce(lower(hex(digest)), ''), chr(0), path, chr(0), coalesce(target, ''), chr(0))
"""


def tree_digest(workspace: Workspace, relation: str, *, algorithm: str) -> bytes:
    """The identity of the files in `relation`: the digest of their canonical listing."""
    hasher = new_hasher(algorithm)
    query = f"select {_CANONICAL} from {sql.identifier(relation)} order by path"
    for batch in workspace.batches(query):
        hasher.update("".join([row[0] for row in batch]).encode())
    return hasher.digest()
