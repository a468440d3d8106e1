"""Strict JSON: what every client, in any language and on any machine, reads alike.

No duplicate fields, no NaN and no infinity, no NUL and no half of a surrogate pair in a text, and
no deeper nesting than a fixed number: an interpreter's own limit differs by machine.
"""

from __future__ import annotations

import json
import re
from typing import Any, NoReturn

DEPTH_MAX = 32

_BAD_TEXT = re.compile("[\x00\ud800-\udfff]")
_TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{}]', re.DOTALL)


def parse(data: bytes) -> Any:
    """The value that `data` holds. Raises `ValueError` saying why it is not strict JSON.

    Texts are not looked at: that is `has_bad_text`.
    """
    if _depth(data) > DEPTH_MAX:
        raise ValueError(f"nested deeper than {DEPTH_MAX}")
    try:
        return json.loads(
            data.decode("utf-8", "strict"),
            object_pairs_hook=_without_duplicates,
            parse_constant=_refuse_constant,
            parse_float=_finite,
        )
    except ValueError as error:
        raise ValueError(f"not strict JSON: {str(error)[:200]}") from error


def _depth(data: bytes) -> int:
    """How deep the brackets of `data` nest, without recursion."""
    if data.count(b"[") + data.count(b"{") <= DEPTH_MAX:
        return 0
    depth = deepest = 0
    for match in _TOKEN.finditer(data):
        token = match.group()
        if token in (b"[", b"{"):
            depth += 1
            deepest = max(deepest, depth)
        elif token in (b"]", b"}"):
            depth -= 1
    return deepest


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ValueError("a field is there twice")
    return fields


def has_bad_text(value: object) -> bool:
    """Whether a NUL or half a surrogate pair is in any text: databases refuse them."""
    if isinstance(value, str):
        return _BAD_TEXT.search(value) is not None
    if isinstance(value, dict):
        return any(has_bad_text(part) for part in (*value, *value.values()))
    return isinstance(value, list) and any(has_bad_text(part) for part in value)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _finite(text: str) -> float:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise ValueError(f"{text[:40]} is out of range")
    return value
