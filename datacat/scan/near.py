"""Which folders hold nearly the same.

Every file whose content occurs before is a vote for a pair of folders: the one that it lies in,
and the one with the earlier file. Both are lifted in step, to the folders above, where the votes of
the folders below meet: of `cmr/sub-1/mask.nii` and `cmr_v2/sub-1/mask.nii` come votes for the two
`sub-1`, and for `cmr` and `cmr_v2`. Votes only propose a pair; its share is then counted exactly.
"""

from __future__ import annotations

from collections.abc import Iterable

from datacat.sql import Workspace

SIMILAR = 0.8
"""Folders that share less of their bytes are not reported as copies."""

PROPOSED = 0.4
"""Votes for so much of the bytes are worth counting: files that moved within a folder vote for
other pairs."""

CARRIED = 0.99
"""Two folders that share so much by one folder in each share nothing else worth telling."""


def propose_pairs(workspace: Workspace) -> None:
    """Make `proposed(id, near)`: for each folder the earlier one most like it, if any is."""
    workspace.execute(
        """
        create table risen as
        with repeated as (
            select f.folder, f.size,
                first_value(f.folder) over several as first,
                lag(f.folder) over several as previous
            from files f join contents c using (inode_id)
            window several as (partition by c.content order by f.id)
        ),
        pairs as (
            select first as a, folder as b, size from repeated
            union all
            select previous, folder, size from repeated where previous <> first
        )
        select a, b, sum(size)::bigint as votes from pairs where a <> b group by a, b
        """
    )
    workspace.execute("create table votes as select * from risen where false")
    # Each round is one folder higher; a pair of which one holds the other goes no further.
    while int(workspace.row("select count(*) from risen")[0]):
        workspace.execute(
            """
            insert into votes
            select r.* from risen r
            join folders x on x.id = r.a
            join folders y on y.id = r.b
            where r.b > x.last and r.a not between y.id and y.last
            """
        )
        workspace.execute(
            """
            create or replace table risen as
            select x.parent as a, y.parent as b, sum(r.votes)::bigint as votes
            from risen r
            join folders x on x.id = r.a
            join folders y on y.id = r.b
            where r.b > x.last and r.a not between y.id and y.last
              and x.parent >= 0 and y.parent >= 0 and x.parent <> y.parent
            group by 1, 2
            """
        )
    workspace.execute("drop table risen")
    # Where one folder in each holds all that two folders share, those two are the copies:
    # `alice/cmr` and `bob/cmr`, not `alice` and `bob`. A folder that has identical copies is one
    # whatever it is made of.
    workspace.execute(
        f"""
        create table proposed as
        with summed as (select a, b, sum(votes) as votes from votes group by a, b),
        carried as (
            select x.parent as a, y.parent as b, max(v.votes) as votes
            from summed v
            join folders x on x.id = v.a
            join folders y on y.id = v.b
            group by x.parent, y.parent
        )
        select v.b as id, arg_max(v.a, (v.votes, -v.a)) as near
        from summed v
        join totals x on x.id = v.a
        join totals y on y.id = v.b
        left join carried c on c.a = v.a and c.b = v.b
        left join same_trees s on s.id = v.a
        where v.votes >= {PROPOSED} * greatest(x.bytes, y.bytes)
          and (s.id is not null or coalesce(c.votes < {CARRIED} * v.votes, true))
        group by v.b
        """
    )
    workspace.execute("drop table votes")


def count_shared(workspace: Workspace, pairs: Iterable[tuple[int, int]]) -> dict[int, float]:
    """For each pair (folder, earlier folder): the share of bytes that both have.

    Of contents that occur several times, as many as both have are shared. The share is of the
    larger folder. The folders must not lie in one another.
    """
    workspace.execute("create or replace table pairs (id bigint, near bigint)")
    workspace.load("pairs", pairs)
    rows = workspace.all(
        """
        with sides as (
            select p.id, true as here, d.id as low, d.last as high
            from pairs p join folders d on d.id = p.id
            union all
            select p.id, false, d.id, d.last from pairs p join folders d on d.id = p.near
        ),
        counted as (
            select s.id, c.content, f.size,
                count(*) filter (s.here) as here, count(*) filter (not s.here) as there
            from sides s
            join files f on f.folder between s.low and s.high
            join contents c using (inode_id)
            group by s.id, c.content, f.size
        )
        select p.id,
            coalesce(sum(n.size * least(n.here, n.there)), 0)
                / any_value(greatest(x.bytes, y.bytes, 1))
        from pairs p
        join totals x on x.id = p.id
        join totals y on y.id = p.near
        left join counted n on n.id = p.id
        group by p.id
        """
    )
    return {folder: min(1.0, float(ratio)) for folder, ratio in rows}
