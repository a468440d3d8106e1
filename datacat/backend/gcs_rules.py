"""Lifecycle rules of a bucket of Google Cloud Storage, as far as they would harm a store in it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from datacat.backend.base import AgingRule

_SPARES_LIVE = frozenset(
    {
        "numNewerVersions",
        "daysSinceNoncurrentTime",
        "noncurrentTimeBefore",
        "daysSinceCustomTime",
        "customTimeBefore",
    }
)
"""Conditions that no file of a store meets: none is replaced, none has a time of its own."""


def aging_rules(rules: Iterable[Mapping[str, Any]], prefix: str) -> list[AgingRule]:
    """Those of `rules` that delete what lies below `prefix`.

    Whatever class a rule moves files to, they can be read at once: that only changes what they
    cost. Uploads that are not finished have nothing that a store needs.
    """
    return [
        AgingRule(f"rule {number}", _deed(rule.get("condition") or {}))
        for number, rule in enumerate(rules, start=1)
        if (rule.get("action") or {}).get("type") == "Delete"
        and _concerns(rule.get("condition") or {}, prefix)
    ]


def _concerns(condition: Mapping[str, Any], prefix: str) -> bool:
    if condition.get("isLive") is False or any(name in condition for name in _SPARES_LIVE):
        return False
    scope = condition.get("matchesPrefix") or [""]
    return any(own.startswith(prefix) or prefix.startswith(own) for own in map(str, scope))


def _deed(condition: Mapping[str, Any]) -> str:
    if (days := condition.get("age")) is not None:
        return f"deletes files after {days} days"
    if before := condition.get("createdBefore"):
        return f"deletes files made before {str(before)[:10]}"
    return "deletes files"
