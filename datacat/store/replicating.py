"""The verbs between stores."""

from __future__ import annotations

from collections.abc import Sequence

from datacat.model import CopyResult
from datacat.progress import Listener, StopSignal, ignore
from datacat.replication import CopyRequest, copy
from datacat.store.handle import Handle, watching


class Replicating(Handle):
    """Sending versions to another store."""

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
        request = CopyRequest(
            refs=tuple(refs),
            to=to.url,
            name=name,
            history=history,
            force=force,
            dry_run=dry_run,
        )
        return copy(self._opened, to._opened, request, watching(listener, stop))
