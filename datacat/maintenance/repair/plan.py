"""The plan of a repair: what of the content is damaged, where good copies are, what is lost."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from datacat import layout
from datacat.catalog.query import KeptVersion
from datacat.maintenance.repair.sources import Located, Sources
from datacat.model import Damage, Mend
from datacat.sql import Workspace, parquet
from datacat.text import count_of

LOST_SHOWN = 1_000
"""Lost files that are named; with more, a list does not help."""

ANOTHER_PLACE = "another place in the store"


@dataclass(slots=True)
class ContentPlan:
    """What is to be done about content. The bad places are in the workspace's table `bad`."""

    damaged: list[Damage] = field(default_factory=list)
    mends: list[Mend] = field(default_factory=list)
    located: list[Located] = field(default_factory=list)
    lost: list[Damage] = field(default_factory=list)
    containers: int = 0
    bytes: int = 0


def list_content(workspace: Workspace, kept: Sequence[KeptVersion], paths: dict[str, str]) -> None:
    """Make `content(ref, path, digest, size)` of the lists of files in `paths`, by their keys."""
    workspace.execute("create table content (ref varchar, path varchar, digest blob, size bigint)")
    workspace.execute("create table listed_in (file varchar, ref varchar)")
    workspace.load(
        "listed_in", ((paths[v.manifest.key], v.ref) for v in kept if v.manifest.key in paths)
    )
    files = sorted({row[0] for row in workspace.all("select file from listed_in")})
    for start in range(0, len(files), 256):
        workspace.execute(
            f"""
            insert into content
            select l.ref, m.path, m.digest, m.size
            from {parquet(files[start : start + 256])} m
            join listed_in l on parse_filename(l.file) = parse_filename(m.filename)
            where m.kind = 'file' and m.size > 0
            """
        )


def plan_content(workspace: Workspace, sources: Sources, examined: tuple[int, int]) -> ContentPlan:
    """Needs `bad`, set aside, and `content`: what can be had elsewhere, and what cannot."""
    plan = ContentPlan(containers=examined[0], bytes=examined[1])
    plan.damaged = list(_damaged(workspace))
    plan.mends = list(_other_places(workspace))
    _find_missing(workspace)
    plan.located = sources.locate()
    workspace.execute("create or replace table located (digest blob, size bigint)")
    workspace.load("located", ((one.digest, one.size) for one in plan.located))
    _cut(workspace)
    _settle(workspace)
    plan.mends += _sourced(workspace, plan.located)
    plan.lost = [
        Damage(ref, path, "no good copy of it was found")
        for ref, path in workspace.all(
            "select ref, path from content where digest in (select digest from lost)"
            f" order by ref, path limit {LOST_SHOWN}"
        )
    ]
    return plan


def _damaged(workspace: Workspace) -> Iterator[Damage]:
    rows = workspace.all(
        "select container, count(*), any_value(reason), bool_or(absent) from bad"
        " group by container order by container"
    )
    for container, count, reason, absent in rows:
        why = "it is not there" if absent else f"{count_of(count, 'piece')} of it: {reason}"
        yield Damage(None, container, why)


def _other_places(workspace: Workspace) -> Iterator[Mend]:
    rows = workspace.all(
        """
        select b.container, count(*), sum(c.size)::bigint
        from (select distinct container, chunk from bad) b
        join (select digest, any_value(size) as size from usable group by digest) c
            on c.digest = b.chunk
        group by b.container order by b.container
        """
    )
    for container, count, size in rows:
        yield Mend(f"{count_of(count, 'piece')} of content", container, ANOTHER_PLACE, size)


def _find_missing(workspace: Workspace) -> None:
    """Make `missing(digest, size)`: content of versions that cannot be put together any more, and
    what bad containers held whole, for others may be made of parts of it."""
    workspace.execute(
        f"""
        create or replace table missing as
        select distinct digest, size from content where digest not in (select digest from objects)
        union
        select c.digest, c.size from chunks c
        join (select distinct container, chunk from bad) b
            on b.container = c.container and b.chunk = c.digest
        where starts_with(c.container, '{layout.WHOLE}') and c."offset" = 0
            and starts_with(c.container[10:], lower(hex(c.digest)) || '-')
            and c.digest not in (select digest from objects)
        """
    )


def _cut(workspace: Workspace) -> None:
    """Make `cuts(object, ordinal, chunk, size, start)`: how located content was cut, where that is
    known, so that only what is missing of it need be stored."""
    workspace.execute(
        """
        create or replace table cuts as
        with made as (
            select distinct r.object, r.seq, r.ordinal, r.chunk
            from usable_recipes r semi join located l on l.digest = r.object
        ),
        sizes as (
            select c.digest, any_value(c.size) as size
            from chunks c semi join made m on m.chunk = c.digest group by c.digest
        ),
        sized as (select m.*, s.size from made m left join sizes s on s.digest = m.chunk),
        chosen as (
            select s.object, min(s.seq) as seq from (
                select s.object, s.seq
                from sized s join located l on l.digest = s.object
                group by s.object, s.seq
                having count(*) = count(s.size) and max(s.ordinal) = count(*) - 1
                    and sum(s.size) = any_value(l.size)
            ) s group by s.object
        )
        select s.object, s.ordinal, s.chunk, s.size,
               (sum(s.size) over (partition by s.object order by s.ordinal) - s.size)::bigint
                   as start
        from sized s join chosen using (object, seq)
        """
    )


def _settle(workspace: Workspace) -> None:
    """Make `lost(digest)`: what is missing, was not located, and cannot be made of what was."""
    workspace.execute(
        f"""
        create or replace table available as
        select digest from usable
        union select digest from located
        union select chunk from cuts
        union
        select c.digest from chunks c
        join located l on starts_with(c.container, '{layout.WHOLE}')
            and starts_with(c.container[10:], lower(hex(l.digest)) || '-')
        """
    )
    workspace.execute(
        """
        create or replace table lost as
        select digest from missing
        where digest not in (select digest from located)
            and digest not in (
                select object from (
                    select distinct object, seq, ordinal, chunk from usable_recipes
                    where object in (select digest from missing)
                )
                group by object, seq
                having bool_and(chunk in (select digest from available))
                    and max(ordinal) = count(*) - 1
            )
        """
    )


def _sourced(workspace: Workspace, located: Sequence[Located]) -> list[Mend]:
    """One mend for each source, with an example."""
    named: dict[bytes, str] = dict(
        workspace.all(
            "select digest, min(ref || '/' || path) from content"
            " where digest in (select digest from located) group by digest"
        )
    )
    by_label: dict[str, list[Located]] = {}
    for one in located:
        by_label.setdefault(one.label, []).append(one)
    mends = []
    for label, found in by_label.items():
        names = sorted(filter(None, (named.get(one.digest) for one in found)))
        example = names[0] if names else "what others are made of"
        what = example if len(found) == 1 else f"{count_of(len(found), 'content')}: {example}, …"
        mends.append(Mend(what, None, label, sum(one.size for one in found)))
    return mends
