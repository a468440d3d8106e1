"""The index: where each chunk's bytes lie, and which chunks make an object.

Two relations, added to by every commit as a *segment* of Parquet files:

* `chunks(digest, size, container, offset, stored_size, codec, reference, checksums)`
* `recipes(object, ordinal, chunk)`, only for objects of more than one chunk.

A client keeps segments in its cache as *runs* (`datacat.runs`), so that a look-up opens a handful
of files however many commits there were. A run also says which record each row came from (`seq`).
What must always hold: a row is used only after its segment's digest was verified.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from datacat import sql
from datacat.backend import Backend
from datacat.backend.download import StoredFile, cache_error, fetched
from datacat.errors import Corrupt
from datacat.runs import Run, RunFolder
from datacat.sql import Workspace

CHUNKS_DDL = """
    digest blob, size bigint, container varchar, "offset" bigint, stored_size bigint,
    codec varchar, reference blob, checksums blob
"""
RECIPES_DDL = "object blob, ordinal bigint, chunk blob"

CHUNK_COLUMNS = 'digest, size, container, "offset", stored_size, codec, reference, checksums'
RECIPE_COLUMNS = "object, ordinal, chunk"

RUNS_MAX = 12
"""More runs than this are merged: opening a file costs a query about a millisecond."""


@dataclass(frozen=True, slots=True)
class Segment:
    """The part of the index that the log record `seq` added: a `chunks` or `recipes` file."""

    seq: int
    relation: str
    file: StoredFile


class Index:
    """The chunk index of one store as this client sees it."""

    def __init__(self, backend: Backend, folder: Path) -> None:
        self._backend = backend
        self._folder = folder

    def attach(self, workspace: Workspace, segments: Sequence[Segment], *, merge: bool) -> None:
        """Make the views `chunks` and `recipes` in `workspace` over (at least) `segments`.

        With `merge`, `segments` must be all that the catalog has; runs are then merged when they
        are many. Raises `Corrupt` naming the segment that is damaged or missing.
        """
        for relation, ddl in (("chunks", CHUNKS_DDL), ("recipes", RECIPES_DDL)):
            wanted = sorted(
                (s for s in segments if s.relation == relation), key=lambda segment: segment.seq
            )
            try:
                runs = self._cover(workspace, wanted, relation)
                if merge and len(runs) > RUNS_MAX:
                    runs = self._merged(workspace, runs, relation)
                self._view(workspace, runs, relation, ddl)
            except OSError as error:
                raise cache_error(error, self._folder) from error

    def unreadable(
        self, workspace: Workspace, segments: Iterable[Segment]
    ) -> Iterator[tuple[Segment, Corrupt]]:
        """The segments that are damaged or missing, each with what is wrong with it."""
        for relation in ("chunks", "recipes"):
            present = RunFolder(self._folder, relation).runs()
            for segment in segments:
                if segment.relation != relation or any(run.holds(segment.seq) for run in present):
                    continue
                try:
                    self._fetch(workspace, segment)
                except Corrupt as error:
                    yield segment, error

    def supply(self, segment: Segment, path: Path) -> None:
        """Take a segment from a file that has what it held, instead of from shared storage.

        `path` is in the folder of this index, and gets another name.
        """
        self._named(path, segment.seq, segment.seq, segment.relation)

    def _view(self, workspace: Workspace, runs: list[Run], relation: str, ddl: str) -> None:
        columns = CHUNK_COLUMNS if relation == "chunks" else RECIPE_COLUMNS
        if runs:
            workspace.execute(f"create view {relation} as {_union(runs, columns)}")
        else:
            workspace.execute(f"create table {relation} ({ddl}, seq bigint)")

    def _cover(self, workspace: Workspace, wanted: list[Segment], relation: str) -> list[Run]:
        present = RunFolder(self._folder, relation).runs()
        chosen: list[Run] = []
        for segment in wanted:
            if chosen and chosen[-1].holds(segment.seq):
                continue
            intact = (run for run in present if run.holds(segment.seq) and run.is_intact())
            chosen.append(next(intact, None) or self._fetch(workspace, segment))
        return chosen

    def _fetch(self, workspace: Workspace, segment: Segment) -> Run:
        def check(path: Path) -> None:
            check_segment(workspace, path, segment.relation, segment.file.key)

        # A name of its own: another process may be fetching the same segment.
        target = self._folder / f".{segment.seq}.{segment.relation}.{secrets.token_hex(6)}"
        path = fetched(self._backend, segment.file, target, check=check)
        return self._named(path, segment.seq, segment.seq, segment.relation)

    def _merged(self, workspace: Workspace, runs: list[Run], relation: str) -> list[Run]:
        """Fewer runs: the newest ones, as long as they are not much larger than their sum."""
        sizes = [run.path.stat().st_size for run in runs]
        start = len(runs) - 1
        total = sizes[start]
        while start > 0 and (len(runs) - start < RUNS_MAX // 2 or sizes[start - 1] <= 2 * total):
            start -= 1
            total += sizes[start]
        inputs = runs[start:]
        columns = CHUNK_COLUMNS if relation == "chunks" else RECIPE_COLUMNS
        order = "digest" if relation == "chunks" else "object, ordinal"
        first, last = inputs[0].first, max(run.last for run in inputs)
        target = self._folder / f".{first}-{last}.{relation}.merging-{workspace.folder.name}"
        workspace.write_parquet(
            f"select * from ({_union(inputs, columns)}) order by {order}", target
        )
        merged = self._named(target, first, last, relation)
        RunFolder(self._folder, relation).sweep()
        return [*runs[:start], merged]

    def _named(self, path: Path, first: int, last: int, relation: str) -> Run:
        return RunFolder(self._folder, relation).named(path, first, last)


def write_segment(workspace: Workspace, relation: str, target: Path) -> None:
    """Write the table `new_chunks` or `new_recipes` of `workspace` as a segment file."""
    columns, order = (
        (CHUNK_COLUMNS, "digest") if relation == "chunks" else (RECIPE_COLUMNS, "object, ordinal")
    )
    workspace.write_parquet(
        f"select {columns} from {sql.identifier('new_' + relation)} order by {order}", target
    )


def check_segment(workspace: Workspace, path: Path, relation: str, key: str) -> None:
    """Raise `Corrupt` naming `key` unless the file has the columns and plausible values."""
    ddl = CHUNKS_DDL if relation == "chunks" else RECIPES_DDL
    expected = [tuple(column.split()) for column in ddl.replace('"', "").split(",")]
    rule = _CHUNK_RULE if relation == "chunks" else _RECIPE_RULE
    once = (
        "distinct (digest, reference is null)"
        if relation == "chunks"
        else "distinct (object, ordinal)"
    )
    source = sql.parquet(path)
    try:
        described = workspace.all(f"describe select * from {source}")
        fits = [(str(row[0]), str(row[1]).lower()) for row in described] == expected
        # Every column is read, so that a page which cannot be is noticed here, with the name.
        looked = f"""
            select count(*) filter (coalesce(not ({rule}), true)), count(*) - count({once}),
                   max(hash(s))
            from {source} s
        """
        bad, twice, _ = workspace.row(looked) if fits else (0, 0, None)
    except (sql.Error, Corrupt) as error:
        raise _damaged(key, "it cannot be read") from error
    if not fits:
        raise _damaged(key, "it does not have the columns of a segment")
    if bad or twice:
        raise _damaged(key, f"it holds {bad or twice} impossible rows")


def _damaged(key: str, why: str) -> Corrupt:
    return Corrupt(f"{key} is damaged: {why}", kind="segment_damaged")


_CHUNK_RULE = r"""
    size between 1 and 9007199254740992
    and "offset" between 0 and 9007199254740992
    and octet_length(digest) in (16, 32)
    and (reference is null or octet_length(reference) = octet_length(digest))
    and case codec
        when 'raw' then stored_size = size and reference is null
        when 'zstd' then stored_size between 1 and 1048576
        else false
    end
    and octet_length(checksums) = 8 * ((stored_size + 1048575) // 1048576)
    and case
        when regexp_full_match(container, 'whole/[0-9a-f]{2}/[0-9a-f]{32,64}-[0-9a-f]{32}')
        then codec = 'raw'
        when regexp_full_match(container, 'packs/[0-9a-f]{2}/[0-9a-f]{32}-[0-9]{1,10}\.pack')
        then size <= 1048576
        else false
    end
"""
_RECIPE_RULE = """
    octet_length(object) in (16, 32) and octet_length(chunk) = octet_length(object)
    and ordinal between 0 and 9007199254740992
"""


def _union(runs: Sequence[Run], columns: str) -> str:
    """One query over runs: a fetched segment lacks `seq`, its name tells; a merged run has it.

    Two scans at most, however many runs there are: every scan of a query has buffers of its own,
    which a few hundred of them would not fit in memory with.
    """
    merged = [run.path for run in runs if run.first != run.last]
    single = [run.path for run in runs if run.first == run.last]
    parts = [f"select {columns}, seq from {sql.parquet(merged)}"] if merged else []
    if single:
        seq = "split_part(parse_filename(filename), '-', 1)::bigint as seq"
        parts.append(f"select {columns}, {seq} from {sql.parquet(single)}")
    return " union all ".join(parts)


def prepare(
    workspace: Workspace,
    *,
    barred: Iterable[str],
    barred_segments: Iterable[tuple[int, str]],
    damaged: Iterable[tuple[str, bytes | None]] = (),
) -> None:
    """Make the views `usable`, `usable_recipes` and `objects` over the attached relations.

    `usable`: chunks whose container (`barred`), whose segment (`barred_segments`) and whose
    reference were not condemned, and that are not `damaged` there (None: all of that container):
    what a new version refers to, any reader must find. `usable_recipes`: the
    same of recipes. `objects(digest, size)`: all content that can be read back, so that need not
    be stored again.
    """
    workspace.execute("create table barred (container varchar)")
    workspace.load("barred", ((name,) for name in barred))
    workspace.execute("create table barred_segments (seq bigint, kind varchar)")
    workspace.load("barred_segments", barred_segments)
    workspace.execute("create table damaged (container varchar, chunk blob)")
    workspace.load("damaged", damaged)
    workspace.execute("insert into barred select container from damaged where chunk is null")
    workspace.execute(
        """
        create view held as
        select * from chunks c
        where not exists (select 1 from barred b where b.container = c.container)
          and not exists (
              select 1 from barred_segments b where b.seq = c.seq and b.kind = 'chunks'
          )
          and not exists (
              select 1 from damaged d where d.container = c.container and d.chunk = c.digest
          )
        """
    )
    # A chunk that was made against another one is lost with it. Chains are one link long.
    workspace.execute("create table dangling (reference blob)")
    (some,) = workspace.row("select count(*) > 0 from held where reference is not null")
    if some:
        workspace.execute(
            """
            insert into dangling
            select distinct reference from held
            where reference is not null
              and reference not in (select digest from held where reference is null)
            """
        )
    workspace.execute(
        """
        create view usable as
        select * from held h
        where not exists (select 1 from dangling d where d.reference = h.reference)
        """
    )
    workspace.execute(
        """
        create view usable_recipes as
        select * from recipes r
        where not exists (
            select 1 from barred_segments b where b.seq = r.seq and b.kind = 'recipes'
        )
        """
    )
    # One recipe counts by itself: two of the same object, of two commits or of runs that overlap,
    # are never taken for one.
    workspace.execute(
        """
        create view objects as
        select distinct digest, size from usable
        union
        select r.object, sum(c.size)
        from (select distinct object, ordinal, chunk, seq from usable_recipes) r
        left join (select digest, any_value(size) as size from usable group by digest) c
            on c.digest = r.chunk
        group by r.object, r.seq
        having count(*) = count(c.digest) and max(r.ordinal) = count(*) - 1
        """
    )
