"""What a person asks of `add` and of `pull`, each as one value."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from datacat.model import Better, Code, Layout, LinkMode, SaveAs, Scalar, SimilarFound
from datacat.working_copy.naming import Word

if TYPE_CHECKING:
    from datacat.providers import Provider

Decide = Callable[[SimilarFound], SaveAs]
"""Who answers what to do with a folder that is nearly a version. May raise, to give up."""

SIMILAR = 0.8
"""The share of bytes from which a version counts as similar, if nobody says another."""


ADDED_FROM_LENGTH_MAX = 2_000
"""So much of a URL is recorded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SaveRequest:
    """Save the folder, file or provider `path` as a version.

    `new` saves as a dataset of its own even if the content is known under another name;
    `new_version` makes known content the newest version; `only_here` lets a partial copy remove
    the files that were not pulled; `force` saves over somebody else's newer version; `layout` says
    how files are kept, if not as the store does it.

    A folder that would make a new dataset is compared with what the team has; from the share
    `similar` of its bytes on it counts as nearly the same, and `decide` is asked. Without it, it
    becomes a separate dataset.
    """

    path: Path | Provider
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
    executor: Executor | None = None

    @property
    def place(self) -> str:
        """How it was spelled; of a provider without what may be secret."""
        return str(self.path) if isinstance(self.path, Path) else self.path.url

    @property
    def added_from(self) -> str | None:
        """What the record says of where the files came from, if that is no folder."""
        return None if isinstance(self.path, Path) else self.path.url[:ADDED_FROM_LENGTH_MAX]


@dataclass(frozen=True, slots=True, kw_only=True)
class PullRequest:
    """Bring `ref` to the folder `dest` (by default one named like the dataset).

    `patterns` take a part of the version; `verify` reads back what was cloned or linked; `force`
    replaces local edits, which are kept in `.datacat/backup`.
    """

    ref: str
    patterns: tuple[str, ...] = ()
    dest: Path | None = None
    link: LinkMode = LinkMode.AUTO
    verify: bool = False
    force: bool = False
    dry_run: bool = False
    ignore: tuple[str, ...] = ()
