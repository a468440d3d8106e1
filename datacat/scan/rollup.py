"""Which folders are reported as copies: the topmost ones, each once.

One pass over the folders in the order of the tree, so a folder comes before what is in it and the
first of several copies before the others. A folder that was seen before, exactly or nearly, is a
copy, and with it all that is in it: nothing below is reported again. The first one is the original,
and below it the search goes on.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from datacat.scan.near import SIMILAR, count_shared
from datacat.sql import Workspace


@dataclass(frozen=True, slots=True)
class Member:
    """A folder that is a copy of `original`. `like`: the folder (it, or an identical one) whose
    share with the original was counted; None if it is identical."""

    folder: int
    last: int
    original: int
    like: int | None


class _Originals:
    """For the folders that have identical ones: what stands for them all so far."""

    def __init__(self) -> None:
        self._of: dict[int, tuple[int, int | None]] = {}

    def get(self, folder: int, same: int | None) -> tuple[int, int | None] | None:
        """The original of a folder that was seen, and `like`."""
        return self._of.get(folder if same is None else same)

    def set(self, folder: int, same: int | None, original: int, like: int | None) -> None:
        if same is not None or like is not None:
            self._of[folder if same is None else same] = original, like


def roll_up(workspace: Workspace) -> None:
    """Make `members(folder, last, original, ratio)`: the folders that are copies.

    No member lies in another. `ratio` is the share of bytes, null for an identical folder.
    """
    counted: dict[int, float] = {}
    while True:
        # Proposals that the pass would use are counted before they are believed.
        asked = [
            (member.like, member.original)
            for member in _pass(workspace, counted)
            if member.like is not None and member.like not in counted
        ]
        if not asked:
            break
        counted |= count_shared(workspace, dict.fromkeys(asked))
    workspace.execute(
        "create table members (folder bigint, last bigint, original bigint, ratio double)"
    )
    workspace.load(
        "members",
        (
            (m.folder, m.last, m.original, None if m.like is None else counted[m.like])
            for m in _pass(workspace, counted)
        ),
    )


def _pass(workspace: Workspace, counted: dict[int, float]) -> Iterator[Member]:
    """The members, if all proposals hold that were not counted yet."""
    originals = _Originals()
    copied_to = nearly_to = -1
    rows = workspace.rows(
        """
        select d.id, d.last, s.same, p.near, n.same
        from folders d
        left join same_trees s on s.id = d.id
        left join proposed p on p.id = d.id
        left join same_trees n on n.id = p.near
        where s.id is not null or p.id is not null
        order by d.id
        """
    )
    for folder, last, same, near, same_as_near in rows:
        if folder <= copied_to:
            continue
        inside_near = folder <= nearly_to
        known = originals.get(folder, same) if same is not None else None
        if known is not None:
            if not inside_near:
                original, like = known
                copied_to = last
                yield Member(folder, last, original, like)
            continue
        if near is not None and not inside_near and counted.get(folder, 1.0) >= SIMILAR:
            stands, like = originals.get(near, same_as_near) or (near, None)
            # What is nearly like something that is nearly a copy itself may be quite another.
            if like is None:
                originals.set(folder, same, stands, folder)
                nearly_to = last
                yield Member(folder, last, stands, folder)
                continue
        originals.set(folder, same, folder, None)
