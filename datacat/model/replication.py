"""What is brought from one store to another."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CopiedVersion:
    """A version that was to be in another store: `ref` here is `there` in that one.

    `there` is None where a dry run does not know it yet. `created` is False when it was there
    already. `sent_bytes` is what travelled for it, of the `bytes` of its files.
    """

    ref: str
    there: str | None
    created: bool
    hash: str
    files: int
    bytes: int
    sent_bytes: int = 0


@dataclass(frozen=True, slots=True)
class CopyResult:
    """What `copy` did, or with `dry_run` would do; `to` is the URL of the other store.

    `sent_bytes` is what travelled of all versions, or would.
    """

    to: str
    versions: tuple[CopiedVersion, ...]
    sent_bytes: int
    dry_run: bool = False
