"""Versions committed by hand: any chunks, recipes and lists of files, without an add."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from datacat import layout
from datacat.catalog.fold import Fold
from datacat.catalog.record import (
    ContainersCondemn,
    DatasetRename,
    Record,
    VersionAdd,
    VersionRemove,
    VersionRestore,
)
from datacat.catalog.record_parts import StoredFile, StoredSegment
from datacat.digest import label
from datacat.manifest import parquet
from datacat.manifest.entry import DDL
from datacat.opened import Client, open_store
from datacat.sql import Workspace
from datacat.transfer.journal import ChunkRow
from tests.unit.objects.shelf import RecipeRow, Shelf, blake


class Bench:
    """Appends records to a store, whatever they say, and what they speak of."""

    def __init__(self, url: str, *, client: Client) -> None:
        self._opened = open_store(url, client=client)
        self.shelf = Shelf(self._opened.backend)

    @property
    def next_seq(self) -> int:
        return self._opened.catalog.sync().seq + 1

    def version(
        self,
        dataset: str,
        contents: Mapping[bytes, int],
        *,
        chunks: Sequence[ChunkRow] = (),
        recipes: Sequence[RecipeRow] = (),
    ) -> int:
        """A version of files with these digests and sizes; the seq of its record."""
        seq, session = self.next_seq, secrets.token_hex(16)
        tree = blake(repr(sorted(contents.items())).encode())
        segments = {
            relation: self.shelf.segment(seq, rows, relation).file
            for relation, rows in (("chunks", chunks), ("recipes", recipes))
            if rows
        }
        return self._append(
            VersionAdd,
            dataset=dataset,
            tree=label("blake3", tree),
            session=session,
            manifest=self._manifest(layout.manifest(tree.hex(), session), contents),
            files=len(contents),
            bytes=sum(contents.values()),
            **{
                relation: StoredSegment(
                    key=file.key, size=file.size_bytes, digest=file.digest, rows=1
                )
                for relation, file in segments.items()
            },
        )

    def remove(self, dataset: str, *numbers: int) -> None:
        """Put versions into the trash."""
        self._append(VersionRemove, dataset=dataset, numbers=numbers)

    def restore(self, dataset: str, *numbers: int) -> None:
        self._append(VersionRestore, dataset=dataset, numbers=numbers)

    def rename(self, dataset: str, new_name: str) -> None:
        self._append(DatasetRename, dataset=dataset, new_name=new_name)

    def condemn(self, *names: str) -> None:
        self._append(ContainersCondemn, names=names)

    def _manifest(self, key: str, contents: Mapping[bytes, int]) -> StoredFile:
        with Workspace() as workspace:
            workspace.execute(f"create table entries ({DDL})")
            workspace.load(
                "entries",
                [
                    (digest.hex(), "file", size, False, 0, digest, None)
                    for digest, size in contents.items()
                ],
            )
            path = workspace.folder / "manifest.parquet"
            parquet.write(workspace, "entries", path)
            data = path.read_bytes()
        self.shelf.backend.write(key, data)
        return StoredFile(key=key, size=len(data), digest=label("blake3", blake(data)))

    def _append(self, kind: type[Record], **fields: Any) -> int:
        def make(fold: Fold, seq: int, prev: str) -> Record:
            numbered = {"number": fold.next_number(fields["dataset"])} if kind is VersionAdd else {}
            return kind(
                seq=seq,
                txid=secrets.token_hex(16),
                prev=prev,
                base=0,
                by="alice",
                at=datetime.now(UTC).replace(microsecond=0),
                **fields,
                **numbered,
            )

        return self._opened.catalog.writer().commit(make).entry.seq
