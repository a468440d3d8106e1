"""The verbs that take away, and bring back."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from datacat.maintenance.trash import remove, restore
from datacat.model import Removal, Restored, Version
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
        return restore(self._opened, refs)

    def trash(self, name: str) -> list[Version]:
        """The versions of a dataset that can be restored, newest first."""
        return self._query().trashed(name)
