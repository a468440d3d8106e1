"""JSON that is none, or that says what it should not: each document is a change of a good one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

VALUES: tuple[object, ...] = (
    None,
    True,
    False,
    0,
    -1,
    1,
    2**31,
    2**53 + 1,
    2**63,
    2**64,
    -(2**63) - 1,
    10**400,
    0.5,
    1e308,
    -0.0,
    "",
    " ",
    "\0",
    "a\0b",
    "\x1b[31m",
    "\u202e",
    "\ud800",
    "é",
    "e\u0301",
    "../../etc/passwd",
    "/etc/passwd",
    "a" * 70_000,
    "null",
    "{}",
    "1",
    "blake3:",
    "blake3:zz",
    "9999-99-99T99:99:99Z",
    "0000-00-00",
    "2026-11-22T00:00:00",
    "2026-11-22T00:00:00+99:99",
    "0001-01-01T00:00:00+23:59",
    [],
    {},
    [[]],
    [None] * 1000,
    {"a": {"b": {}}},
    {"": ""},
    {"__class__": "x"},
    {"$ref": "#"},
)

TEXTS: tuple[bytes, ...] = (
    b"",
    b" ",
    b"\n",
    b"null",
    b"true",
    b"0",
    b"-",
    b"1e999",
    b"-1e999",
    b"NaN",
    b"Infinity",
    b"-Infinity",
    b'"',
    b'"a',
    b"[",
    b"]",
    b"{",
    b"}",
    b"[]",
    b"{}",
    b"[1,]",
    b'{"a":1,}',
    b'{"a" 1}',
    b"{'a':1}",
    b"{a:1}",
    b"// x\n{}",
    b"/* x */ {}",
    b"{} {}",
    b"{}\0",
    b"\xef\xbb\xbf{}",
    b"\xff\xfe{\0}\0",
    b"\0{\0}",
    b"\xff",
    b'"\xed\xa0\x80"',
    b'"\\ud800"',
    b'"\\udc00\\ud800"',
    b'"\\x41"',
    b'"\\u00"',
    b'"\t"',
    b"01",
    b"1.",
    b".5",
    b"+1",
    b"0x10",
    b"1_000",
    b"[" * 100_000,
    b'{"a":' * 100_000,
    b"[" * 31 + b"]" * 31,
    b"[" * 33 + b"]" * 33,
    b"9" * 5000,
    b"1" + b"0" * 400 + b".5",
    b"\x80\x04K\x01.",
    b"PAR1",
    b"\x28\xb5\x2f\xfd\x00",
    b"--- !!python/x",
)


def documents(good: bytes) -> Iterator[bytes]:
    """All of them, made from a good document that is an object."""
    yield from TEXTS
    fields: dict[str, Any] = json.loads(good)
    for name in fields:
        yield dump({key: value for key, value in fields.items() if key != name})
        yield good.rstrip()[:-1] + b"," + json.dumps({name: fields[name]})[1:].encode()  # twice
    for value in VALUES:
        for name in fields:
            yield dump({**fields, name: value})
    yield dump({**fields, "unknown": 1})
    yield dump([fields])
    for cut in range(0, len(good), max(1, len(good) // 20)):
        yield good[:cut]


def dump(value: object) -> bytes:
    return json.dumps(value).encode("utf-8", "surrogatepass")
