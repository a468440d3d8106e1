"""The log of a clone: the same records, linked to the `store.json` of another store.

Each record names the digest of the one before it, and so in the end that of `store.json`. Of a
record nothing is changed but that link: also fields that this version does not know stay, and what
is void stays void for the same reason.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

import msgspec

from datacat.catalog.log import Entry, digest_of
from datacat.catalog.record import Record, StoreCreate, Void, decode, encode, sealed
from datacat.catalog.strict_json import parse
from datacat.model import StoreInfo

_CHECK_BYTES = len(b'{"check":"') + 16 + len(b'",')


def relinked(entries: Iterable[Entry], *, info: StoreInfo, genesis: bytes) -> Iterator[bytes]:
    """The records of a log from its first on, as those of the store `info` with that `genesis`."""
    prev = digest_of(genesis)
    for entry in entries:
        data = _relinked(entry, prev, info)
        prev = digest_of(data)
        yield data


def _relinked(entry: Entry, prev: str, info: StoreInfo) -> bytes:
    record = decode(entry.data, "")
    if isinstance(record, Void):
        return entry.data  # whatever it is: nobody looks for a link in it
    if isinstance(record, StoreCreate) and entry.seq == 1:
        return encode(msgspec.structs.replace(record, prev=prev, store_id=info.id, name=info.name))
    return _with_prev(entry.data, record, prev)


def _with_prev(data: bytes, record: Record, prev: str) -> bytes:
    body = b"{" + data[_CHECK_BYTES:-1]
    old = b'"prev":"' + record.prev.encode() + b'"'
    if body.count(old) == 1:
        return sealed(body.replace(old, b'"prev":"' + prev.encode() + b'"'))
    fields = parse(body)
    fields["prev"] = prev
    return sealed(json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode())
