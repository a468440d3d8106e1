"""Which versions may be similar to a folder, the most likely first, without a look at their files.

The index tells which records brought the folder's content into the store, so the catalog knows
which versions can hold any of it, and at most how much. Sketches tell those apart.
"""

from __future__ import annotations

from datacat.catalog.query import CatalogQuery
from datacat.catalog.relatives import Relative
from datacat.manifest.sketch import SKETCH_ENTRIES, overlap
from datacat.opened import OpenedStore
from datacat.sql import Workspace

RANKED_MAX = 32

ROUNDING = 1e-9
"""What sums of shares are wrong by: a version that just reaches the threshold is looked at."""

Rank = tuple[bool, float]
"""How good a version is: near before a part or a container, then by the share that it is about."""


def rank(same: int, here: int, there: int, threshold: float) -> Rank:
    """The rank of a version of `there` bytes, for a folder of `here`, with `same` in both."""
    near = same / max(here, there, 1)
    if near >= threshold:
        return True, near
    return False, same / max(min(here, there), 1)


def ranked(
    store: OpenedStore,
    workspace: Workspace,
    query: CatalogQuery,
    *,
    head: int,
    size: int,
    threshold: float,
) -> list[tuple[Relative, Rank]]:
    """The versions that may be similar to a folder of `size` bytes, each with the best rank that it
    can have.

    Needs the table `contents(digest, size, files)`: what of the folder the store has. Of
    versions that may be equally good those go first that added content of the folder: it more
    likely comes from the last of them than from one that left something out since. The best of
    every dataset goes before the second of any.
    """
    added = workspace.all(
        """
        select seq, sum(size * files)::bigint
        from (
            select distinct c.digest, c.size, c.files, held.seq
            from contents c
            join (
                select digest, seq from usable
                union all
                select object, seq from usable_recipes
            ) held on held.digest = c.digest
        )
        group by seq
        """
    )
    relatives = {one.seq: one for one in query.relatives(dict(added))}
    if not relatives:
        return []
    store.sketches.attach(workspace, head=head)
    overlap(workspace, "contents", into="sketched")
    workspace.execute(
        "create or replace table relatives"
        " (dataset bigint, seq bigint, files bigint, bytes bigint, most bigint, own boolean)"
    )
    workspace.load(
        "relatives",
        (
            (one.dataset_id, one.seq, one.files, one.bytes, one.most_bytes, one.own)
            for one in relatives.values()
        ),
    )
    found = workspace.all(_RANKED, [size, threshold])
    return [(relatives[seq], (near, ratio)) for seq, near, ratio in found]


# A version holds at most as much of the folder as the catalog allows, and, where the sketch speaks
# for its bytes, as the sketch makes likely. It speaks for fewer of them when the contents in it are
# small for a version of so many files and bytes: then some are large, and it has not met them.
_RANKED = f"""
with possible as (
    select r.dataset, r.seq, r.own, coalesce(o.share, 0) as share, r.bytes,
           case when o.seq is null then 0
                when o.entries < {SKETCH_ENTRIES} then least(1, o.bytes / r.bytes)
                else least(1, o.bytes / o.entries * r.files / r.bytes) end as spoken_for,
           least(1, share + coalesce(o.margin, 1)) as likely,
           least(r.most, r.bytes, $1::bigint) as most
    from relatives r left join sketched o using (seq)
),
bounded as (
    select *, least(most, bytes * (spoken_for * likely + 1 - spoken_for)) as same from possible
),
ranked as (
    select *, same / greatest(bytes, $1::bigint) >= $2::double - {ROUNDING} as near,
           least(1, if(near, same / greatest(bytes, $1::bigint),
                             same / least(bytes, $1::bigint))) as ratio
    from bounded
),
ordered as (
    select *, row_number() over (
        partition by dataset
        order by near desc, round(ratio, 2) desc, own desc, round(share, 2) desc, seq desc
    ) as nth
    from ranked
    where ratio >= $2::double - {ROUNDING}
)
select seq, near, ratio::double from ordered
order by near desc, nth, round(ratio, 2) desc, own desc, round(share, 2) desc, seq desc
limit {RANKED_MAX}
"""
