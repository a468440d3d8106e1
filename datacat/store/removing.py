"""The verbs that take away, and bring back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta

from datacat.model import Collection, Periods, Removal, Restored, Version
from datacat.model.display import Rows
from datacat.progress import Listener, StopSignal, ignore
from datacat.store.handle import Handle, watching


class Removing(Handle):
    """Moving versions to the trash, bringing them back, and freeing their space."""

    def rm(
        self,
        refs: Sequence[str],
        *,
        force: bool = False,
        dry_run: bool = False,
        measure: bool = False,
        confirm: Callable[[Removal], bool] | None = None,
        listener: Listener = ignore,
        stop: StopSignal | None = None,
    ) -> Removal:
        """Move versions to the trash; a name without a version is the whole dataset.

        Nothing is deleted: `restore` brings them back, for as many days as the store says. What an
        alias points to, a version was made from or somebody pulled in the last 30 days, and what
        is not yours, needs `force`. `confirm`
        is asked when it is known what goes, before it does. `measure` also says what gc will free;
        for that it reads the lists of files of all versions.

        Raises `NotFound`, `Refused` (then nothing was moved), `Conflict`.

        >>> removal = store.rm(["cmr@v1"])
        >>> removal.done, [version.ref for version in removal.versions]
        (True, ['cmr@v1'])
        """
        from datacat.maintenance.trash import remove

        return remove(
            self._opened,
            refs,
            force=force,
            dry_run=dry_run,
            measure=measure,
            confirm=confirm,
            watch=watching(listener, stop),
        )

    def restore(self, refs: Sequence[str]) -> Restored:
        """Bring versions back from the trash; a name without a version is all of a dataset there.

        Raises `NotFound`, also for what gc has freed for good: then nothing comes back.

        >>> _ = store.rm(["cmr"])
        >>> [version.ref for version in store.restore(["cmr"]).versions]
        ['cmr@v1']
        """
        from datacat.maintenance.trash import restore

        return restore(self._opened, refs)

    def gc(
        self,
        *,
        older_than: timedelta | None = None,
        keep_last: int | None = None,
        periods: Periods | None = None,
        dry_run: bool = False,
        confirm: Callable[[Collection], bool] | None = None,
        listener: Listener = ignore,
        stop: StopSignal | None = None,
    ) -> Collection:
        """Free the space of what was in the trash for long enough, and of adds that never ended.

        What any version outside the trash is read from stays, whatever others do meanwhile.
        `older_than` is how long a version must have been in the trash, by default as the store
        says; `periods` says more. `keep_last` first moves all but so many of the newest versions
        of your datasets to the trash, apart from those that somebody needs. `confirm` is asked
        when it is known what goes.

        Raises `Corrupt` when a list of files or a part of the index cannot be read: then nothing
        is freed. `Conflict` when others are too busy.

        >>> _ = store.rm(["cmr"])
        >>> store.gc().freed_bytes
        0
        >>> from datetime import timedelta
        >>> collection = store.gc(older_than=timedelta(0))
        >>> [version.ref for version in collection.versions], collection.freed_bytes > 0
        (['cmr@v1'], True)
        """
        if periods is None:
            days = timedelta(days=self._opened.info.trash_days)
            periods = Periods(trash=days if older_than is None else older_than)
        from datacat.maintenance.gc import collect

        return collect(
            self._opened,
            periods=periods,
            keep_last=keep_last,
            dry_run=dry_run,
            confirm=confirm,
            watch=watching(listener, stop),
        )

    def trash(self, name: str) -> list[Version]:
        """The versions of a dataset that can be restored, newest first."""
        return Rows(self._query().trashed(name))
