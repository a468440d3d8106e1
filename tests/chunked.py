"""Stores whose chunks are tiny, so that what happens to large files happens to small ones; and
what such a store holds, read from its packs and segments without the code that wrote them."""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from datacat import layout
from datacat.backend import Backend
from datacat.catalog.query import CatalogQuery
from datacat.digest import digest_of
from datacat.model import Layout, Parameters
from datacat.objects import codec
from datacat.objects.chunker import Chunker
from datacat.objects.pack import read_footer
from datacat.opened import OpenedStore, open_store
from datacat.sql import Workspace
from datacat.store import Store
from datacat.transfer import chunking, fetch, ingest, old_content, tree
from datacat.transfer.journal import ChunkRow
from tests.conftest import make_client

TINY = Parameters(
    small_bytes=512,
    pack_bytes=6_000,
    chunk_min_bytes=64,
    chunk_mean_bytes=256,
    chunk_max_bytes=1024,
)
IN_MEMORY_BYTES = 8_000
"""Larger files take the path of those that are not held in memory."""


def shrink(patch: pytest.MonkeyPatch) -> None:
    """Make all that is large small: sections, batches, groups, steps, margins."""
    patch.setattr(chunking, "SECTION_BYTES", 3_000)
    patch.setattr(ingest, "IN_MEMORY_BYTES", IN_MEMORY_BYTES)
    patch.setattr(tree, "IN_MEMORY_BYTES", IN_MEMORY_BYTES)
    patch.setattr(tree, "BATCH_BYTES", 20_000)
    patch.setattr(fetch, "GROUP_BYTES", 6_000)
    patch.setattr(fetch, "GROUP_PIECES", 20)
    patch.setattr(fetch, "STEP_BYTES", 2_000)
    patch.setattr(old_content, "MARGIN_BYTES", 2_000)
    patch.setattr(old_content, "NOTED_CHUNKS", 10)
    patch.setattr(codec, "DELTA_BYTES_MIN", 64)


def tiny(layout: Layout, *, small_bytes: int = TINY.small_bytes) -> Parameters:
    return replace(TINY, layout=layout, small_bytes=small_bytes)


def blake(data: bytes) -> bytes:
    return digest_of("blake3", data)


def chunks_of(data: bytes, parameters: Parameters = TINY) -> list[bytes]:
    """The chunks that `data` is cut into when it is an edit."""
    if len(data) < parameters.small_bytes:
        return [data]
    ends = Chunker(parameters).cut(data, final=True)
    return [data[a:b] for a, b in itertools.pairwise([0, *ends])]


@dataclass(frozen=True)
class Held:
    """What a store holds: the containers as they are, the index as its segments say."""

    packed: Counter[bytes]
    whole: Counter[bytes]
    containers: dict[str, int]
    chunks: list[tuple[int, ChunkRow]]
    recipes: list[tuple[int, bytes, int, bytes]]

    @property
    def stored_bytes(self) -> int:
        return sum(self.containers.values())


def opened(store: Store, folder: Path, user: str = "looker") -> OpenedStore:
    return open_store(store.url, client=make_client(folder, user))


def containers(backend: Backend) -> dict[str, int]:
    """Every container and its size."""
    return {
        stat.key: stat.size_bytes
        for top in (layout.PACKS, layout.WHOLE)
        for stat in backend.keys(top)
    }


def held(store: OpenedStore) -> Held:
    """All of it."""
    packed: Counter[bytes] = Counter()
    whole: Counter[bytes] = Counter()
    found = containers(store.backend)
    for key, size in found.items():
        if layout.is_whole(key):
            whole[bytes.fromhex(key.rpartition("/")[2].partition("-")[0])] += 1
        else:
            packed.update(e.digest for e in read_footer(store.backend, key, size_bytes=size))
    query = CatalogQuery(store.catalog.sync())
    rows: dict[str, list[tuple[int, ...]]] = {"chunks": [], "recipes": []}
    with Workspace() as workspace:
        for part in query.segments():
            path = workspace.folder / "segment.parquet"
            path.write_bytes(store.backend.read(part.file.key))
            order = "digest" if part.kind == "chunks" else "object, ordinal"
            for row in workspace.all(f"select * from read_parquet(['{path}']) order by {order}"):
                rows[part.kind].append((part.seq, *row))
    return Held(
        packed=packed,
        whole=whole,
        containers=found,
        chunks=[(row[0], row[1:]) for row in rows["chunks"]],  # type: ignore[misc]
        recipes=rows["recipes"],  # type: ignore[arg-type]
    )


def added(store: Store, folder: Path, files: dict[str, bytes], **more: object) -> str:
    """Make `folder` hold exactly these files, add it, and say what version that is."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in sorted(folder.rglob("*"), reverse=True):
        relative = path.relative_to(folder)
        if relative.parts[0] != ".datacat" and str(relative) not in files and path.is_file():
            path.unlink()
    for name, data in files.items():
        path = folder / name
        if not path.is_file() or path.read_bytes() != data:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
    return store.add(folder, **more).version.ref  # type: ignore[arg-type]


def pulled(store: Store, ref: str, dest: Path) -> dict[str, bytes]:
    """The files of a version, as a pull makes them."""
    store.pull(ref, dest=dest)
    return {
        str(path.relative_to(dest)): path.read_bytes()
        for path in dest.rglob("*")
        if path.is_file() and path.relative_to(dest).parts[0] != ".datacat"
    }
