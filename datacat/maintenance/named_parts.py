"""Whether each version is found through the parts of the index that its own record names.

A client that never saw the store before fetches those parts and no others. What another record
happens to say of the same content helps only those who have that part as well.
"""

from __future__ import annotations

from collections.abc import Collection

from datacat.catalog.query import CatalogQuery
from datacat.model import Damage
from datacat.sql import Workspace

REPORTED_MAX = 1_000
"""Files that are named; with more, the store needs more than a list."""


def not_named(
    workspace: Workspace, query: CatalogQuery, *, but: Collection[Damage]
) -> list[Damage]:
    """The files of `every(ref, …)` that the store has, but not where the record of the version
    says. Files that `but` names are left out. Needs the views `chunks` and `recipes`."""
    workspace.execute("create table named_part (ref varchar, seq bigint)")
    workspace.load("named_part", query.named_parts())
    workspace.execute("create table known_damage (ref varchar, path varchar)")
    workspace.load("known_damage", ((one.ref, one.path) for one in but))
    found = workspace.all(
        f"""
        with placed as (
            select digest, seq from chunks
            union all
            select object, seq from recipes where ordinal = 0
        ),
        files as (
            select ref, path, digest
            from every
            where kind = 'file' and size > 0 and ref in (select ref from named_part)
        ),
        reached as (
            select f.ref, f.digest
            from files f
            join placed p using (digest)
            join named_part n on n.ref = f.ref and n.seq = p.seq
            union all
            select f.ref, f.digest
            from files f
            join placed p using (digest)
            join named_part n on n.ref is null and n.seq = p.seq
        )
        select ref, path
        from files
        anti join reached using (ref, digest)
        anti join known_damage using (ref, path)
        order by ref, path
        limit {REPORTED_MAX}
        """
    )
    why = "the part of the index that its record names does not say where it is"
    return [Damage(ref, path, why) for ref, path in found]
