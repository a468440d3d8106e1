"""The words that a shell completes: a few queries, when the catalog has changed."""

from __future__ import annotations

from datacat.catalog.snapshot import Snapshot
from datacat.model import Words
from datacat.sql import Row

VERSIONS_OFFERED = 30
"""Newest versions of a dataset that are offered: nobody picks from more, and older ones can be
typed all the same."""

_DATASETS = f"""
with live as (
    select dataset_id, list(number order by number desc)[1:{VERSIONS_OFFERED}] as numbers
    from fold.versions
    where trashed_seq is null
    group by dataset_id
),
pointing as (
    select name, list(alias order by alias) as aliases
    from aliases
    group by name
)
select d.name, coalesce(p.aliases, []), l.numbers
from fold.datasets d
join live l on l.dataset_id = d.id
left join pointing p on p.name = d.name
order by d.updated_at desc, d.name
"""


def words_of(snapshot: Snapshot) -> Words:
    """The words of a snapshot: what changed last comes first."""

    def all_rows(statement: str) -> list[Row]:
        return snapshot.connection.cursor().execute(statement).fetchall()

    return Words(
        seq=snapshot.seq,
        datasets={
            name: (*aliases, *(f"v{number}" for number in numbers))
            for name, aliases, numbers in all_rows(_DATASETS)
        },
        tags=tuple(row[0] for row in all_rows("select distinct tag from tags order by tag")),
        owners=tuple(
            row[0] for row in all_rows("select distinct owner from datasets order by owner")
        ),
    )
