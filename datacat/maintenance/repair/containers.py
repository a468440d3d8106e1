"""Read every stored byte that the index names, container by container, and say which rows are bad.

Unlike a reader, which takes the first place of a piece of content, this looks at every place.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

from datacat import layout
from datacat.backend import Backend
from datacat.digest import checksums, new_hasher
from datacat.errors import Corrupt, StorageMissing
from datacat.objects.codec import decode
from datacat.objects.pack import footer_entries
from datacat.opened import OpenedStore, Watch
from datacat.progress import Advanced, Finished, Started
from datacat.sql import Workspace
from datacat.transfer.executor import run_bounded, threads
from datacat.transfer.pieces import Piece, split

RUN_BYTES = 8 * 1024 * 1024
"""Frames that are read with one request."""

BAD_DDL = "container varchar, chunk blob, reason varchar, absent boolean"


@dataclass(frozen=True, slots=True)
class _Container:
    key: str
    rows: list[Piece]


@dataclass(frozen=True, slots=True)
class _Read:
    """One container: its bad rows, why, and whether only its own list is damaged."""

    key: str
    size_bytes: int
    bad: list[tuple[bytes, str]]
    absent: bool = False
    footer: bool = False


def examine_containers(store: OpenedStore, workspace: Workspace, watch: Watch) -> tuple[int, int]:
    """Make `bad(container, chunk, reason, absent)` and `bad_lists(container)`; needs `usable`.

    `bad_lists` are packs whose frames are right and whose own list of them is not. Returns how many
    containers were read, and how many bytes.
    """
    workspace.execute(f"create table bad ({BAD_DDL})")
    workspace.execute("create table bad_lists (container varchar)")
    total, size = workspace.row(
        """
        select count(distinct container), coalesce(sum(stored_size), 0)::bigint
        from (select distinct container, "offset", stored_size from usable)
        """
    )
    watch.listener(Started("Checking", total, size))
    jobs, count, read_bytes = store.client.jobs, 0, 0
    examiner = _Examiner(store, watch)
    with threads(jobs) as executor:
        work = run_bounded(
            executor, examiner.read, _containers(workspace), jobs=jobs, stop=watch.stop
        )
        for found in work:
            count, read_bytes = count + 1, read_bytes + found.size_bytes
            workspace.load(
                "bad", ((found.key, chunk, why, found.absent) for chunk, why in found.bad)
            )
            if found.footer:
                workspace.load("bad_lists", [(found.key,)])
            watch.listener(Advanced(1, found.size_bytes))
    watch.listener(Finished("Checking"))
    return count, read_bytes


def _containers(workspace: Workspace) -> Iterator[_Container]:
    rows = workspace.rows(
        """
        select distinct container, "offset", digest, size, stored_size, codec, checksums, reference
        from usable order by container, "offset", size desc, digest
        """
    )
    for key, group in itertools.groupby(rows, key=lambda row: row[0]):
        pieces = []
        for _, offset, digest, size, stored_size, codec, sums, reference in group:
            made_against = reference and Piece(reference, 0, "", 0, 0, codec, b"")
            pieces.append(
                Piece(digest, size, key, offset, stored_size, codec, sums, made_against or None)
            )
        yield _Container(key, pieces)


class _Examiner:
    def __init__(self, store: OpenedStore, watch: Watch) -> None:
        self._backend: Backend = store.backend
        self._algorithm = store.algorithm
        self._stop = watch.stop

    def read(self, container: _Container) -> _Read:
        key, rows = container.key, container.rows
        self._stop.check()
        stat = self._backend.stat(key)
        if stat is None:
            return _Read(key, 0, [(p.digest, "its container is missing") for p in rows], True)
        bad: list[tuple[bytes, str]] = []
        try:
            for piece in rows:
                if piece.stored_size > RUN_BYTES and not self._large(piece):
                    bad.append((piece.digest, "its bytes are not what was saved"))
            for run in _runs([piece for piece in rows if piece.stored_size <= RUN_BYTES]):
                self._stop.check()
                bad += self._frames(run)
        except StorageMissing:
            return _Read(key, 0, [(p.digest, "its container is missing") for p in rows], True)
        whole = layout.is_whole(key)
        if whole and not bad and any(_beyond(piece, stat.size_bytes) for piece in rows):
            bad = [(piece.digest, "its container has another size") for piece in rows]
        footer = not whole and not bad and not self._lists(container, stat.size_bytes)
        return _Read(key, sum(p.stored_size for p in rows), bad, footer=footer)

    def _large(self, piece: Piece) -> bool:
        hasher = new_hasher(self._algorithm)
        for part in split(piece):
            self._stop.check()
            data = self._backend.read_range(part.container, part.offset, part.stored_size)
            if checksums(data) != part.checksums:
                return False
            hasher.update(data)
        return hasher.digest() == piece.digest

    def _frames(self, run: list[Piece]) -> Iterator[tuple[bytes, str]]:
        start = run[0].offset
        end = max(piece.offset + piece.stored_size for piece in run)
        data = memoryview(self._backend.read_range(run[0].container, start, end - start))
        for piece in run:
            frame = data[piece.offset - start :][: piece.stored_size]
            if not self._is_good(piece, frame):
                yield piece.digest, "its bytes are not what was saved"

    def _is_good(self, piece: Piece, frame: memoryview) -> bool:
        if len(frame) != piece.stored_size or checksums(frame) != piece.checksums:
            return False
        if piece.reference is not None:
            return True  # what it was made against is looked at by itself
        try:
            plain = decode(frame, codec=piece.codec, size=piece.size)
        except Corrupt:
            return False
        hasher = new_hasher(self._algorithm)
        hasher.update(plain)
        return hasher.digest() == piece.digest

    def _lists(self, container: _Container, size_bytes: int) -> bool:
        """Whether a pack's own list of what it holds has what the index says."""
        wanted = {(p.digest, p.offset, p.size) for p in container.rows}
        try:
            for batch in footer_entries(
                self._backend.read_range, container.key, size_bytes=size_bytes
            ):
                wanted.difference_update((e.digest, e.offset, e.size) for e in batch)
        except (Corrupt, StorageMissing):
            return False
        return not wanted


def _beyond(piece: Piece, size_bytes: int) -> bool:
    """Whether the row of a whole container's own content does not fit the size of the file."""
    own = piece.container.startswith(layout.whole(piece.digest.hex(), ""))
    return own and piece.stored_size != size_bytes


def _runs(pieces: list[Piece]) -> Iterator[list[Piece]]:
    run: list[Piece] = []
    for piece in sorted(pieces, key=lambda one: one.offset):
        if run and piece.offset + piece.stored_size - run[0].offset > RUN_BYTES:
            yield run
            run = []
        run.append(piece)
    if run:
        yield run


def set_bad_aside(workspace: Workspace) -> None:
    """Leave what is bad out of `usable` and `objects`, and what was made against it."""
    run = workspace.execute
    run("insert into damaged select container, chunk from bad")
    run("delete from dangling")
    run(
        """
        insert into dangling
        select distinct reference from held
        where reference is not null
          and reference not in (select digest from held where reference is null)
        """
    )
