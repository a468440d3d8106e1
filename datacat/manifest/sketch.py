"""A sketch: enough of a version in 2 kB to estimate how similar any other one is.

The `SKETCH_ENTRIES` smallest 64-bit prefixes of the distinct file digests, with the files' sizes:
a bottom-k sketch (Cohen and Kaplan, "Summarizing data using bottom-k sketches", 2007). Digests
are uniform, so the smallest ones are a uniform sample that two versions choose alike.
"""

from __future__ import annotations

import base64
import binascii
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


def entries_of(sketch: str) -> str:
    """The entries of a sketch for SQL: 32 hex digits each (prefix, size), with spaces between.

    Empty when it is not a sketch: a record may carry anything.
    """
    try:
        packed = base64.b64decode(sketch, validate=True)
    except binascii.Error:
        return ""
    return "" if len(packed) % _ENTRY.size else packed.hex(" ", -_ENTRY.size)


def overlap(workspace: Workspace, contents: str, *, into: str) -> None:
    """Make the table `into(seq, entries, bytes, share, margin)`: how much of each version in the
    view `sketches` is content of the relation `contents(digest)`.

    `share` is that of the bytes in the sketch, which hold `entries` contents of `bytes` in all. Of
    a version with fewer than `SKETCH_ENTRIES` contents that is the truth. Of others it is an
    estimate, with a `margin` of three standard errors: 128 contents of the same size that are
    shared by nine tenths give a standard error of 2.7 points, by a half 4.4. Sizes that differ
    make it larger, and what a sample of contents does not meet it cannot weigh: one file of 10 GB
    among thousands of small ones. So it ranks versions, and never stands for a comparison.
    """
    workspace.execute(
        f"""
        create or replace table {sql.identifier(into)} as
        with held as (
            select distinct ('0x' || hex(digest[1:8]))::ubigint as prefix
            from {sql.identifier(contents)}
        ),
        summed as (
            select s.seq, count(*) as entries, sum(s.size::double) as bytes,
                   coalesce(sum(s.size::double) filter (h.prefix is not null), 0) as same,
                   sum(s.size::double ** 2) as squares,
                   coalesce(sum(s.size::double ** 2) filter (h.prefix is not null), 0)
                       as same_squares
            from sketches s left join held h on h.prefix = s.prefix
            group by s.seq
        ),
        shares as (select *, if(bytes > 0, same / bytes, 0) as share from summed)
        select seq, entries, bytes, share,
               case when entries < {SKETCH_ENTRIES} then 0
                    else 3 / entries + 3 * sqrt(
                        (1 - share) ** 2 * same_squares
                        + share ** 2 * greatest(squares - same_squares, 0)
                    ) / greatest(bytes, 1) end as margin
        from shares
        """
    )
