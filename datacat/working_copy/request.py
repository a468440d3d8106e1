"""What a person asks of `add`, as one value."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from datacat.model import Better, Code, Layout, SaveAs, Scalar, SimilarFound
from datacat.working_copy.naming import Word

Decide = Callable[[SimilarFound], SaveAs]
"""Who answers what to do with a folder that is nearly a version. May raise, to give up."""

SIMILAR = 0.8
"""The share of bytes from which a version counts as similar, if nobody says another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SaveRequest:
    """Save the folder or file `path` as a version.

    `new` saves as a dataset of its own even if the content is known under another name;
    `new_version` makes known content the newest version; `only_here` lets a partial copy remove
    the files that were not pulled; `force` saves over somebody else's newer version; `layout` says
    how files are kept, if not as the store does it.

    A folder that would make a new dataset is compared with what the team has; from the share
    `similar` of its bytes on it counts as nearly the same, and `decide` is asked. Without it, it
    becomes a separate dataset.
    """

    path: Path
    name: str | None = None
    message: str = ""
    tags: tuple[str, ...] = ()
    description: str | None = None
    alias: str | None = None
    sources: tuple[Word, ...] = ()
    params: Mapping[str, Scalar] = field(default_factory=dict)
    metrics: Mapping[str, Scalar] = field(default_factory=dict)
    better: Mapping[str, Better] = field(default_factory=dict)
    code: Code | None = None
    new: bool = False
    new_version: bool = False
    only_here: bool = False
    force: bool = False
    dry_run: bool = False
    layout: Layout | None = None
    ignore: tuple[str, ...] = ()
    similar: float = SIMILAR
    decide: Decide | None = None
