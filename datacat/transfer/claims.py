"""Which content is already stored, or being stored by this session: so each piece is stored once.

Claims are looked up in the catalog's index, never by asking shared storage.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence

from datacat.sql import Workspace


class Claims:
    """Claims over the workspace's tables `known(digest)`, `new_chunks` and `set_aside`, and its
    view `usable`. Thread-safe."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._lock = threading.Lock()
        self._hints = False

    def found(self, digests: Sequence[bytes]) -> None:
        """These chunks lie in old content, where nobody knew: they need not be stored.

        Nor do those that an interrupted session made against them.
        """
        with self._lock:
            self._take(digests)
            (some,) = self._workspace.row("select count(*) > 0 from set_aside")
            if not some:
                return
            self._workspace.execute(
                """
                insert into new_chunks
                select * from set_aside where reference in (select unnest($1::blob[]))
                """,
                [list(digests)],
            )
            taken = self._workspace.all(
                """
                delete from set_aside where reference in (select unnest($1::blob[]))
                returning digest
                """,
                [list(digests)],
            )
            self._take([row[0] for row in taken])

    def take(self, digests: Sequence[bytes]) -> set[bytes]:
        """Those of the files' contents `digests` that nobody has stored: the caller must."""
        with self._lock:
            return self._take(digests)

    def take_chunks(self, digests: Sequence[bytes]) -> set[bytes]:
        """The same for chunks, which may be any that the store holds."""
        with self._lock:
            self._prepare_hints()
            hinted = self._workspace.all(
                "select d from unnest($1::blob[]) asked(d)"
                " where hash(d) in (select hint from chunk_hints)",
                [list(digests)],
            )
            held: set[bytes] = set()
            if hinted:
                rows = self._workspace.all(
                    "select distinct digest from usable"
                    " where digest in (select unnest($1::blob[]))",
                    [[row[0] for row in hinted]],
                )
                held = {row[0] for row in rows}
            return self._take([digest for digest in digests if digest not in held])

    def _take(self, digests: Sequence[bytes]) -> set[bytes]:
        new = self._workspace.all(
            """
            insert into known
            select distinct d from unnest($1::blob[]) claimed(d)
            where not exists (select 1 from known k where k.digest = d)
            returning digest
            """,
            [list(digests)],
        )
        return {row[0] for row in new}

    def _prepare_hints(self) -> None:
        """Eight bytes for each chunk of the store: to ask the index itself, which lies in files,
        about every chunk takes longer than to read and compress it."""
        if not self._hints:
            self._workspace.execute(
                "create table chunk_hints as select hash(digest) as hint from usable"
            )
            self._hints = True
