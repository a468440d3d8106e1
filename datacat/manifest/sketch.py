"""A sketch: enough of a version in 2 kB to estimate how similar any other one is.

The `SKETCH_ENTRIES` smallest 64-bit prefixes of the distinct file digests, with the files' sizes:
a bottom-k sketch (Cohen and Kaplan, "Summarizing data using bottom-k sketches", 2007). Digests
are uniform, so the smallest ones are a uniform sample that two versions choose alike.
"""

from __future__ import annotations

import base64
import struct

from datacat import sql
from datacat.sql import Workspace

SKETCH_ENTRIES = 128
_ENTRY = struct.Struct(">QQ")


def sketch_of(workspace: Workspace, relation: str) -> str:
    """The sketch of the files in `relation`: base64 of big-endian (prefix, size) pairs."""
    rows = workspace.all(
        f"""
        select digest[1:8] as prefix, any_value(size)
        from {sql.identifier(relation)}
        where kind = 'file' and size > 0
        group by digest[1:8] order by prefix limit {SKETCH_ENTRIES}
        """
    )
    packed = b"".join(_ENTRY.pack(int.from_bytes(prefix), size) for prefix, size in rows)
    return base64.b64encode(packed).decode()
