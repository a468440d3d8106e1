"""Which folders hold the same: totals and digests of whole trees, from the bottom up, in SQL.

Two folders are identical if they hold the same names with the same contents, and the same links
and folders below; times and permissions do not count. Their digest is made for one scan only:
contents and links are named by ids and texts of this scan.
"""

from __future__ import annotations

from datacat.sql import Workspace


def measure_trees(workspace: Workspace) -> None:
    """Make `totals(id, files, bytes)`: what lies in each folder and below, hard links each time."""
    workspace.execute(
        """
        create table totals as
        with own as (
            select folder, count(*) as files, sum(size)::bigint as bytes
            from files group by folder
        ),
        summed as (
            select d.id, d.last,
                coalesce(o.files, 0) as files, coalesce(o.bytes, 0) as bytes,
                sum(coalesce(o.files, 0)) over up_to as files_up_to,
                sum(coalesce(o.bytes, 0)) over up_to as bytes_up_to
            from folders d left join own o on o.folder = d.id
            window up_to as (order by d.id rows unbounded preceding)
        )
        select a.id,
            (b.files_up_to - a.files_up_to + a.files)::bigint as files,
            (b.bytes_up_to - a.bytes_up_to + a.bytes)::bigint as bytes
        from summed a join summed b on b.id = a.last
        """
    )


def find_same_trees(workspace: Workspace) -> None:
    """Make `same_trees(id, last, same)`: the folders with bytes of which there are several.

    `same` is the first folder of those that are identical.
    """
    workspace.execute(
        """
        create table own_digests as
        with items as (
            select f.folder, hex(f.name) || ':' || coalesce(c.content, 0) as item
            from files f left join contents c using (inode_id)
            union all
            select folder, hex(name) || '>' || hex(target) from links
        )
        select folder as id, sha256(string_agg(item, ',' order by item)) as digest
        from items group by folder
        """
    )
    workspace.execute("create table trees (id bigint, parent bigint, name blob, digest varchar)")
    (deepest,) = workspace.row("select coalesce(max(depth), -1) from folders")
    for depth in range(int(deepest), -1, -1):
        # What could not be listed as a whole is like nothing else: its own id says so.
        workspace.execute(
            """
            insert into trees
            with inner_folders as (
                select t.parent as id,
                    string_agg(hex(t.name) || '/' || t.digest, ',' order by t.name) as items
                from trees t join folders d on d.id = t.parent
                where d.depth = $1
                group by t.parent
            )
            select d.id, d.parent, d.name,
                sha256(coalesce(o.digest, '') || ';' || coalesce(i.items, '')
                       || case when d.complete then '' else ';' || d.id end)
            from folders d
            left join own_digests o using (id)
            left join inner_folders i using (id)
            where d.depth = $1
            """,
            [depth],
        )
    workspace.execute("drop table own_digests")
    workspace.execute(
        """
        create table same_trees as
        with several as (
            select digest, min(id) as same from trees group by digest having count(*) > 1
        )
        select t.id, d.last, s.same
        from trees t
        join several s using (digest)
        join folders d on d.id = t.id
        join totals n on n.id = t.id
        where n.bytes > 0
        """
    )
    workspace.execute("drop table trees")
