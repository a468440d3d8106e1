"""The verbs that keep a store healthy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from datacat import layout
from datacat.errors import InvalidInput, NotFound
from datacat.maintenance.du import disk_use
from datacat.maintenance.verify import verify
from datacat.model import Diagnosis, DiskUse, Repair, VerifyLevel, VerifyResult
from datacat.opened import OpenedStore, open_store
from datacat.progress import Listener, StopSignal, ignore
from datacat.store.handle import Handle, watching
from datacat.working_copy.naming import Word


class Upkeep(Handle):
    """What the store takes, and whether it is whole."""

    def du(
        self,
        names: Sequence[str] = (),
        *,
        listener: Listener = ignore,
        stop: StopSignal | None = None,
    ) -> DiskUse:
        """What the store takes on disk and what was saved; `names` are the datasets to list.

        Reads the lists of files of all versions, each of which is downloaded once: some minutes
        for 100,000 versions. Raises `NotFound` (names), `Corrupt` when one of them is damaged.

        >>> use = store.du()
        >>> [(d.name, d.versions, d.logical_bytes) for d in use.datasets], use.trash_bytes
        ([('cmr', 1, 13)], 0)
        """
        return disk_use(self._opened, self._query(), names=names, watch=watching(listener, stop))

    def doctor(self, *, fix: bool = False) -> Diagnosis:
        """Look at this machine and at the store, and say what is wrong and how to mend it.

        Writes nothing but probes that it removes; with `fix`, it removes this user's own leftovers:
        abandoned temporaries, and registered copies that are gone. Never raises.

        >>> found = store.doctor()
        >>> found.ok, found.checks[0].id, found.checks[0].state.value
        (True, 'versions', 'ok')
        """
        from datacat.maintenance.doctor import Subject, examine

        subject = Subject(
            url=self.url,
            client=self._opened.client,
            folder=Path.cwd(),
            backend=self._opened.backend,
        )
        return examine(subject, fix=fix)

    def repair(
        self,
        *,
        sources: Sequence[str | Path] = (),
        dry_run: bool = False,
        confirm: Callable[[Repair], bool] | None = None,
        listener: Listener = ignore,
        stop: StopSignal | None = None,
    ) -> Repair:
        """Find what is damaged in the store, and mend it from good copies.

        They are looked for elsewhere in the store, in the working copies that are registered on
        this machine, in your cache, in the folders that were saved, and in `sources`: folders, and
        other stores. Every byte is compared before it is put in place. What is nowhere is set
        aside: nothing refers to it any more, and adding the same content again brings it back for
        every version. `confirm` is asked when the plan is made. Nothing is ever deleted.

        Raises `Corrupt` when a record of the log is lost everywhere: then name a backup.

        >>> store.repair().is_empty
        True
        """
        from datacat.maintenance.repair.run import repair

        other, folders = _sources(sources, self._opened)
        return repair(
            self._opened,
            other=other,
            folders=folders,
            dry_run=dry_run,
            confirm=confirm,
            watch=watching(listener, stop),
        )

    def verify(
        self,
        targets: Sequence[Word] = (),
        *,
        sample: float | None = None,
        everything: bool = False,
        level: VerifyLevel = VerifyLevel.CONTENT,
        restart: bool = False,
        listener: Listener = ignore,
        stop: StopSignal | None = None,
    ) -> list[VerifyResult]:
        """Read back versions or working copies and compare them with what was saved.

        Without a target: the working copy we are in, else everything. `sample` is a percentage of
        the content to read. A bare word is a version if there is such a dataset; with a `/`, or
        as a `Path`, it is a folder. `level` says how deep to look at everything. A run that was
        interrupted is gone on with, unless `restart`. Raises `Corrupt` when a record of the log is
        damaged that no bundle holds.

        >>> [(result.target, result.ok, result.checked) for result in store.verify(["cmr@v1"])]
        [('cmr@v1', True, 2)]
        """
        self._opened.confirm()
        return verify(
            self._opened,
            self._query(),
            targets,
            sample=sample,
            everything=everything,
            level=level,
            restart=restart,
            ignore=self._ignore,
            watch=watching(listener, stop),
        )


def _sources(
    words: Sequence[str | Path], store: OpenedStore
) -> tuple[OpenedStore | None, list[Path]]:
    """What is named with `--from`: at most one other store, and folders."""
    other: OpenedStore | None = None
    folders: list[Path] = []
    for word in words:
        folder = Path(word)
        if "://" not in str(word) and not (folder / layout.STORE).exists():
            if not folder.is_dir():
                raise NotFound(f"there is no folder {word}")
            folders.append(folder)
            continue
        if other is not None:
            raise InvalidInput("one other store at a time", kind="bad_source")
        # A backup has the id of the store that it is of, and must not share its cache.
        cache = store.cache / "other"
        other = open_store(str(word), client=replace(store.client, cache_dir=cache))
    return other, folders
