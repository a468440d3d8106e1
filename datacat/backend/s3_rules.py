"""Lifecycle rules of an S3 bucket, as far as they would harm a store in it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from datacat.backend.base import AgingRule

_ARCHIVES = frozenset({"GLACIER", "DEEP_ARCHIVE"})
"""Classes from which nothing can be read at once; the others cost more, and harm nobody."""


def aging_rules(rules: Iterable[Mapping[str, Any]], prefix: str) -> list[AgingRule]:
    """Those of `rules` that delete keys below `prefix` by their age, or archive them.

    A rule that is switched off, or only cleans up after unfinished uploads and old versions, harms
    nothing: a store never changes what it wrote.
    """
    return [
        AgingRule(str(rule.get("ID") or "without a name"), does)
        for rule in rules
        if rule.get("Status") == "Enabled" and _concerns(rule, prefix)
        for does in _deeds(rule)
    ]


def _concerns(rule: Mapping[str, Any], prefix: str) -> bool:
    """Whether it is for keys below `prefix`, or above it. One for certain tags is for none: a
    store's files have no tags."""
    scope = rule.get("Filter") or {}
    both = scope.get("And") or {}
    if scope.get("Tag") or both.get("Tags"):
        return False
    own = str(rule.get("Prefix") or scope.get("Prefix") or both.get("Prefix") or "")
    return own.startswith(prefix) or prefix.startswith(own)


def _deeds(rule: Mapping[str, Any]) -> Iterator[str]:
    end = rule.get("Expiration") or {}
    if end.get("Days") is not None:
        yield f"deletes files after {end['Days']} days"
    elif end.get("Date") is not None:
        yield f"deletes files on {str(end['Date'])[:10]}"
    for move in rule.get("Transitions") or ():
        if move.get("StorageClass") in _ARCHIVES:
            yield f"moves files to {move['StorageClass']}, where they cannot be read,"
