"""What is reported: groups of folders and files that hold the same, and what each wastes.

Of every content one file is kept, the first in the tree; each other one that takes space of its own
is waste, and is counted once: in the group of the folder that is a copy with it inside, else in a
group of loose files. So what the groups waste is together exactly what could be freed.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace

import xxhash

from datacat.model import CopyGroup, CopyPlace, GroupKind
from datacat.sql import Workspace

PATHS_MAX = 1_000
"""Paths that are listed of one group, unless everything is asked for."""

_ID_DIGITS = 7


@dataclass(frozen=True, slots=True)
class Counted:
    """All that was found, in numbers."""

    files: int
    bytes: int
    duplicate_bytes: int
    groups: int


def find_groups(workspace: Workspace, *, min_bytes: int, depth: int | None) -> Counted:
    """Make `groups(kind, first, wasted, copies, size, files, rank)`, ranked by what they waste.

    `first` is the folder or the file that the others are copies of; of a file, `content` is that
    of the group. Left out are groups that waste nothing or less than `min_bytes`, and those of
    which every copy lies more than `depth` folders below the scanned ones.
    """
    workspace.execute(
        """
        create table placed as
        select f.id, f.folder, f.size, c.content, c.physical,
            case when f.folder <= m.last then m.folder end as member
        from files f
        join contents c using (inode_id)
        asof left join members m on f.folder >= m.folder
        """
    )
    # One row for every place on disk that could be freed, and the group that it counts in.
    workspace.execute(
        """
        create table wasted as
        with kept as (
            select content, arg_min(physical, id) as physical
            from placed group by content having count(distinct physical) > 1
        ),
        copies as (
            select p.content, p.physical, any_value(p.size) as size,
                bool_or(p.member is null) as is_loose, min(p.member) as member
            from placed p join kept k using (content)
            where p.physical <> k.physical
            group by p.content, p.physical
        )
        select case when is_loose then 'file' else 'folder' end as kind,
            case when is_loose then content else m.original end as first,
            case when is_loose then physical else member end as copy,
            size
        from copies c left join members m on m.folder = c.member
        """
    )
    workspace.execute(
        f"""
        create table groups as
        with found as (
            select kind, first, sum(size)::bigint as wasted, 1 + count(distinct copy) as copies
            from wasted group by kind, first
        ),
        sized as (
            select g.*, coalesce(t.bytes, f.size) as size, coalesce(t.files, 1) as files,
                {_shallowest()} as depth
            from found g
            left join totals t on g.kind = 'folder' and t.id = g.first
            left join files f on g.kind = 'file' and f.id = g.first
        )
        select * exclude depth,
            row_number() over (order by wasted desc, kind desc, first) as rank
        from sized where wasted >= $1 and ($2::bigint is null or depth <= $2)
        """,
        [max(1, min_bytes), depth],
    )
    files, size, duplicate, groups = workspace.row(
        """
        select (select count(*) from files),
            (select coalesce(sum(size), 0) from
                (select physical, any_value(size) as size from contents group by physical)),
            (select coalesce(sum(size), 0) from wasted),
            (select count(*) from groups)
        """
    )
    return Counted(int(files), int(size), int(duplicate), int(groups))


def _shallowest() -> str:
    """SQL for how many folders below a scanned one the highest copy of a group lies."""
    return """
        case g.kind
            when 'folder' then least(
                (select depth from folders where id = g.first),
                (select min(d.depth) from members m join folders d on d.id = m.folder
                 where m.original = g.first))
            else (select min(d.depth) from placed p join folders d on d.id = p.folder
                  where p.content = g.first and (p.member is null or p.id = g.first))
        end
    """


def groups_of(workspace: Workspace, limit: int | None) -> list[CopyGroup]:
    """The `limit` groups that waste most with their copies: folders first, then loose files."""
    taken = "" if limit is None else f"where g.rank <= {int(limit)}"
    paths_max = PATHS_MAX if limit is not None else 1 << 62
    found: dict[int, CopyGroup] = {}
    places: dict[int, list[CopyPlace]] = {}
    for rank, kind, *facts, path, its_size, its_files, ratio in workspace.rows(
        f"""
        with copies as (
            select g.rank, 0 as position, d.path, t.bytes, t.files, null as ratio
            from groups g join folders d on d.id = g.first join totals t on t.id = d.id
            where g.kind = 'folder'
            union all
            select g.rank, 1, d.path, t.bytes, t.files, m.ratio
            from groups g join members m on m.original = g.first
            join folders d on d.id = m.folder join totals t on t.id = d.id
            where g.kind = 'folder'
            union all
            select g.rank, case when p.id = g.first then 0 else 1 end,
                d.path || '/'::blob || f.name, f.size, 1, null
            from groups g join placed p on p.content = g.first
            join files f on f.id = p.id join folders d on d.id = p.folder
            where g.kind = 'file' and (p.member is null or p.id = g.first)
        ),
        numbered as (
            select *, count(*) over (partition by rank) as total, row_number() over (
                partition by rank order by position, coalesce(ratio, 2) desc, path) as number
            from copies semi join (select rank from groups g {taken}) using (rank)
        )
        select g.rank, g.kind, g.copies, g.size, g.files, g.wasted, n.total,
            n.path, n.bytes, n.files, n.ratio
        from numbered n join groups g using (rank)
        where n.number <= {paths_max}
        order by g.kind desc, g.rank, n.number
        """
    ):
        if rank not in found:
            copies, size, files, wasted, total = facts
            found[rank] = CopyGroup(
                id=_identity(kind, path),
                kind=GroupKind(kind),
                copies=copies,
                bytes_each=size,
                files_each=files,
                wasted_bytes=wasted,
                ref=None,
                paths=(),
                paths_total=total,
            )
            places[rank] = []
        place = CopyPlace(
            path=os.fsdecode(path),
            bytes=its_size,
            files=its_files,
            same_ratio=1.0 if ratio is None else ratio,
            identical=ratio is None,
        )
        places[rank].append(place)
    return [replace(group, paths=tuple(places[rank])) for rank, group in found.items()]


def _identity(kind: str, path: bytes) -> str:
    """A short name for the group whose first copy is `path`."""
    return xxhash.xxh3_64_hexdigest(kind.encode() + b"\0" + path)[:_ID_DIGITS]
