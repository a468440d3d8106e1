"""The verbs for the copies that lie about on a drive."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from datacat.model import ScanResult
from datacat.progress import Listener, StopSignal, ignore
from datacat.scan.find import ScanRequest, scan
from datacat.store.handle import Handle, PathLike, watching

GROUPS_MAX = 1_000
"""So many groups are told of unless the caller says otherwise: a drive may have a million."""


class Finding(Handle):
    """Copies outside the store."""

    def scan(
        self,
        paths: Sequence[PathLike] = (".",),
        *,
        min_bytes: int = 0,
        depth: int | None = None,
        limit: int | None = GROUPS_MAX,
        files_only: bool = False,
        one_file_system: bool = False,
        dry_run: bool = False,
        listener: Listener = ignore,
        stop: StopSignal | None = None,
    ) -> ScanResult:
        """The folders and files below `paths` of which there are several, and what they waste.

        Reads only what names and sizes leave open, and remembers it: what an interrupted or
        earlier scan read is not read again while it does not change. Whole folders come first,
        identical ones and those that share most of their bytes, then loose files; hard links and
        reflinks count once. Changes nothing.

        Groups that waste less than `min_bytes` are left out, and those of which every copy lies
        more than `depth` folders below `paths`; the `limit` largest are told (None: all, with all
        their paths). `files_only` reports no folders. Other file systems are entered unless
        `one_file_system`; symbolic links are not followed, and stores are left out. `dry_run`
        looks at names and sizes only.

        Raises `NotFound` for a path that does not exist, `Failed` (`not_a_folder`), and `Refused`
        for a path inside the store.

        >>> import shutil
        >>> _ = shutil.copytree("cmr", "work/cmr_final")
        >>> _ = shutil.copytree("cmr", "work/cmr_final_v2")
        >>> found = store.scan(["work"])
        >>> found.files, found.bytes, found.duplicate_bytes
        (4, 26, 13)
        >>> [(group.copies, group.ref) for group in found.groups]
        [(2, 'cmr@v1')]
        """
        request = ScanRequest(
            paths=[Path(path) for path in paths],
            min_bytes=min_bytes,
            depth=depth,
            limit=limit,
            files_only=files_only,
            one_file_system=one_file_system,
            dry_run=dry_run,
            ignore=self._ignore,
        )
        return scan(self._opened, request, watching(listener, stop))
