"""Store content again that was damaged, and tell everybody where it is now.

INV order: containers, then their part of the index, then the record. Whoever dies in between has
left files that nothing names; whoever reads meanwhile finds what was there before.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from datacat import layout
from datacat.catalog.fold import Fold
from datacat.catalog.record import REPAIR, Envelope, ObjectQuarantine
from datacat.catalog.record_parts import BadPlace, MovedManifest
from datacat.catalog.snapshot import Snapshot
from datacat.digest import DIGEST_BYTES, digest_of, label
from datacat.errors import Corrupt
from datacat.objects.codec import Encoder
from datacat.objects.index import CHUNK_COLUMNS, CHUNKS_DDL, RECIPE_COLUMNS, RECIPES_DDL
from datacat.objects.pack import FRAME_BYTES_MAX, PackWriter
from datacat.opened import OpenedStore, Watch
from datacat.sql import Workspace
from datacat.transfer.journal import Journal
from datacat.transfer.whole import WholeContainers
from datacat.working_copy.healing import Relocation, keep_each_once, relocate
from datacat.working_copy.publish import publish_segment

CHUNKS_MAX = 8_000
"""Chunks that one record calls damaged: it stays well below its limit of 1 MiB."""


class Again:
    """One session of storing again. Fills `again_chunks` and `again_recipes` of the workspace."""

    def __init__(self, store: OpenedStore, workspace: Workspace, watch: Watch) -> None:
        self._store = store
        self._workspace = workspace
        self._watch = watch
        self.session = store.client.new_id()
        self._journal = Journal.begin(store.cache / "sessions", self.session)
        self._encoder = Encoder(store.info.parameters.zstd_level)
        self._pack: PackWriter | None = None
        self._packs = 0
        workspace.execute(f"create or replace table new_chunks ({CHUNKS_DDL})")
        workspace.execute(f"create or replace table new_recipes ({RECIPES_DDL})")
        self._whole = WholeContainers(
            store.backend,
            algorithm=store.algorithm,
            session=self.session,
            journal=self._journal,
            listener=watch.listener,
            stop=watch.stop,
        )

    def content(self, path: Path, digest: bytes, size: int) -> None:
        """Store a whole content: small ones in a pack, others by themselves.

        Raises `Corrupt` when the file is not any more what it was when it was looked at.
        """
        if size <= FRAME_BYTES_MAX:
            self.chunk(path, 0, size, digest)
            return
        fd = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        try:
            with self._store.backend.stage() as staged:
                copied = self._whole.copy(fd, staged, str(path), limit=size)
                if copied.digest != digest or copied.size != size:
                    raise _changed(path)
                row = self._whole.publish(copied)
        finally:
            os.close(fd)
        self._workspace.load("new_chunks", [row])

    def chunk(self, path: Path, offset: int, size: int, digest: bytes) -> None:
        """Store `size` bytes of a file as one chunk. Raises `Corrupt` as `content`."""
        self._watch.stop.check()
        with path.open("rb") as file:
            file.seek(offset)
            data = file.read(size)
        if len(data) != size or digest_of(self._store.algorithm, data) != digest:
            raise _changed(path)
        if self._pack is None:
            key = layout.pack(self.session, self._packs)
            self._packs += 1
            digest_bytes = DIGEST_BYTES[self._store.algorithm]
            self._pack = PackWriter(self._store.backend, key, digest_bytes=digest_bytes)
        codec, frame = self._encoder.encode(data)
        self._pack.append(digest, frame, size=size, codec=codec)
        if self._pack.size_bytes >= self._store.info.parameters.pack_bytes:
            self._close_pack()

    def rows(self, query: str) -> None:
        """Add rows of the index that a query gives: chunks that lie where they lay."""
        self._workspace.execute(f"insert into new_chunks select {CHUNK_COLUMNS} from ({query})")

    def recipes(self, query: str) -> None:
        """The same of recipes."""
        self._workspace.execute(f"insert into new_recipes select {RECIPE_COLUMNS} from ({query})")

    def _close_pack(self) -> None:
        if self._pack is None:
            return
        pack, self._pack = self._pack, None
        pack.finish()
        self._journal.pack(pack.key, pack.size_bytes)
        self._workspace.load(
            "new_chunks",
            (
                (
                    e.digest,
                    e.size,
                    pack.key,
                    e.offset,
                    e.stored_size,
                    e.codec,
                    e.reference,
                    e.checksum,
                )
                for e in pack.entries
            ),
        )

    def publish(self, snapshot: Snapshot, manifests: Sequence[MovedManifest] = ()) -> None:
        """Make what was stored durable, then part of the index of every version."""
        self._close_pack()
        keep_each_once(self._workspace)
        self._store.backend.sync()
        chunks = publish_segment(
            self._store, self._workspace, "chunks", layout.chunks_segment(self.session)
        )
        recipes = publish_segment(
            self._store, self._workspace, "recipes", layout.recipes_segment(self.session)
        )
        self._store.backend.sync()
        if chunks is not None or recipes is not None or manifests:
            used = self._workspace.all("select distinct container from new_chunks")
            relocate(
                self._store,
                snapshot,
                Relocation(self.session, chunks, recipes, tuple(manifests)),
                containers={row[0] for row in used},
            )
        self._journal.remove()

    def discard(self) -> None:
        """Give up: INV hands off, what was uploaded stays, and the next add takes it over."""
        if self._pack is not None:
            self._pack.discard()
        self._journal.close()


def quarantine(store: OpenedStore, places: Iterable[tuple[str, bytes | None]]) -> None:
    """Record that nothing shall be read from these places: chunks of containers, or all of one."""
    by_name: dict[str, list[str] | None] = {}
    for name, chunk in places:
        listed = by_name.setdefault(name, [])
        if chunk is None:
            by_name[name] = None
        elif listed is not None:
            listed.append(label(store.algorithm, chunk))
    batch: list[BadPlace] = []
    count = 0
    for name, chunks in by_name.items():
        for start in range(0, max(1, len(chunks or ())), CHUNKS_MAX):
            part = None if chunks is None else tuple(chunks[start : start + CHUNKS_MAX])
            if batch and count + len(part or ()) + 1 > CHUNKS_MAX:
                _commit(store, batch)
                batch, count = [], 0
            batch.append(BadPlace(name=name, chunks=part))
            count += len(part or ()) + 1
    if batch:
        _commit(store, batch)


def _commit(store: OpenedStore, places: Sequence[BadPlace]) -> None:
    def make(_fold: Fold, envelope: Envelope) -> ObjectQuarantine:
        return ObjectQuarantine(**envelope, crit=(REPAIR,), places=tuple(places))

    store.commit(make)


def _changed(path: Path) -> Corrupt:
    return Corrupt(f"{path} changed while it was copied", kind="source_changed")
