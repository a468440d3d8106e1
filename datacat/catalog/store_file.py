"""`store.json`: what a store is. Written once, when the store is created; never changed."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from datacat import layout
from datacat.errors import Corrupt, FormatTooNew, NoStore
from datacat.model import TRASH_DAYS, Layout, LinkMode, Parameters, StoreInfo
from datacat.text import rfc3339

STORE_FILE_BYTES_MAX = 64 * 1024
"""More than this is not a store.json of ours."""

TRASH_DAYS_MAX = 36_500
"""A hundred years: who wants more than that does not want a trash that is ever emptied."""

_Size = Annotated[int, Meta(ge=1, le=1 << 40)]
_Small = Annotated[int, Meta(ge=1, le=1 << 20)]
_Text = Annotated[str, Meta(max_length=4_096)]
_Days = Annotated[int, Meta(ge=0, le=TRASH_DAYS_MAX)]


class _ParametersFile(msgspec.Struct, frozen=True, kw_only=True):
    digest: Literal["blake3", "xxh3-128", "sha256"]
    layout: Layout
    small_bytes: _Small
    pack_bytes: _Size
    zstd_level: Annotated[int, Meta(ge=1, le=22)]
    chunk_min_bytes: Annotated[int, Meta(ge=64, le=1 << 20)]
    chunk_mean_bytes: Annotated[int, Meta(ge=256, le=1 << 20)]
    chunk_max_bytes: Annotated[int, Meta(ge=1024, le=1 << 20)]

    def __post_init__(self) -> None:
        if not self.chunk_min_bytes <= self.chunk_mean_bytes <= self.chunk_max_bytes:
            raise ValueError("the sizes of chunks are not in order")


class _StoreFile(msgspec.Struct, frozen=True, kw_only=True):
    format: Annotated[int, Meta(ge=1)]
    id: Annotated[str, Meta(pattern=r"\A[0-9a-f]{32}\Z")]
    name: _Text
    description: _Text
    created_at: datetime
    created_by: _Text
    shared: bool
    link: Literal["auto", "reflink", "copy", "hardlink", "symlink"]
    parameters: _ParametersFile
    trash_days: _Days = TRASH_DAYS


def encode(info: StoreInfo) -> bytes:
    """The bytes of `store.json`."""
    parameters = {name: getattr(info.parameters, name) for name in Parameters.__slots__}
    text = json.dumps(
        {
            "format": layout.FORMAT,
            "id": info.id,
            "name": info.name,
            "description": info.description,
            "created_at": rfc3339(info.created_at),
            "created_by": info.created_by,
            "shared": info.shared,
            "link": info.link.value,
            **({} if info.trash_days == TRASH_DAYS else {"trash_days": info.trash_days}),
            "parameters": parameters,
        },
        indent=2,
        ensure_ascii=False,
    )
    return text.encode() + b"\n"


def decode(data: bytes, place: str) -> StoreInfo:
    """The store that `data` describes; `place` names it in errors.

    Raises `FormatTooNew`, `Corrupt` when it is damaged, and `NoStore` when it is something else.
    """
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise Corrupt(
            f"{layout.STORE} of {place} is damaged: it is not JSON",
            kind="store_file_damaged",
            hint="Restore this file from a backup of the store.",
        ) from error
    if not isinstance(document, dict) or not isinstance(document.get("format"), int):
        raise NoStore(f"{place} is not a datacat store", kind="not_a_store")
    if document["format"] > layout.FORMAT:
        raise FormatTooNew(
            f"the store {place} has format {document['format']}; this datacat reads format"
            f" {layout.FORMAT}",
            commands=["pip install --upgrade datacat"],
        )
    try:
        file = msgspec.convert(document, _StoreFile)
    except msgspec.ValidationError as error:
        raise Corrupt(
            f"{layout.STORE} of {place} is damaged: {error}", kind="store_file_damaged"
        ) from error
    return StoreInfo(
        id=file.id,
        name=file.name,
        description=file.description,
        created_at=file.created_at,
        created_by=file.created_by,
        shared=file.shared,
        trash_days=file.trash_days,
        link=LinkMode(file.link),
        parameters=Parameters(
            **{name: getattr(file.parameters, name) for name in Parameters.__slots__}
        ),
    )
