"""What content is read from: its own chunk if there is one, else the chunks of one recipe.

The one rule, for whoever reads content, publishes a version of it or counts what it takes. A whole
container is preferred to a recipe because it can be linked or cloned. Of the recipes one that is
complete is taken, the oldest first: the recipes of two commits for the same content cut it
differently and do not mix.
"""

from __future__ import annotations

from typing import Final

from datacat.sql import Workspace, identifier

CHUNK_BYTES_MIN: Final = 64
"""No store cuts smaller chunks (but for the last of a content): a recipe of more rows than its size
divided by this, and one, is forged."""

ROWS_AT_ONCE = 1_000_000
"""About so many rows of recipes, or so much content, are looked at at once: the digests alone of a
million rows take 64 MB, several times over while they are sorted out."""


def choose_parts(
    workspace: Workspace,
    needed: str,
    *,
    into: str,
    chunks: str = "usable",
    recipes: str = "usable_recipes",
) -> None:
    """Make the table `into(object, ordinal, chunk, seq)` for the content `needed(digest)`.

    `chunks(digest)` says which chunks can be read, `recipes(object, ordinal, chunk, seq)` what
    they make. Every digest of `needed` is an `object` of the result, also when it is nowhere: then
    it is its own chunk, or has a recipe that is not complete. `seq` of the result is that of the
    recipe, null where there is none.
    """
    workspace.execute(
        f"create table {identifier(into)} (object blob, ordinal bigint, chunk blob, seq bigint)"
    )
    (rows,) = workspace.row(
        f"""
        select greatest(
            (select count(*) from {identifier(recipes)}),
            (select count(*) from {identifier(needed)})
        )
        """
    )
    slices = 1 + rows // ROWS_AT_ONCE
    for number in range(slices):
        only = f"where hash(digest) % {slices} = {number}" if slices > 1 else ""
        content = f"(select digest from {identifier(needed)} {only})"
        _choose(workspace, content, into=into, chunks=chunks, recipes=recipes)


def _choose(workspace: Workspace, content: str, *, into: str, chunks: str, recipes: str) -> None:
    """Add the parts of `content(digest)`, which is a query, to the table `into`."""
    workspace.execute(
        f"""
        insert into {identifier(into)}
        with portion as materialized {content},
        made as (
            select distinct r.object, r.seq, r.ordinal, r.chunk
            from {identifier(recipes)} r semi join portion n on n.digest = r.object
            where r.object not in (
                select c.digest from {identifier(chunks)} c semi join portion n using (digest)
            )
        ),
        chosen as (
            select m.object, m.seq
            from made m
            left join (
                select distinct digest from {identifier(chunks)} c
                semi join made on made.chunk = c.digest
            ) c on c.digest = m.chunk
            group by m.object, m.seq
            qualify row_number() over (
                partition by m.object order by count(*) = count(c.digest) desc, m.seq
            ) = 1
        )
        select distinct digest as object, 0::bigint as ordinal, digest as chunk,
               null::bigint as seq
        from portion where digest not in (select object from made)
        union all
        select m.object, m.ordinal, m.chunk, m.seq from made m join chosen using (object, seq)
        """
    )


def drop_endless(workspace: Workspace, needed: str, *, parts: str) -> None:
    """Remove from `parts` the recipes that no store has made, for `needed(digest, size)`.

    A forged recipe can repeat a chunk without end; it is not looked up to the last row.
    """
    workspace.execute(
        f"""
        delete from {identifier(parts)} where object in (
            select p.object from {identifier(parts)} p
            join {identifier(needed)} n on n.digest = p.object
            group by p.object having count(*) > max(n.size) // {CHUNK_BYTES_MIN} + 1
        )
        """
    )
