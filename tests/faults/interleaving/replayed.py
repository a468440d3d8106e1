"""What the log says, folded by the real fold and without a database."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import cast

from datacat.catalog.fold import Fold
from datacat.catalog.log import Entry
from datacat.catalog.record import (
    ContainersCondemn,
    ContainersSwept,
    ObjectQuarantine,
    ObjectRelocate,
    Record,
    VersionAdd,
    VersionRemove,
    VersionRestore,
)


@dataclass(frozen=True)
class FoldedLog:
    """A snapshot as `Catalog.commit` wants it, without a database: the log up to `seq`."""

    seq: int
    digest: str
    entries: tuple[Entry, ...]

    def fold(self) -> Fold:
        """A fold over these records; what is applied to it later counts as news."""
        fold = Fold()
        for entry in self.entries:
            fold.apply(entry.seq, entry.record)
        fold.drain()
        return fold

    def __iter__(self) -> Iterator[tuple[int, Record]]:
        """The records that took effect, with their slots."""
        fold = Fold()
        for entry in self.entries:
            if fold.verdict(entry.seq, entry.record) is None:
                yield entry.seq, cast("Record", entry.record)
            fold.apply(entry.seq, entry.record)


@dataclass
class Live:
    """The versions after some records: what each refers to, and which are in the trash."""

    versions: dict[str, VersionAdd] = field(default_factory=dict)
    segments: dict[int, str] = field(default_factory=dict)
    trashed: set[str] = field(default_factory=set)
    condemned: set[str] = field(default_factory=set)
    swept: set[str] = field(default_factory=set)
    repairs: set[object] = field(default_factory=set)
    """Records that say where content lies now, and where it does not."""

    @classmethod
    def at(cls, log: FoldedLog) -> Live:
        live = cls()
        for seq, record in log:
            match record:
                case VersionAdd():
                    live.versions[f"{record.dataset}@v{record.number}"] = record
                    if record.chunks is not None:
                        live.segments[seq] = record.chunks.key
                case VersionRemove():
                    live.trashed |= {f"{record.dataset}@v{n}" for n in record.numbers}
                case VersionRestore():
                    live.trashed -= {f"{record.dataset}@v{n}" for n in record.numbers}
                case ContainersCondemn():
                    live.condemned |= set(record.names)
                case ObjectRelocate() | ObjectQuarantine():
                    live.repairs.add((seq, record))
                case ContainersSwept():
                    live.swept |= set(record.names)
        return live

    def listed(self) -> list[str]:
        """The versions that `ls` shows."""
        return sorted(set(self.versions) - self.trashed)

    def segments_of(self, seq: int, record: VersionAdd) -> list[str]:
        """The segments that a reader of this version looks into, oldest first."""
        seqs = {*(record.segments or ()), seq} & self.segments.keys()
        keys = [self.segments[one] for one in sorted(seqs)]
        return [key for key in keys if key not in self.condemned]
