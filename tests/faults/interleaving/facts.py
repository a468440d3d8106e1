"""What clients tell their users, and what they are about to try: all that the oracle goes by."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

Tree = tuple[tuple[str, str], ...]
"""What a version holds: paths and the digests of their content, sorted."""


def tree_of(files: Mapping[str, bytes]) -> Tree:
    """The tree of these files."""
    return tuple(
        (path, hashlib.sha256(data).hexdigest()[:16]) for path, data in sorted(files.items())
    )


@dataclass(frozen=True, slots=True)
class Trying:
    """From now on a version of `dataset` with this tree may appear, once."""

    dataset: str
    tree: Tree

    def __str__(self) -> str:
        return f"to save {self.dataset}"


@dataclass(frozen=True, slots=True)
class Saved:
    """The user was told that this is saved as `ref`: now, or (`known`) by somebody before."""

    trying: Trying
    ref: str
    known: bool = False

    def __str__(self) -> str:
        return f"saved {self.ref}{' before' if self.known else ''}"


@dataclass(frozen=True, slots=True)
class NotSaved:
    """The user was told that nothing was saved. `kind` is the kind of the error."""

    trying: Trying
    kind: str

    def __str__(self) -> str:
        return f"not saved {self.trying.dataset}: {self.kind}"


@dataclass(frozen=True, slots=True)
class InDoubt:
    """The user was told that nobody knows whether it was saved."""

    trying: Trying

    def __str__(self) -> str:
        return f"in doubt {self.trying.dataset}"


@dataclass(frozen=True, slots=True)
class Seen:
    """The user was given this tree as the content of `ref`."""

    ref: str
    tree: Tree

    def __str__(self) -> str:
        return f"seen {self.ref}"


@dataclass(frozen=True, slots=True)
class Unreadable:
    """The user was told that `ref`, which was listed, cannot be read."""

    ref: str
    why: str

    def __str__(self) -> str:
        return f"unreadable {self.ref}: {self.why}"


@dataclass(frozen=True, slots=True)
class Removing:
    """From now on `ref` may be in the trash."""

    ref: str

    def __str__(self) -> str:
        return f"to remove {self.ref}"


@dataclass(frozen=True, slots=True)
class Restored:
    """The user was told that `ref` is out of the trash, where they had put it: from now on it is
    as good as any other version."""

    ref: str

    def __str__(self) -> str:
        return f"restored {self.ref}"


@dataclass(frozen=True, slots=True)
class Broken:
    """The client ended with an error that is none of ours: a bug wherever it comes from."""

    error: str

    def __str__(self) -> str:
        return f"ended with {self.error}"


@dataclass(frozen=True, slots=True)
class Damaged:
    """Storage lost what was written: until somebody is told that it is mended, versions of this
    content, or these versions, cannot be read. They are never read wrongly."""

    digests: tuple[str, ...] = ()
    refs: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"damaged {', '.join((*self.digests, *self.refs))}"


@dataclass(frozen=True, slots=True)
class Mended:
    """The user was told that all damage is mended."""

    def __str__(self) -> str:
        return "mended"
