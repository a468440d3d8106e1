"""What differs between two lists of files: one full outer join, renames by equal content."""

from __future__ import annotations

from datacat import sql
from datacat.model import Change, ChangeKind, Changes
from datacat.sql import Workspace


def compare(workspace: Workspace, old: str, new: str, *, into: str = "difference") -> None:
    """Make the table `into(path, change, old_path, size, old_size)` from two relations.

    An entry is modified when its kind, content, target or exec bit differs. A removed and an
    added file with the same content are one rename, paired in the order of their paths.
    """
    table = sql.identifier(into)
    workspace.execute(
        f"""
        create or replace table {table} as
        with joined as (
            select
                coalesce(n.path, o.path) as path,
                case when o.path is null then 'added'
                     when n.path is null then 'removed'
                     else 'modified' end as change,
                n.size, o.size as old_size, n.kind, o.kind as old_kind,
                coalesce(n.digest, o.digest) as digest
            from {sql.identifier(old)} o
            full outer join {sql.identifier(new)} n on n.path = o.path
            where o.path is null or n.path is null
               or n.kind <> o.kind
               or n.executable <> o.executable
               or n.digest is distinct from o.digest
               or n.target is distinct from o.target
        ),
        gone as (
            select *, row_number() over (partition by digest order by path) as nth
            from joined where change = 'removed' and old_kind = 'file' and old_size > 0
        ),
        come as (
            select *, row_number() over (partition by digest order by path) as nth
            from joined where change = 'added' and kind = 'file' and size > 0
        ),
        pairs as (
            select c.path, g.path as old_path, c.size, g.old_size
            from come c join gone g on g.digest = c.digest and g.nth = c.nth
        )
        select path, 'renamed' as change, old_path, size, old_size from pairs
        union all
        select path, change, null, size, old_size from joined
        where not (change = 'added' and path in (select path from pairs))
          and not (change = 'removed' and path in (select old_path from pairs))
        """
    )


def counts(workspace: Workspace, table: str = "difference") -> Changes:
    """How many entries were added, modified and removed; a rename is one of each end."""
    rows: dict[str, int] = dict(
        workspace.all(f"select change, count(*) from {sql.identifier(table)} group by change")
    )
    renamed = rows.get("renamed", 0)
    return Changes(
        added=rows.get("added", 0) + renamed,
        modified=rows.get("modified", 0),
        removed=rows.get("removed", 0) + renamed,
    )


def changes(
    workspace: Workspace, table: str = "difference", *, limit: int | None = None
) -> tuple[Change, ...]:
    """The differing paths in order, at most `limit` of them."""
    tail = "" if limit is None else f" limit {int(limit)}"
    rows = workspace.rows(
        f"select path, change, old_path, size, old_size from {sql.identifier(table)}"
        f" order by path{tail}"
    )
    return tuple(
        Change(path, ChangeKind(change), old_path=old_path, bytes=size, old_bytes=old_size)
        for path, change, old_path, size, old_size in rows
    )
