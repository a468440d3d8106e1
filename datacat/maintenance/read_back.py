"""Reading back what is stored: every piece of content, and what packs say of themselves."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from pathlib import Path

from datacat import layout
from datacat.digest import checksums, new_hasher
from datacat.errors import Corrupt, StorageMissing
from datacat.maintenance.unfinished import PREFIX_BYTES, Unfinished
from datacat.model import Damage, VerifyResult
from datacat.objects.pack import footer_entries
from datacat.opened import OpenedStore, Watch
from datacat.progress import Advanced, Finished, Started, StopSignal
from datacat.sql import Workspace
from datacat.transfer.executor import run_bounded, threads
from datacat.transfer.fetch import Fetch
from datacat.transfer.following import look_through
from datacat.transfer.sink import Damaged, Sink, Wanted, want

REPORTED_MAX = 1_000
"""Damaged files that are named; with more, the store needs more than a list."""

_BEGINNING = f"unhex(left(hex(digest), {2 * PREFIX_BYTES}))"


def read_content(
    store: OpenedStore,
    workspace: Workspace,
    target: str,
    *,
    sample: float | None,
    unfinished: Unfinished,
    why_missing: str | None = None,
    watch: Watch,
) -> VerifyResult:
    """Read the content of all files in `every(ref, …)`, each digest once.

    Goes on where `unfinished` stopped. `why_missing` is what to say of content that the index does
    not know.
    """
    share = 1.0 if sample is None else sample / 100
    workspace.execute(
        f"""
        create table sampled as
        select digest from (
            select distinct digest from every where kind = 'file' and size > 0
        )
        where {share} >= 1 or hash(digest, {unfinished.seed}) / 18446744073709551616.0 < {share}
        """
    )
    workspace.execute("create table read_before (beginning blob)")
    workspace.load("read_before", ((beginning,) for beginning in unfinished.earlier()))
    want(
        workspace,
        f"""
        select any_value(path) as path, 'file' as kind, size, false as executable,
               0::bigint as mtime_ns, digest, null::varchar as target
        from every where kind = 'file' and size > 0 and digest in (select digest from sampled)
            and {_BEGINNING} not in (select beginning from read_before)
        group by digest, size
        """,
    )
    pieces, pieces_bytes, checked, size, resumed = workspace.row(
        f"""
        select (select count(*) from wanted),
               (select coalesce(sum(size), 0) from wanted),
               count(*), coalesce(sum(size), 0)::bigint,
               count(*) filter (
                   size > 0 and {_BEGINNING} in (select beginning from read_before)
               )
        from every where kind = 'file' and (size = 0 or digest in (select digest from sampled))
        """
    )
    fetch = Fetch(
        store.backend,
        workspace=workspace,
        algorithm=store.algorithm,
        sink=_Reader(store.algorithm, unfinished, watch.stop),
        stop=watch.stop,
    )
    watch.listener(Started("Checking", pieces, pieces_bytes))
    found = [replace(one, reason=why_missing) if why_missing else one for one in fetch.plan()]
    jobs = store.client.jobs
    with threads(jobs) as executor:
        found += fetch.run(
            executor, jobs=jobs, done=lambda files, size: watch.listener(Advanced(files, size))
        )
        footers = _check_footers(store, workspace, executor, watch.stop)
    watch.listener(Finished("Checking"))
    return VerifyResult(
        target=target,
        checked=checked,
        bytes=size,
        seconds=0.0,
        damaged=(*_named(workspace, [one for one in found if not one.missing]), *footers),
        missing=_named(workspace, [one for one in found if one.missing]),
        resumed=resumed,
    )


def _check_footers(
    store: OpenedStore, workspace: Workspace, executor: Executor, stop: StopSignal
) -> list[Damage]:
    """What packs say of themselves: nothing reads it every day, but a lost index is made of it."""

    workspace.execute(
        """
        create table listed (container varchar, digest blob, "offset" bigint, stored_size bigint,
            size bigint, codec varchar, checksum blob, reference blob)
        """
    )
    workspace.execute(
        f"""
        create table indexed as
        select distinct container, chunk as digest, "offset", stored_size, size, codec, checksums,
            r_chunk as reference
        from pieces where starts_with(container, '{layout.PACKS}')
        """
    )

    def check(key: str) -> Damage | None:
        found = store.backend.stat(key)
        try:
            if found is not None:
                for entries in footer_entries(
                    store.backend.read_range, key, size_bytes=found.size_bytes
                ):
                    stop.check()
                    workspace.load("listed", ((key, *entry) for entry in entries))
        except (Corrupt, StorageMissing):
            return Damage(None, key, "its own list of what it holds is damaged")
        return None

    packs = (str(row[0]) for row in workspace.rows("select distinct container from indexed"))
    checked = run_bounded(executor, check, packs, jobs=store.client.jobs, stop=stop)
    damaged = {one.path: one for one in checked if one is not None}
    others = workspace.rows(
        """
        select distinct i.container from indexed i
        semi join (select distinct container from listed) using (container)
        anti join listed l on l.container = i.container and l."offset" = i."offset"
            and l.digest = i.digest and l.size = i.size and l.stored_size = i.stored_size
            and l.codec = i.codec and l.checksum = i.checksums
            and l.reference is not distinct from i.reference
        """
    )
    for (key,) in others:
        why = "its own list of what it holds is not what the index says"
        damaged.setdefault(str(key), Damage(None, str(key), why))
    return [damaged[key] for key in sorted(damaged)]


def _named(workspace: Workspace, damaged: Sequence[Damaged]) -> tuple[Damage, ...]:
    """Damaged content as the files of the versions that hold it."""
    if not damaged:
        return ()
    workspace.execute("create or replace table bad (digest blob, reason varchar)")
    workspace.load("bad", ((one.wanted.digest, one.reason) for one in damaged))
    rows = workspace.all(
        "select e.ref, e.path, any_value(b.reason) from every e join bad b using (digest)"
        f" group by e.ref, e.path order by e.ref, e.path limit {REPORTED_MAX}"
    )
    return tuple(Damage(ref, path, reason) for ref, path, reason in rows)


class _Reader(Sink):
    """A sink that keeps nothing: it reads whole containers to their end and compares."""

    def __init__(self, algorithm: str, unfinished: Unfinished, stop: StopSignal) -> None:
        self._algorithm = algorithm
        self._unfinished = unfinished
        self._stop = stop

    def write(self, wanted: Wanted, parts: Iterator[bytes | memoryview]) -> None:
        """What comes out of packs is verified on the way, down to the digest of the whole."""
        for _ in parts:
            pass
        self._unfinished.note(wanted.digest)

    def place(self, wanted: Wanted, source: Path, sums: bytes) -> None:
        """Read a whole container: its checksums and its digest."""
        hasher = new_hasher(self._algorithm)
        found: list[bytes] = []

        def look(view: memoryview) -> None:
            hasher.update(view)
            found.append(checksums(view))

        try:
            fd = os.open(source, os.O_RDONLY | getattr(os, "O_BINARY", 0))
            try:
                # What grew meanwhile is not what was stored either.
                look_through(fd, look=look, stop=self._stop, limit=wanted.size)
            finally:
                os.close(fd)
        except FileNotFoundError as error:
            raise Corrupt("its container is missing", kind="container_missing") from error
        except OSError as error:
            # A bad disk: the other files are still to be looked at.
            raise Corrupt(f"it cannot be read: {error.strerror}") from error
        if b"".join(found) != sums or hasher.digest() != wanted.digest:
            raise Corrupt("its content is not what was saved", kind="content_damaged")
        self._unfinished.note(wanted.digest)
