"""Which versions can hold the content that certain records brought into the store."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from datacat.catalog.references import References


@dataclass(frozen=True, slots=True)
class Relative:
    """A version outside the trash that draws on content which certain records added.

    `most_bytes` is the most of that content that it can hold; `own` says that the record of the
    version itself added some of it.
    """

    dataset_id: int
    name: str
    number: int
    seq: int
    files: int
    bytes: int
    most_bytes: int
    own: bool


class Relatives(References):
    """Questions about where content came from."""

    def named_parts(self) -> list[tuple[str | None, int]]:
        """The records whose parts of the index each version outside the trash names, by its
        reference; of those that may hold content of any version, without one."""
        found = self._all(
            """
            select d.name || '@v' || v.number, unnest(list_append(v.segments, v.seq))
            from fold.versions v
            join fold.datasets d on d.id = v.dataset_id
            where v.trashed_seq is null and v.segments is not null
            union all
            select null, seq from fold.relocations
            """
        )
        return [(ref, seq) for ref, seq in found]

    def relatives(self, added: Mapping[int, int]) -> list[Relative]:
        """The versions outside the trash that may hold content that the records `added` brought
        into the store: how many bytes of it for each seq."""
        found = self._all(
            """
            with added as (
                select unnest($1::bigint[]) as seq, unnest($2::bigint[]) as bytes
            ),
            parts as (
                select seq, unnest(list_append(segments, seq)) as part
                from fold.versions
                where trashed_seq is null and segments is not null
            ),
            drawing as (
                select p.seq, sum(a.bytes) as bytes
                from parts p join added a on a.seq = p.part
                group by p.seq
            )
            select v.dataset_id, d.name, v.number, v.seq, v.files, v.bytes,
                coalesce(w.bytes, $3::bigint)::bigint, v.seq in (select seq from added)
            from fold.versions v
            join fold.datasets d on d.id = v.dataset_id
            left join drawing w on w.seq = v.seq
            where v.trashed_seq is null and v.bytes > 0
                and (v.segments is null or w.seq is not null)
            """,
            [list(added), list(added.values()), sum(added.values())],
        )
        return [Relative(*row) for row in found]
