"""What records are made of: their fields with their limits, and the facts that they hold.

Every limit is part of the format: whether a record is void must not depend on who reads it.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from datacat import refs

INTEGER_MAX = 2**63 - 1
_SCALAR_TEXT_MAX = 4_096

_DIGEST = r"\A(?:blake3:[0-9a-f]{64}|sha256:[0-9a-f]{64}|xxh3-128:[0-9a-f]{32})\Z"
_KEY = r"\A(?:manifests|segments|whole|packs)(?:/[0-9a-z-]+(?:\.[0-9a-z-]+)*)+\Z"

Count = Annotated[int, Meta(ge=0, le=INTEGER_MAX)]
Seq = Annotated[int, Meta(ge=1, le=INTEGER_MAX)]
Number = Annotated[int, Meta(ge=1, le=999_999_999)]
Hex32 = Annotated[str, Meta(pattern=r"\A[0-9a-f]{32}\Z")]
Hex64 = Annotated[str, Meta(pattern=r"\A[0-9a-f]{64}\Z")]
Name = Annotated[str, Meta(pattern=rf"\A{refs.NAME.pattern}\Z")]
Reference = Annotated[str, Meta(pattern=rf"\A{refs.NAME.pattern}@v[1-9][0-9]{{0,8}}\Z")]
Digest = Annotated[str, Meta(pattern=_DIGEST)]
Key = Annotated[str, Meta(pattern=_KEY, max_length=255)]
Word = Annotated[str, Meta(min_length=1, max_length=255)]
Line = Annotated[str, Meta(max_length=4_096)]
Message = Annotated[str, Meta(max_length=16_384)]
Value = (
    Annotated[str, Meta(max_length=_SCALAR_TEXT_MAX)]
    | Annotated[int, Meta(ge=-(2**63), le=INTEGER_MAX)]
    | float
    | bool
    | None
)
Values = Annotated[dict[Word, Value], Meta(max_length=1_000)]
Direction = Literal["min", "max"]
Tags = Annotated[tuple[Name, ...], Meta(max_length=100)]
Numbers = Annotated[tuple[Number, ...], Meta(min_length=1, max_length=10_000)]
Keys = Annotated[tuple[Key, ...], Meta(min_length=1, max_length=10_000)]
Moment = Annotated[datetime, Meta(tz=True)]


class StoredFile(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A file on shared storage: its key, size in bytes and digest label."""

    key: Key
    size: Count
    digest: Digest


class StoredSegment(StoredFile, frozen=True, kw_only=True, gc=False):
    """A part of the index that one commit added."""

    rows: Count


class ChangeCounts(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """How many files differ from the base version."""

    added: Count = 0
    modified: Count = 0
    removed: Count = 0


class CodeState(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The Git state of the folder from which a version was saved."""

    repo: Line
    commit: Word
    dirty: bool


class Origin(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Where a version was saved first, of one that was copied from another store.

    `store` is the id of that store, `ref` what the version was called there, `txid`, `by` and `at`
    are those of its record. `sources` are what it was made from there and this store does not have.
    """

    store: Hex32
    ref: Reference
    txid: Hex32
    by: Word
    at: Moment
    sources: Annotated[tuple[Reference, ...], Meta(max_length=1_000)] = ()

    def __post_init__(self) -> None:
        if self.at.utcoffset():
            raise ValueError("the time is not in UTC")


class BadPlace(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A container that is damaged: these `chunks` of it, null for all of it. Or a segment."""

    name: Key
    chunks: Annotated[tuple[Digest, ...], Meta(min_length=1, max_length=10_000)] | None = None


class MovedManifest(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The list of files of a version, made again: it names the same tree."""

    dataset: Name
    number: Number
    manifest: StoredFile
