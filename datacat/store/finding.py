"""The verbs for the copies that lie about on a drive."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from datacat.model import Adoption, LinkMode, ScanResult, Undone
from datacat.progress import Listener, StopSignal, ignore
from datacat.store.handle import Handle, PathLike, watching

GROUPS_MAX = 1_000
"""So many groups are told of unless the caller says otherwise: a drive may have a million."""

ADOPTED_FROM_MAX = 100_000
"""A group to adopt is looked for among so many of the largest."""


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
        from datacat.scan.find import ScanRequest, scan  # a large room that few commands enter

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

    def adopt(
        self,
        group: str,
        paths: Sequence[PathLike] = (".",),
        *,
        undo_file: PathLike,
        name: str | None = None,
        link: LinkMode = LinkMode.AUTO,
        files_only: bool = False,
        one_file_system: bool = False,
        execute: bool = False,
        listener: Listener = ignore,
        stop: StopSignal | None = None,
    ) -> Adoption:
        """Save the first copy of a group as a version, and let the others share its bytes.

        `group` is the id of a group that `scan` finds below `paths` with the same options, or the
        path of one of its copies. Every other copy is compared byte by byte, and each file that
        holds the same is replaced in one step: by a reflink of the first copy where the file
        system can, which is a file like before; else by a read-only hard link or symbolic link to
        the store. The first copy stays as it is. Files that changed since, are being written, have
        other names, belong to somebody else or are not kept whole in the store are left alone and
        named. `undo_file` must not exist: it is written before anything is replaced.

        Unless `execute` nothing is changed: the answer says what would be done. Raises what `scan`
        and `add` raise, `NotFound` (`group_not_found`), `Failed` (`write_failed`).

        >>> import shutil
        >>> _ = shutil.copytree("cmr", "work/cmr_final")
        >>> _ = shutil.copytree("cmr", "work/cmr_final_v2")
        >>> plan = store.adopt("work/cmr_final_v2", ["work"], undo_file="undo.jsonl")
        >>> plan.ref, plan.created, plan.files, plan.dry_run, plan.undo
        ('cmr@v1', False, 2, True, None)
        """
        from datacat.scan.adopt import AdoptRequest, adopt
        from datacat.scan.find import ScanRequest

        request = AdoptRequest(
            scan=ScanRequest(
                paths=[Path(path) for path in paths],
                limit=ADOPTED_FROM_MAX,
                files_only=files_only,
                one_file_system=one_file_system,
                ignore=self._ignore,
            ),
            group=group,
            undo=Path(undo_file),
            name=name,
            link=link,
            execute=execute,
        )
        return adopt(self._opened, request, watching(listener, stop))

    def undo_adopt(
        self, undo_file: PathLike, *, listener: Listener = ignore, stop: StopSignal | None = None
    ) -> Undone:
        """Turn the links that `adopt` made into files of their own again, as they were before.

        Owner, mode and times come back too, as far as that is permitted. What was not replaced, or
        is something else by now, stays as it is. Can be interrupted and run again. Raises
        `NotFound`, and `InvalidInput` (`bad_undo_file`).

        >>> import shutil
        >>> _ = shutil.copytree("cmr", "work/cmr_final")
        >>> _ = shutil.copytree("cmr", "work/cmr_final_v2")
        >>> done = store.adopt("work/cmr_final", ["work"], undo_file="undo.jsonl", execute=True)
        >>> store.undo_adopt("undo.jsonl").kept_total
        0
        """
        from datacat.scan.undo import undo

        return undo(self._opened, Path(undo_file), watching(listener, stop))
