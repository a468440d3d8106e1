"""What `rename` says, and what other commands say when they are given an old name."""

from __future__ import annotations

from collections.abc import Iterator

from datacat import refs
from datacat.model import RenameResult


def summary(result: RenameResult) -> str:
    """What the dataset is called now, and that its old name is as good."""
    if not result.changed:
        return f"{result.new} is called so already."
    number = result.latest.partition("@")[2]
    pull = f"datacat pull {result.old}" + (f"@{number}" if number else "")
    return f"{result.old} is now {result.new}. The old name keeps working: {pull} still does."


def now_called(asked: str, name: str) -> Iterator[str]:
    """`cmr is now cmr-ukb.` when `asked`, a name or reference, is an old name of `name`."""
    former = refs.parse(asked).name
    if former != name:
        yield f"{former} is now {name}"
