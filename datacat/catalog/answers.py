"""The two large queries, and their rows as facts from `model.py`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec

from datacat import refs
from datacat.model import Better, Changes, Code, Dataset, Origin, Scalar, Version
from datacat.sql import Row

VERSIONS = """
with chosen as (
    select *
    from fold.versions
    where {condition}
),
pointing as (
    select a.dataset_id, a.number, list(a.alias order by a.alias) as aliases
    from fold.aliases a
    semi join chosen c on c.dataset_id = a.dataset_id and c.number = a.number
    group by all
),
made_from as (
    select
        s.dataset_id,
        s.number,
        list(d.name || '@v' || s.source_number order by s.ordinal) as refs
    from fold.sources s
    semi join chosen c on c.dataset_id = s.dataset_id and c.number = s.number
    join fold.datasets d on d.id = s.source_id
    group by all
),
with_params as (
    select p.dataset_id, p.number, list([p.key, p.value] order by p.key) as pairs
    from fold.params p
    semi join chosen c on c.dataset_id = p.dataset_id and c.number = p.number
    group by all
),
with_metrics as (
    select
        m.dataset_id, m.number, list([m.key, m.value, b.better] order by m.key) as pairs
    from fold.metrics m
    semi join chosen c on c.dataset_id = m.dataset_id and c.number = m.number
    left join fold.directions b on b.dataset_id = m.dataset_id and b.key = m.key
    group by all
)
select
    d.name, c.number, split_part(c.tree, ':', 2), c.message, c.author, c.created_at, c.files,
    c.bytes, c.new_bytes, c.stored_bytes, c.base_number, c.added, c.modified, c.removed,
    c.code_repo, c.code_commit, c.code_dirty, c.trashed_at, c.trashed_by,
    a.aliases, s.refs, p.pairs, m.pairs,
    c.origin_store, c.origin_ref, c.copied_by, c.copied_at, c.origin_sources, c.added_from
from chosen c
join fold.datasets d on d.id = c.dataset_id
left join pointing a on a.dataset_id = c.dataset_id and a.number = c.number
left join made_from s on s.dataset_id = c.dataset_id and s.number = c.number
left join with_params p on p.dataset_id = c.dataset_id and p.number = c.number
left join with_metrics m on m.dataset_id = c.dataset_id and m.number = c.number
order by c.seq desc, c.number desc
"""

DATASETS = """
with listed as (
    select dataset_id, count(*) as versions, max(number) as number
    from fold.versions v
    {only_restorable}
    where trashed_seq is {null_if_live}
    group by dataset_id
),
tagged as (
    select dataset_id, list(tag order by tag) as tags
    from fold.tags
    group by dataset_id
),
pointing as (
    select a.dataset_id, list([a.alias, 'v' || a.number] order by a.alias) as aliases
    from fold.aliases a
    join fold.versions v on v.dataset_id = a.dataset_id and v.number = a.number
    where v.trashed_seq is null
    group by a.dataset_id
),
found as (
    select
        d.id, d.name, d.description, d.owner, coalesce(t.tags, []) as tags,
        d.name || '@v' || l.number as latest, l.versions, coalesce(a.aliases, []) as aliases,
        v.files, v.bytes, d.created_at, d.updated_at, v.message
    from fold.datasets d
    join listed l on l.dataset_id = d.id
    join fold.versions v on v.dataset_id = l.dataset_id and v.number = l.number
    left join tagged t on t.dataset_id = d.id
    left join pointing a on a.dataset_id = d.id
)
select * exclude (id)
from found
where {condition}
order by {order}
{limit}
"""

TOTALS = """
select
    count(distinct dataset_id) filter (where trashed_seq is null),
    count(*) filter (where trashed_seq is null),
    coalesce(sum(stored_bytes), 0)
from fold.versions v
anti join fold.condemned n on n.name = v.manifest_key
"""

RESTORABLE = "anti join fold.condemned n on n.name = v.manifest_key"
"""Leaves out versions that gc took: a version outside the trash never is one."""


def utc(moment: datetime) -> datetime:
    """A time as it comes from the database, with its zone."""
    return moment.replace(tzinfo=UTC)


_decode = msgspec.json.Decoder().decode


def _values(pairs: Sequence[Sequence[str]] | None) -> dict[str, Scalar]:
    return {pair[0]: _decode(pair[1]) for pair in pairs or ()}


def version_of(row: Row) -> Version:
    """A row of `VERSIONS`."""
    name, base, code_repo, trashed_at = row[0], row[10], row[14], row[17]
    return Version(
        name=name,
        number=row[1],
        hash=row[2],
        message=row[3],
        author=row[4],
        created_at=utc(row[5]),
        files=row[6],
        bytes=row[7],
        new_bytes=row[8],
        stored_bytes=row[9],
        base=None if base is None else refs.version_ref(name, base),
        changes=Changes(added=row[11], modified=row[12], removed=row[13]),
        code=None if code_repo is None else Code(repo=code_repo, commit=row[15], dirty=row[16]),
        trashed_at=None if trashed_at is None else utc(trashed_at),
        trashed_by=row[18],
        aliases=tuple(row[19] or ()),
        sources=tuple(row[20] or ()),
        params=_values(row[21]),
        metrics=_values(row[22]),
        better={pair[0]: Better(pair[2]) for pair in row[22] or () if pair[2]},
        added_from=row[28],
        origin=_origin(row[23:28]),
    )


def _origin(row: Row) -> Origin | None:
    store, ref, by, at, sources = row
    return None if store is None else Origin(store, ref, by, utc(at), tuple(sources or ()))


def dataset_of(row: Row) -> Dataset:
    """A row of `DATASETS`. Unpacked by position: a listing has thousands of them."""
    name, description, owner, tags, latest, versions, aliases, files, size = row[:9]
    created_at, updated_at, last_message = row[9:]
    return Dataset(
        name,
        description,
        owner,
        tuple(tags),
        latest,
        versions,
        dict(aliases),
        files,
        size,
        created_at.replace(tzinfo=UTC),
        updated_at.replace(tzinfo=UTC),
        last_message,
    )
