"""Who changes what without `--force`: the owner of a dataset, and whoever saved it.

A guard against mistakes among people who trust each other, not an access control: everybody may
write to the store, and `force` is there for the colleague who has left.
"""

from __future__ import annotations

from collections.abc import Collection

from datacat.errors import Refused

NAMED_MAX = 5


def check_permission(
    subject: str,
    *,
    user: str,
    owner: str,
    authors: Collection[str],
    again: str,
    force: bool = False,
) -> None:
    """Raise `Refused` (`not_yours`) unless `user` may change `subject`.

    `subject` is what is to be changed, a name or a reference; `owner` is that of its dataset.
    `authors` are those who saved what is changed: of one version its author, of a whole dataset
    whoever made it, of several versions all of them, and then `user` must be the only one.
    `again` is the command that does it anyway.

    An owner can change at any time: ask with the one that the fold knows at the slot, inside of
    `make`.
    """
    if force or user == owner or set(authors) == {user}:
        return
    saved = sorted(set(authors) - {owner})
    more = f" and {len(saved) - NAMED_MAX} more" if len(saved) > NAMED_MAX else ""
    by = f", saved by {', '.join(saved[:NAMED_MAX])}{more}" if saved else ""
    raise Refused(
        f"{subject} is not yours: it belongs to {owner}{by}",
        kind="not_yours",
        hint=f"You are {user}.",
        commands=[f"{again}   (do it anyway)"],
    )
