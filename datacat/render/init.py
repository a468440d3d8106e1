"""What `init` says: a store was made or joined, who may use it, and what to do next."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from datacat.model import InitResult
from datacat.render.terminal import Screen
from datacat.text import count_of, printable

ACTIVITY = "  teammates see where you pull to; or not:  datacat config set activity false"


def summary(
    result: InitResult, *, screen: Screen, user: str, remembered: str | None, activity: bool
) -> Iterator[str]:
    """The lines after an init. `remembered` is the file that now names the store, if any;
    `activity` says that this user's working copies are registered in it."""
    place = printable(result.url)
    counted = (
        f"{count_of(result.datasets, 'dataset')}, {count_of(result.people, 'person', 'people')}"
    )
    if not result.created:
        yield f"Joined the store '{printable(result.info.name)}' at {place}: {counted}."
        if remembered:
            yield f"  remembered in {printable(screen.place(remembered))}"
        if activity:
            yield ACTIVITY
        yield "Next:  datacat ls"
        return
    yield f"Created a new team store at {place}."
    who = f"you are '{printable(user)}'"
    yield f"  writable by group '{printable(result.group)}'; {who}" if result.group else f"  {who}"
    if remembered:
        yield f"  remembered in {printable(screen.place(remembered))}"
    if activity:
        yield ACTIVITY
    yield f"Teammates run:  datacat init {printable(shlex.quote(result.url))}"
    yield "Next:  datacat add ./my-folder"
