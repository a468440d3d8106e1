"""What can go wrong, sorted by what a caller would do about it.

Every error of the library is a `DatacatError`. It carries what happened (`message`, with the
names), a stable `kind` (added to, never renamed), an optional `hint` in one sentence, and
`commands`: lines that can be pasted into a terminal. `exit_code` is what the command line
returns. `docs/errors.md` lists every kind.
"""

from __future__ import annotations

from collections.abc import Sequence


class DatacatError(Exception):
    """The base of every error that datacat raises on purpose.

    Shown to a person as `Error: <message>`, then the hint and the commands, without a traceback.
    """

    exit_code: int = 1
    default_kind: str = "failed"

    def __init__(
        self,
        message: str,
        *,
        kind: str | None = None,
        hint: str | None = None,
        commands: Sequence[str] = (),
    ) -> None:
        super().__init__(message)
        self.message = message
        self.kind = kind or self.default_kind
        self.hint = hint
        self.commands = tuple(commands)

    def __str__(self) -> str:
        return self.message

    def _render_traceback_(self) -> list[str]:
        """What IPython shows instead of a traceback: what the command would say."""
        from importlib import import_module

        shown: list[str] = import_module("datacat.render.notebook").error_traceback(self)
        return shown


class Failed(DatacatError):
    """The work could not be done: an unreadable file, one that changed while it was read."""


class InvalidInput(DatacatError, ValueError):
    """What was asked for makes no sense: a bad name, an unknown setting."""

    exit_code = 2
    default_kind = "invalid_input"


class NotFound(DatacatError, FileNotFoundError):
    """A dataset, version, alias, file or path that does not exist."""

    exit_code = 3
    default_kind = "not_found"


class NoStore(DatacatError):
    """No usable store: not configured, not there, not a store, or not permitted."""

    exit_code = 4
    default_kind = "no_store"


class FormatTooNew(NoStore):
    """The store, or a record in it, needs a newer datacat."""

    default_kind = "format_too_new"


class Corrupt(DatacatError):
    """Stored content is not what was saved. Never served."""

    exit_code = 5
    default_kind = "corrupt"


class Refused(DatacatError):
    """Not done, to protect data: local edits, a newer version, a name that is taken."""

    exit_code = 6
    default_kind = "refused"


class ReadOnly(Refused, PermissionError):
    """Versions never change: what would write to one is refused."""

    default_kind = "read_only"


class Conflict(Refused):
    """Someone else saved in between."""

    default_kind = "conflict"


class OutcomeUnknown(DatacatError):
    """Shared storage did not answer, or too many writers raced: try again."""

    exit_code = 7
    default_kind = "outcome_unknown"


class StorageError(DatacatError, OSError):
    """Shared or local storage failed."""

    default_kind = "storage_failed"


class StorageMissing(StorageError):
    """A key that is not on shared storage. Absence is an answer of its own, never a guess."""

    default_kind = "storage_missing"


class StorageDenied(StorageError):
    """The operating system or the bucket does not permit it."""

    exit_code = 4
    default_kind = "storage_denied"


class StorageFull(StorageError):
    """No space left, or a quota is used up."""

    default_kind = "storage_full"


class StorageTransient(StorageError):
    """A failure that may pass: worth a bounded number of tries."""

    default_kind = "storage_transient"


class Cancelled(DatacatError):
    """The work was stopped on request; nothing was saved."""

    exit_code = 130
    default_kind = "cancelled"
