"""Records: what one entry of the log says, its bytes, and the strict parser.

A record is one JSON object on one line. Its bytes begin with `{"check":"<16 hex>",` where the
check is the XXH3-64 of everything after that prefix, so damage (a wrong check: `Corrupt`) can be
told from a record that was written wrong (right check, `Void`). Every limit below is part of the
format: whether a record is void must not depend on the client that reads it.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, TypedDict

import msgspec
import xxhash
from msgspec import UNSET, Meta, UnsetType

from datacat import layout, refs
from datacat.catalog.record_parts import (
    BadPlace,
    ChangeCounts,
    CodeState,
    Count,
    Digest,
    Direction,
    Hex32,
    Hex64,
    Keys,
    Line,
    Message,
    Moment,
    MovedManifest,
    Name,
    Number,
    Numbers,
    Origin,
    Reference,
    Seq,
    StoredFile,
    StoredSegment,
    Tags,
    Values,
    Word,
)
from datacat.catalog.strict_json import has_bad_text, parse
from datacat.errors import Corrupt, FormatTooNew, InvalidInput

REPAIR = "repair"
"""The feature of `object.quarantine` and `object.relocate`: a client that does not know them would
refer to what is damaged, and delete what was put in its place."""

FEATURES: frozenset[str] = frozenset({REPAIR})
"""What `crit` may name: the features a client must know to read a log."""

RECORD_BYTES_MAX = 1 << 20
"""A longer record is void: everything a record carries is bounded well below."""

_PREFIX = b'{"check":"'
_PREFIX_BYTES = len(_PREFIX) + 16 + len('",')


class Record(msgspec.Struct, frozen=True, kw_only=True, tag_field="op", gc=False):
    """What every record carries.

    `prev` is the SHA-256 of the bytes of record seq-1 (of `store.json` for the first), `base` the
    head that the session started from. `at` is UTC and informational: nothing is decided by it.
    """

    format: Annotated[int, Meta(ge=1, le=layout.FORMAT)] = layout.FORMAT
    seq: Seq
    txid: Hex32
    prev: Hex64
    base: Count
    crit: Annotated[tuple[Word, ...], Meta(max_length=32)] = ()
    by: Word
    host: Line = ""
    client: Line = ""
    at: Moment

    def __post_init__(self) -> None:
        if self.at.utcoffset():
            raise ValueError("the time is not in UTC")


class Envelope(TypedDict):
    """What every record says of itself, besides what it does: the fields of `Record`."""

    seq: int
    txid: str
    prev: str
    base: int
    by: str
    host: str
    client: str
    at: datetime


class StoreCreate(Record, frozen=True, kw_only=True, tag="store.create", gc=False):
    """The first record of every log, and only that."""

    store_id: Hex32
    name: Line = ""


class VersionAdd(Record, frozen=True, kw_only=True, tag="version.add", gc=False):
    """A new version of `dataset`, which is made when the name is unknown.

    `number` must be the next one. `chunks` and `recipes` are what this commit adds to the index,
    null when it adds nothing. `segments` lists the records whose segments hold the older content
    of this version, null when any may. `description`, `tags`, `aliases` and
    `better` (as in `DatasetEdit`) are set on the way. With an `origin`, its `by` and `at` are the
    author and the time of the version. `added_from` is the URL that the files came from.
    """

    dataset: Name
    number: Number
    tree: Digest
    session: Hex32
    manifest: StoredFile
    chunks: StoredSegment | None = None
    recipes: StoredSegment | None = None
    files: Count
    bytes: Count
    new_bytes: Count = 0
    stored_bytes: Count = 0
    changes: ChangeCounts = ChangeCounts()
    message: Message = ""
    base_version: Number | None = None
    sources: Annotated[tuple[Reference, ...], Meta(max_length=1_000)] = ()
    params: Values = {}
    metrics: Values = {}
    code: CodeState | None = None
    sketch: Annotated[str, Meta(pattern=r"\A[0-9A-Za-z+/]*={0,2}\Z", max_length=8_192)] = ""
    description: Line | None = None
    tags: Tags = ()
    aliases: Annotated[tuple[Name, ...], Meta(max_length=32)] = ()
    segments: Annotated[tuple[Seq, ...], Meta(max_length=20_000)] | None = None
    better: Annotated[dict[Word, Direction], Meta(max_length=1_000)] | UnsetType = UNSET
    origin: Origin | UnsetType = UNSET
    added_from: Line | UnsetType = UNSET

    def __post_init__(self) -> None:
        super().__post_init__()
        for alias in self.aliases:
            refs.check_alias(alias)


class VersionRemove(Record, frozen=True, kw_only=True, tag="version.remove", gc=False):
    """Versions go to the trash, all or none of them."""

    dataset: Name
    numbers: Numbers
    reason: Message = ""


class VersionRestore(Record, frozen=True, kw_only=True, tag="version.restore", gc=False):
    """Versions come back from the trash, all or none of them."""

    dataset: Name
    numbers: Numbers


class AliasSet(Record, frozen=True, kw_only=True, tag="alias.set", gc=False):
    """An alias points to version `number` from now on; null removes the alias."""

    dataset: Name
    alias: Name
    number: Number | None

    def __post_init__(self) -> None:
        super().__post_init__()
        refs.check_alias(self.alias)


class DatasetEdit(Record, frozen=True, kw_only=True, tag="dataset.edit", gc=False):
    """Facts about a dataset, or about its version `number`; null leaves a fact as it is.

    `params` and `metrics` are merged into those of the version, `better` into what is known of the
    dataset's metrics: whether small or large values are good.
    """

    dataset: Name
    description: Line | None = None
    owner: Word | None = None
    add_tags: Tags = ()
    remove_tags: Tags = ()
    number: Number | None = None
    message: Message | None = None
    params: Values = {}
    metrics: Values = {}
    better: Annotated[dict[Word, Direction | None], Meta(max_length=1_000)] | UnsetType = UNSET

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.number is None and (self.message is not None or self.params or self.metrics):
            raise ValueError("an edit of a version without its number")


class DatasetRename(Record, frozen=True, kw_only=True, tag="dataset.rename", gc=False):
    """`dataset` is called `new_name` from now on; the old name keeps pointing to it."""

    dataset: Name
    new_name: Name


class ContainersCondemn(Record, frozen=True, kw_only=True, tag="containers.condemn", gc=False):
    """Names on shared storage that no later record may refer to: gc will delete them."""

    names: Keys


class ContainersSwept(Record, frozen=True, kw_only=True, tag="containers.swept", gc=False):
    """Condemned names that gc has deleted."""

    names: Keys


class ObjectQuarantine(Record, frozen=True, kw_only=True, tag="object.quarantine", gc=False):
    """Places that nobody reads from or refers to any more; their bytes are kept as they are."""

    places: Annotated[tuple[BadPlace, ...], Meta(min_length=1, max_length=10_000)]


class ObjectRelocate(Record, frozen=True, kw_only=True, tag="object.relocate", gc=False):
    """Content lies in other places as well: for every version, also those before this record."""

    session: Hex32
    chunks: StoredSegment | None = None
    recipes: StoredSegment | None = None
    manifests: Annotated[tuple[MovedManifest, ...], Meta(max_length=1_000)] = ()


AnyRecord = (
    StoreCreate
    | VersionAdd
    | VersionRemove
    | VersionRestore
    | AliasSet
    | DatasetEdit
    | DatasetRename
    | ContainersCondemn
    | ContainersSwept
    | ObjectQuarantine
    | ObjectRelocate
)
_decoder: msgspec.json.Decoder[AnyRecord] = msgspec.json.Decoder(AnyRecord)
_encoder = msgspec.json.Encoder()


class Void(msgspec.Struct, frozen=True):
    """The verdict on a record without effect. It keeps its slot, and every client agrees."""

    reason: str


def encode(record: Record) -> bytes:
    """The bytes of a record: one line with its check.

    Raises `InvalidInput` when a reader would find the record void (a message that is too long).
    """
    try:
        data = sealed(_encoder.encode(record))
    except UnicodeEncodeError as error:
        raise InvalidInput(f"not valid text: {error.object[:80]!r}", kind="bad_text") from error
    verdict = decode(data, "the new record")
    if isinstance(verdict, Void):
        raise InvalidInput(f"this cannot be saved: {verdict.reason}", kind="bad_record")
    if verdict != record:
        # JSON has no NaN and no infinity: they would be saved as null.
        raise InvalidInput("this cannot be saved exactly: a value is not a finite number")
    return data


def sealed(body: bytes) -> bytes:
    """The bytes of a record out of its JSON object: with its check and its newline."""
    rest = body[1:] + b"\n"
    return _PREFIX + xxhash.xxh3_64_hexdigest(rest).encode() + b'",' + rest


def is_intact(data: bytes) -> bool:
    """Whether these are bytes that a writer sealed: the check is that of what follows it."""
    check = data[len(_PREFIX) : _PREFIX_BYTES - 2]
    return (
        data.startswith(_PREFIX)
        and data[_PREFIX_BYTES - 2 : _PREFIX_BYTES] == b'",'
        and xxhash.xxh3_64_hexdigest(memoryview(data)[_PREFIX_BYTES:]).encode() == check
    )


def decode(data: bytes, key: str) -> AnyRecord | Void:
    """The record in `data`, which was read from `key`, or `Void` with the reason.

    Raises `Corrupt` when the bytes are damaged and `FormatTooNew` when the record says that a
    client of this version cannot read on.
    """
    if not is_intact(data):
        raise Corrupt(
            f"{key} in the store is damaged: its bytes do not match their check",
            kind="record_damaged",
            commands=["datacat verify"],
        )
    if len(data) > RECORD_BYTES_MAX:
        return Void(f"longer than {RECORD_BYTES_MAX} bytes")
    if not data.endswith(b"\n"):
        return Void("does not end with a newline")
    body = b"{" + data[_PREFIX_BYTES:-1]
    return _canonical(body) or _parsed(data, key)


def _canonical(body: bytes) -> AnyRecord | None:
    """The record, if `body` is byte for byte what this client would have written.

    Then it holds no duplicate and no unknown field, and the strict parser, which takes ten times
    as long, would say the same.
    """
    if b"\\u0000" in body:
        return None
    try:
        record = _decoder.decode(body)
        if record.crit or _encoder.encode(record) != body:
            return None
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    return record


def _parsed(data: bytes, key: str) -> AnyRecord | Void:
    try:
        fields = parse(data)
    except ValueError as error:
        return Void(str(error)[:220])
    if not isinstance(fields, dict):
        return Void("not an object")
    _refuse_too_new(fields, key)
    if has_bad_text(fields):
        return Void("a text holds NUL or half a character")
    try:
        record: AnyRecord = msgspec.convert(fields, AnyRecord)
        return record
    except (msgspec.ValidationError, ValueError) as error:
        return Void(f"schema: {str(error)[:200]}")


def _refuse_too_new(fields: dict[str, Any], key: str) -> None:
    written = fields.get("format")
    if isinstance(written, int) and written > layout.FORMAT:
        raise FormatTooNew(
            f"{key} has format {written}; this datacat reads up to {layout.FORMAT}",
            commands=["pip install --upgrade datacat"],
        )
    crit = fields.get("crit")
    if isinstance(crit, list):
        unknown = sorted({str(name)[:80] for name in crit} - FEATURES)
        if unknown:
            raise FormatTooNew(
                f"{key} needs a newer datacat: it uses {', '.join(unknown[:5])}",
                commands=["pip install --upgrade datacat"],
            )
