"""The sketches of all versions, as local files that SQL can compare with one folder.

They are in the records and nowhere else: the local catalog is copied with every sync, and the
sketches of 100,000 versions take 200 MB. They become runs (`datacat.runs`) when somebody first asks
what is similar, from then on only those of newer records. A sketch is advisory, so a record is
taken as it lies there: the chain of the log was compared when the catalog followed it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

from datacat import sql
from datacat.backend import Backend
from datacat.backend.download import cache_error
from datacat.catalog.lines import lines
from datacat.catalog.record import is_intact
from datacat.manifest.sketch import entries_of
from datacat.runs import Run, RunFolder
from datacat.sql import Workspace


class _Sketched(msgspec.Struct, tag_field="op", tag="version.add", gc=False):
    """What a `version.add` says that is needed here."""

    seq: int
    sketch: str = ""


RUN_RECORDS = 16_384
"""A run never crosses a multiple of this: a long log is taken in steps that fit in memory, and what
is complete is not written again."""

_AT_ONCE = 4
"""The entries of so many parts of a run are taken apart side by side: DuckDB gives a table that is
this short to one thread."""

_decoder = msgspec.json.Decoder(_Sketched)


class Sketches:
    """The sketches of one store as this client has them, in the cache folder `folder`."""

    def __init__(self, backend: Backend, folder: Path) -> None:
        self._backend = backend
        self._runs = RunFolder(folder, "sketches")

    def attach(self, workspace: Workspace, *, head: int) -> None:
        """Make the view `sketches(seq, prefix, size)` in `workspace`: one row for each entry of
        the sketch in record `seq`, for all records up to `head` at least.

        Whether a record took effect is not looked at. Raises `StorageError`.
        """
        try:
            runs = self._cover(head)
            begin = runs[-1].last + 1 if runs else 1
            while begin <= head:
                end = min(head, begin + RUN_RECORDS - 1 - (begin - 1) % RUN_RECORDS)
                runs = self._extended(workspace, runs, begin, end)
                begin = end + 1
        except OSError as error:
            raise cache_error(error, self._runs.path) from error
        if runs:
            source = sql.parquet([run.path for run in runs])
            workspace.execute(f"create or replace view sketches as select * from {source}")
        else:
            workspace.execute(
                "create or replace view sketches as"
                " select 0::bigint as seq, 0::ubigint as prefix, 0::ubigint as size where false"
            )

    def _cover(self, head: int) -> list[Run]:
        """Runs that follow each other from the first record on, as far as they go."""
        present = self._runs.runs()
        chosen: list[Run] = []
        begin = 1
        while begin <= head:
            following = (run for run in present if run.first == begin and run.is_intact())
            found = next(following, None)
            if found is None:
                break
            chosen.append(found)
            begin = found.last + 1
        return chosen

    def _extended(self, workspace: Workspace, runs: list[Run], begin: int, end: int) -> list[Run]:
        """The runs, and what the records `begin` to `end` say, merged with runs before it that are
        no longer than what comes after them: so there are never many."""
        self._load(workspace, begin, end)
        kept, first = list(runs), begin
        parts = ["select * from arrived"]
        bottom = begin - (begin - 1) % RUN_RECORDS
        while kept and kept[-1].first >= bottom and kept[-1].last - kept[-1].first <= end - first:
            merging = kept.pop()
            first = merging.first
            parts.insert(0, f"select * from {sql.parquet(merging.path)}")
        self._runs.path.mkdir(parents=True, exist_ok=True)
        target = self._runs.path / f".{first}-{end}.{workspace.folder.name}"
        try:
            workspace.write_parquet(" union all ".join(parts), target)
            kept.append(self._runs.named(target, first, end))
        finally:
            target.unlink(missing_ok=True)
        workspace.execute("drop table arrived")
        if len(parts) > 1:
            self._runs.sweep()
        return kept

    def _load(self, workspace: Workspace, first: int, last: int) -> None:
        """Make `arrived(seq, prefix, size)` of these records."""
        workspace.execute("create or replace table arriving (seq bigint, entries varchar)")
        workspace.load("arriving", self._read(first, last))
        apart = (
            f"""
            select seq, ('0x' || left(entry, 16))::ubigint as prefix,
                   ('0x' || right(entry, 16))::ubigint as size
            from (
                select seq, unnest(string_split(entries, ' ')) as entry
                from arriving where seq % {_AT_ONCE} = {part}
            )
            """
            for part in range(_AT_ONCE)
        )
        workspace.execute(f"create or replace table arrived as {' union all '.join(apart)}")
        workspace.execute("drop table arriving")

    def _read(self, first: int, last: int) -> Iterator[tuple[int, str]]:
        for seq, line in lines(self._backend, first, last):
            if not is_intact(line):
                continue
            try:
                record = _decoder.decode(line)
            except (msgspec.MsgspecError, RecursionError):
                continue  # another operation, or a void record
            if record.seq == seq and (entries := entries_of(record.sketch)):
                yield seq, entries
