"""What has to travel so that another store can read a version: two indexes, compared in SQL."""

from __future__ import annotations

from dataclasses import dataclass

from datacat import layout, sql
from datacat.catalog.query import CatalogQuery
from datacat.errors import Corrupt
from datacat.model import Version
from datacat.objects.pack import FRAME_BYTES_MAX
from datacat.objects.parts import choose_parts, drop_endless
from datacat.opened import OpenedStore
from datacat.sql import Workspace
from datacat.text import count_of, printable
from datacat.transfer.pieces import make_pieces
from datacat.transfer.relay import AGAIN, FRAME, INSIDE, WHOLE
from datacat.working_copy.lookup import attach_index, attach_manifest

NAMED_MAX = 5


@dataclass(frozen=True, slots=True)
class Load:
    """What travels: so many chunks, their plain bytes, and the bytes that are sent for them."""

    chunks: int
    plain_bytes: int
    sent_bytes: int


def plan_travel(
    source: OpenedStore,
    query: CatalogQuery,
    version: Version,
    workspace: Workspace,
    *,
    session: str,
) -> Load:
    """Make the table `travelling` of `Relay` in `workspace`, and `new_recipes`.

    `workspace` is that of the store there: it needs the views of `objects.index.prepare`, the
    entries of the version as `entries`, and `new_chunks`, which an interrupted copy left there.
    Raises `Corrupt` naming the files whose content the source has lost.
    """
    run = workspace.execute
    run(
        """
        create table absent as
        select digest, max(size) as size from entries
        where kind = 'file' and size > 0 and digest not in (select digest from objects)
        group by digest
        """
    )
    _offer(source, query, version, workspace)
    run(
        """
        insert into new_recipes
        select object, ordinal, chunk from offered where parts > 1
        """
    )
    run("create view present as select digest from usable union all select digest from new_chunks")
    run(
        f"""
        create table missing as
        select distinct on (o.chunk) {_OWN}, {_REFERENCE}
        from offered o anti join present p on p.digest = o.chunk
        """
    )
    _find_homes(workspace, session)
    _bring_references(workspace)
    _decide(workspace)
    return Load(
        *workspace.row(
            f"""
            select count(*), coalesce(sum(size), 0)::bigint,
                   coalesce(sum(stored_size) filter (how <> '{INSIDE}'), 0)::bigint
            from travelling
            """
        )
    )


_OWN = 'o.chunk, o.size, o.container, o."offset", o.stored_size, o.codec, o.checksums'
_REFERENCE = (
    "o.r_chunk, o.r_size, o.r_container, o.r_offset, o.r_stored_size, o.r_codec, o.r_checksums"
)


def _offer(
    source: OpenedStore, query: CatalogQuery, version: Version, workspace: Workspace
) -> None:
    """Make `offered`: where the source keeps the pieces of what is `absent`."""
    with Workspace() as own:
        asked, answer = own.folder / "asked.parquet", own.folder / "offered.parquet"
        workspace.write_parquet("select digest, size from absent", asked)
        own.execute(f"create table asked as select * from {sql.parquet(asked)}")
        attach_index(source, own, query, needed=version)
        choose_parts(own, "asked", into="parts")
        drop_endless(own, "asked", parts="parts")
        make_pieces(own, "parts", into="pieces")
        lost = [
            row[0]
            for row in own.all(
                f"""
                select a.digest from asked a
                left join (
                    select object, sum(size) as total, bool_or(container is null) as gone
                    from pieces group by object
                ) p on p.object = a.digest
                where p.object is null or p.gone or p.total <> a.size
                limit {NAMED_MAX}
                """
            )
        ]
        if lost:
            workspace.execute("create table lost (digest blob)")
            workspace.load("lost", ((digest,) for digest in lost))
            raise _lost(version, _paths(workspace, "select digest from lost"))
        own.write_parquet("select * from pieces order by object, ordinal", answer)
        workspace.execute(f"create table offered as select * from {sql.parquet(answer)}")


def _find_homes(workspace: Workspace, session: str) -> None:
    """Make `homes(digest, container)`: contents that are, or will be, whole there."""
    workspace.execute(
        f"""
        create table homes as
        select digest, min(container) as container from (
            select digest, container from usable
            where "offset" = 0 and codec = 'raw'
              and starts_with(container, '{layout.WHOLE}' || {_key("digest")})
            union all
            select chunk, '{layout.WHOLE}' || {_key("chunk")} || '{session}'
            from missing where {_owner("container")} = chunk and "offset" = 0
        )
        group by digest
        """
    )


def _bring_references(workspace: Workspace) -> None:
    """Make `again`: chunks to be made anew, since what they were made against is not there.

    Where two or more were made against the same, it travels too: it costs less than they would. So
    it does where it need only be found.
    """
    run = workspace.execute
    run(
        f"""
        create table wanting as
        select r_chunk as digest,
               count(*) > 1 or bool_or({_owner("r_container")} in (select digest from homes))
                   as brought
        from missing
        where r_chunk is not null
          and r_chunk not in (select digest from usable where reference is null)
          and r_chunk not in (select digest from new_chunks where reference is null)
          and r_chunk not in (select chunk from missing where r_chunk is null)
        group by r_chunk
        """
    )
    run("create table again as select digest from wanting where not coalesce(brought, false)")
    run(
        """
        insert into missing
        select distinct on (m.r_chunk) m.r_chunk, m.r_size, m.r_container, m.r_offset,
               m.r_stored_size, m.r_codec, m.r_checksums, null, null, null, null, null, null, null
        from missing m semi join (from wanting where brought) w on w.digest = m.r_chunk
        """
    )


def _decide(workspace: Workspace) -> None:
    """Make `travelling`: how each chunk gets there.

    A part of a whole container need not travel where that container's content is whole as well.
    """
    workspace.execute(
        f"""
        create table travelling as
        with placed as (select *, {_owner("container")} as owner from missing)
        select p.*,
            case
                when (p.owner = p.chunk and p."offset" = 0) or p.size > {FRAME_BYTES_MAX}
                then '{WHOLE}'
                when h.container is not null then '{INSIDE}'
                when p.owner is not null or p.r_chunk in (select digest from again)
                then '{AGAIN}'
                else '{FRAME}'
            end as how,
            h.container as inside
        from placed p
        left join homes h on h.digest = p.owner
        """
    )


def _key(digest: str) -> str:
    """SQL for what a container of this content is called, up to the session."""
    return f"lower(hex({digest})[1:2] || '/' || hex({digest}) || '-')"


def _owner(container: str) -> str:
    """SQL for the content that is whole in a container; null of a pack."""
    return (
        f"case when starts_with({container}, '{layout.WHOLE}')"
        f" then unhex(split_part(split_part({container}, '/', 3), '-', 1)) end"
    )


def attach_version(
    source: OpenedStore, query: CatalogQuery, version: Version, workspace: Workspace
) -> None:
    """Make `entries` in `workspace` show the files of a version of the source."""
    attach_manifest(source, workspace, query, version, "entries")


def refuse_damaged(version: Version, workspace: Workspace) -> None:
    """Raise `Corrupt` naming files if `Relay` found any of their content damaged."""
    paths = _paths(
        workspace, "select o.object from offered o semi join spoilt d on d.chunk = o.chunk"
    )
    (chunks,) = workspace.row("select count(*) from spoilt")
    if not chunks:
        return
    if paths:
        raise _lost(version, paths)
    (reason,) = workspace.row("select any_value(reason) from spoilt")
    raise Corrupt(f"{version.ref} was not copied: {reason}", kind="content_damaged")


def _paths(workspace: Workspace, digests: str) -> list[str]:
    rows = workspace.all(f"select path from entries where digest in ({digests}) order by path")
    return [str(row[0]) for row in rows]


def _lost(version: Version, paths: list[str]) -> Corrupt:
    named = ", ".join(printable(path) for path in paths[:NAMED_MAX])
    more = f", … {len(paths) - NAMED_MAX:,} more" if len(paths) > NAMED_MAX else ""
    files = count_of(len(paths), "file")
    return Corrupt(
        f"{files} of {version.ref} {'is' if len(paths) == 1 else 'are'} damaged or missing in the"
        f" store, so it was not copied: {named}{more}",
        kind="content_damaged",
        commands=[f"datacat verify {version.ref}"],
    )
