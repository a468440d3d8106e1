"""The words that completion offers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Words:
    """What a person may type, as of record `seq`.

    `datasets` maps each name to what can stand after its `@`: aliases, then the newest versions.
    """

    seq: int = 0
    datasets: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    owners: tuple[str, ...] = ()
