"""`copies/<id>.json`: what a working copy says of itself. `docs/format.md` is normative."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from datacat import layout, refs
from datacat.catalog import strict_json
from datacat.text import rfc3339

FORMAT = 1

REGISTRATION_BYTES_MAX = 16 * 1024
"""Some hundred bytes, and a path. More than this is not a registration of ours."""

_YEARS = range(2000, 2200)
"""Times outside are ignored: no calendar or time zone can be confused by the others."""

_KEY = re.compile(rf"{layout.COPIES}([0-9a-f]{{32}})\.json")

_Text = Annotated[str, Meta(min_length=1, max_length=256)]
_Path = Annotated[str, Meta(min_length=1, max_length=8_192)]
_Time = Annotated[datetime, Meta(tz=True)]


class LastPull(msgspec.Struct, frozen=True, kw_only=True):
    """The last pull into a working copy, whatever it holds by now."""

    name: Annotated[str, Meta(pattern=rf"\A{refs.NAME.pattern}\Z")]
    version: Annotated[int, Meta(ge=1, lt=1_000_000_000)]
    at: _Time


class Registration(msgspec.Struct, frozen=True, kw_only=True):
    """One working copy. `name` is what its dataset was called when it was registered.

    `user`, `host` and `path` are None together: their owner does not share them.
    """

    id: Annotated[str, Meta(pattern=r"\A[0-9a-f]{32}\Z")]
    name: Annotated[str, Meta(pattern=rf"\A{refs.NAME.pattern}\Z")]
    version: Annotated[int, Meta(ge=1, lt=1_000_000_000)]
    linked: bool
    partial: bool
    last_seen: _Time
    pulled_at: _Time | None = None
    last_pull: LastPull | None = None
    user: _Text | None = None
    host: _Text | None = None
    path: _Path | None = None
    format: Annotated[int, Meta(ge=1, le=FORMAT)] = FORMAT

    def __post_init__(self) -> None:
        if len({value is None for value in (self.user, self.host, self.path)}) > 1:
            raise ValueError("only a part of who has it where")
        last = self.last_pull.at if self.last_pull else None
        if any(time.year not in _YEARS for time in (self.last_seen, self.pulled_at, last) if time):
            raise ValueError("a time is out of range")

    @property
    def key(self) -> str:
        """Where it is on shared storage."""
        return layout.copy(self.id)


def encode(of: Registration) -> bytes:
    """The bytes of a registration."""
    document = {
        "format": of.format,
        "id": of.id,
        "name": of.name,
        "version": of.version,
        "user": of.user,
        "host": of.host,
        "path": of.path,
        "linked": of.linked,
        "partial": of.partial,
        "pulled_at": None if of.pulled_at is None else rfc3339(of.pulled_at),
        "last_pull": None if of.last_pull is None else _last_pull(of.last_pull),
        "last_seen": rfc3339(of.last_seen),
    }
    return msgspec.json.encode(document) + b"\n"


def _last_pull(of: LastPull) -> dict[str, str | int]:
    return {"name": of.name, "version": of.version, "at": rfc3339(of.at)}


def decode(data: bytes, key: str) -> Registration | None:
    """The registration that `data` is, or None: anybody may have written anything there."""
    if len(data) > REGISTRATION_BYTES_MAX:
        return None
    try:
        document = strict_json.parse(data)
        if strict_json.has_bad_text(document):
            return None
        found = msgspec.convert(document, Registration)
        if found.key != key:
            return None
        # Some offsets from UTC lead out of what a calendar can hold.
        pulled_at = None if found.pulled_at is None else found.pulled_at.astimezone(UTC)
        last_seen = found.last_seen.astimezone(UTC)
        last = found.last_pull
        if last is not None:
            last = msgspec.structs.replace(last, at=last.at.astimezone(UTC))
    except (ValueError, OverflowError, RecursionError):
        return None
    return msgspec.structs.replace(found, pulled_at=pulled_at, last_pull=last, last_seen=last_seen)


def is_key(key: str) -> bool:
    """Whether `key` is one that a registration can have."""
    return _KEY.fullmatch(key) is not None
