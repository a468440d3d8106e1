"""What came from what: the versions that one was made from, and those that were made from it.

A record can only name sources that were saved before it, so there is no cycle in a log; a walk
would end all the same, since it goes to each version once.
"""

from __future__ import annotations

from collections.abc import Collection

from datacat.catalog.references import References
from datacat.model import Edge, Version

DEPTH_MAX = 1_000
"""Generations that are followed. Each is one step of the query, of a tenth of a millisecond."""

EDGES_MAX = 5_000
"""Edges that are answered, the nearest ones: what hangs on a popular dataset may be a large part
of the catalog, and the answer is to be there in half a second."""

# Breadth first: `recurring` is all that was reached so far, so each version is taken once, in the
# generation where it is met first.
_WALK = """
with recursive made as (
    select
        source_id,
        source_number,
        dataset_id as result_id,
        number as result_number,
        ordinal
    from fold.sources
),
reached(dataset_id, number, depth) using key (dataset_id, number) as (
    select $1::bigint, $2::bigint, 0
    union
    select distinct s.{there}_id, s.{there}_number, r.depth + 1
    from reached r
    join made s on s.{here}_id = r.dataset_id and s.{here}_number = r.number
    where r.depth < $3
        and not exists (
            from recurring.reached k
            where k.dataset_id = s.{there}_id and k.number = s.{there}_number
        )
)
select
    a.name || '@v' || s.source_number,
    b.name || '@v' || s.result_number
from reached r
join made s on s.{here}_id = r.dataset_id and s.{here}_number = r.number
join fold.datasets a on a.id = s.source_id
join fold.datasets b on b.id = s.result_id
join fold.versions v on v.dataset_id = s.result_id and v.number = s.result_number
where r.depth < $3
order by r.depth, v.seq desc, s.ordinal
limit {limit}
"""


class Ancestry(References):
    """Walks along sources, in both directions."""

    def ancestors(self, version: Version, *, depth: int = DEPTH_MAX) -> list[Edge]:
        """What `version` was made from, and what that was made from, the nearest first.

        The sources of one version come in the order in which they were given. More than
        `EDGES_MAX` are cut off.
        """
        return self._walk(version, depth, here="result")

    def descendants(self, version: Version, *, depth: int = DEPTH_MAX) -> list[Edge]:
        """What was made from `version`, and what from that, the nearest and newest first."""
        return self._walk(version, depth, here="source")

    def _walk(self, version: Version, depth: int, *, here: str) -> list[Edge]:
        identity, _ = self._identity(version.name)
        statement = _WALK.format(
            here=here,
            there="source" if here == "result" else "result",
            limit=EDGES_MAX,
        )
        found = self._all(statement, [identity, version.number, depth])
        return [Edge(source, result) for source, result in found]

    def versions_of(self, refs: Collection[str]) -> dict[str, Version]:
        """These versions by their references, also those in the trash."""
        parts = [ref.rpartition("@v") for ref in refs]
        found = self._versions(
            "(dataset_id, number) in ("
            "  select d.id, k.number from ("
            "    select unnest($1::varchar[]) as name, unnest($2::bigint[]) as number"
            "  ) k join fold.datasets d on d.name = k.name)",
            [[name for name, _, _ in parts], [int(number) for _, _, number in parts]],
        )
        return {version.ref: version for version in found}

    def newest_of(self, names: Collection[str]) -> dict[str, str]:
        """The newest version outside the trash of each of these datasets that has one."""
        found = self._all(
            "select name, latest from datasets where name in (select unnest($1::varchar[]))",
            [list(names)],
        )
        return dict(found)

    def gone_among(self, versions: Collection[Version]) -> set[str]:
        """References of those that gc took: what is left of them is what the log says."""
        trashed = [version for version in versions if version.trashed_at is not None]
        found = self._all(
            """
            select d.name || '@v' || v.number
            from fold.versions v
            join fold.datasets d on d.id = v.dataset_id
            semi join fold.condemned n on n.name = v.manifest_key
            semi join (
                select unnest($1::varchar[]) as name, unnest($2::bigint[]) as number
            ) k on k.name = d.name and k.number = v.number
            """,
            [[version.name for version in trashed], [version.number for version in trashed]],
        )
        return {row[0] for row in found}
