"""The verbs between stores."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from datacat.backend.open import NO_OPTIONS, Options, open_backend
from datacat.model import CloneResult, CopyResult
from datacat.progress import Listener, StopSignal, ignore
from datacat.store.handle import Handle, watching


class Replicating(Handle):
    """Bringing versions, or all of it, to another place."""

    def copy(
        self,
        refs: Sequence[str],
        *,
        to: Handle,
        name: str | None = None,
        history: bool = False,
        force: bool = False,
        dry_run: bool = False,
        listener: Listener = ignore,
        stop: StopSignal | None = None,
    ) -> CopyResult:
        """Copy versions to the store `to`: of their content only what it does not have travels.

        A version keeps its hash, message, author, time, params and metrics, and gets the next
        number there; `name` is what its dataset is called there. `history` takes all older versions
        along. What is there already is not copied again. What is new becomes the newest there, so
        that is refused where something newer, or something unknown here, is the newest; not with
        `force`. Each version is there as soon as it arrived; an interrupted call goes on when it is
        made again. `dry_run` only looks.

        Raises `NotFound`, `InvalidInput` (`same_store`, `other_digest`), `Conflict`, `Refused`,
        `Corrupt` (damaged files are named, and never copied), `StorageError`, `OutcomeUnknown`.

        >>> [(v.ref, v.there, v.created) for v in store.copy(["cmr@v1"], to=archive).versions]
        [('cmr@v1', 'cmr@v1', True)]
        >>> again = store.copy(["cmr@v1"], to=archive)
        >>> again.versions[0].created, again.sent_bytes
        (False, 0)
        """
        from datacat.replication import CopyRequest, copy

        request = CopyRequest(
            refs=tuple(refs),
            to=to.url,
            name=name,
            history=history,
            force=force,
            dry_run=dry_run,
        )
        return copy(self._opened, to._opened, request, watching(listener, stop))

    def clone(
        self,
        to: str,
        *,
        options: Options = NO_OPTIONS,
        name: str | None = None,
        group: str | None = None,
        shared: bool = True,
        interruptible: Callable[[Callable[[], None]], None] | None = None,
        listener: Listener = ignore,
        stop: StopSignal | None = None,
    ) -> CloneResult:
        """Make the empty place `to` a store of its own with all that this one holds, and its log.

        Every version is there byte for byte, also those in the trash, with the same numbers. Others
        may save and collect here meanwhile; the clone is the state of one moment. It is no store
        before all of it has arrived. When it was interrupted, the same call goes on. Working copies
        stay with this store. `options`, `name`, `group` and `shared` are as in `create`;
        `interruptible` is called with what gives up requests to `to` that hang.

        Raises `Refused` (`already_a_store`), `Failed` (something else is there), `Corrupt` (files
        that are damaged here are named), `NoStore`, `StorageError`.

        >>> made = store.clone("backup")
        >>> made.versions, made.info.id == store.info.id
        (1, False)
        """
        from datacat.replication import CloneRequest, clone

        backend = open_backend(to, options)
        if interruptible is not None:
            interruptible(backend.interrupt)
        request = CloneRequest(name=name, group=group, shared=shared)
        return clone(self._opened, backend, request, watching(listener, stop))
