"""A shelf: containers and index segments put into a backend by hand, without an add."""

from __future__ import annotations

import atexit
import functools
import random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from datacat import layout
from datacat.backend import Backend
from datacat.backend.download import StoredFile
from datacat.backend.memory import MemoryBackend
from datacat.digest import checksums, digest_of, label
from datacat.objects.codec import Encoder
from datacat.objects.index import CHUNKS_DDL, RECIPES_DDL, Index, Segment, write_segment
from datacat.objects.pack import PackWriter
from datacat.sql import Row, Workspace
from datacat.transfer.journal import ChunkRow, pack_rows, whole_row

RecipeRow = tuple[bytes, int, bytes]


def blake(data: bytes) -> bytes:
    return digest_of("blake3", data)


def session(number: int) -> str:
    return f"{number:032x}"


@functools.cache
def _workspace() -> Workspace:
    """The one that writes segments: opening one for each takes longer than all the rest."""
    workspace = Workspace()
    atexit.register(workspace.close)
    return workspace


class CountingBackend(MemoryBackend):
    """Remembers which keys were read how often."""

    def __init__(self) -> None:
        super().__init__()
        self.reads: Counter[str] = Counter()

    def read_range(self, key: str, offset: int, length: int) -> bytes:
        self.reads[key] += offset == 0
        return super().read_range(key, offset, length)


class Shelf:
    """Fills a backend with containers, and with the segments that say what lies in them."""

    def __init__(self, backend: Backend) -> None:
        self.backend = backend

    def pack(self, number: int, contents: Sequence[bytes]) -> list[ChunkRow]:
        """A pack of these chunks; the rows that its commit would add."""
        writer = PackWriter(self.backend, layout.pack(session(number), 0), digest_bytes=32)
        encoder = Encoder(1)
        for data in contents:
            codec, frame = encoder.encode(data)
            writer.append(blake(data), frame, size=len(data), codec=codec)
        writer.finish()
        return pack_rows(writer.key, writer.entries)

    def whole(self, number: int, data: bytes) -> ChunkRow:
        key = layout.whole(blake(data).hex(), session(number))
        self.backend.write(key, data)
        return whole_row(key, blake(data), len(data), checksums(data))

    def segment(
        self, seq: int, rows: Sequence[ChunkRow | RecipeRow], relation: str = "chunks"
    ) -> Segment:
        """Store these rows as the segment of record `seq`."""
        ddl = CHUNKS_DDL if relation == "chunks" else RECIPES_DDL
        workspace = _workspace()
        workspace.execute(f"create or replace table new_{relation} ({ddl})")
        workspace.load(f"new_{relation}", rows)
        path = workspace.folder / "segment.parquet"
        write_segment(workspace, relation, path)
        return self.stored(seq, path.read_bytes(), relation)

    def written(self, seq: int, query: str, relation: str = "chunks") -> Segment:
        """Store what `query` gives as a segment, whatever it is."""
        path = _workspace().folder / "segment.parquet"
        _workspace().write_parquet(query, path)
        return self.stored(seq, path.read_bytes(), relation)

    def stored(self, seq: int, data: bytes, relation: str = "chunks") -> Segment:
        """Store any bytes as a segment; the record names them rightly."""
        name = layout.chunks_segment if relation == "chunks" else layout.recipes_segment
        key = name(session(seq))
        self.backend.write(key, data)
        return Segment(seq, relation, StoredFile(key, len(data), label("blake3", blake(data))))


def rows_of(
    backend: Backend,
    folder: Path,
    segments: Sequence[Segment],
    *,
    merge: bool = False,
    relation: str = "chunks",
) -> list[Row]:
    """All rows of a relation, as this client sees it."""
    with Workspace() as workspace:
        Index(backend, folder).attach(workspace, segments, merge=merge)
        return sorted(workspace.all(f"select * from {relation}"))


def some_rows(seq: int, count: int) -> list[ChunkRow]:
    """Plausible rows that are all different, and repeat from one `seq` to the next now and then."""
    found: list[ChunkRow] = []
    for n in range(count):
        made = random.Random(f"{seq // 3}-{n}" if n % 5 == 0 else f"{seq}-{n}")
        size = made.randrange(1, 5000)
        key = layout.pack(session(seq), n % 3)
        sums = made.randbytes(8)
        found.append((made.randbytes(32), size, key, n * 5000, size, "raw", None, sums))
    return found
