"""Let the team know of a working copy: what its marker says, as a registration in the store."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from datacat.copies import LastPull, Registration, is_remembered, register, withdraw
from datacat.errors import DatacatError
from datacat.model import Copy, LinkMode
from datacat.opened import OpenedStore, Watch
from datacat.progress import Noted
from datacat.working_copy import marker
from datacat.working_copy.marker import Marker, Pulled

LINKS = (LinkMode.SYMLINK, LinkMode.HARDLINK)


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """The version that a working copy holds, or is about to: pulled into it, or else `saved`."""

    copy_id: str
    name: str
    number: int
    link: LinkMode
    partial: bool
    pulled_at: datetime
    saved: bool = False
    last_pull: Pulled | None = None


def keep_registered(store: OpenedStore, root: Path, watch: Watch) -> str | None:
    """Register the working copy at `root` if it is this user's, at most once a day unless it
    changed. Best effort: returns why it could not be done, and lets `watch` know.
    """
    try:
        if not marker.has_marker(root):
            return None
        marked = marker.read(root)
    except DatacatError:
        return None  # whoever needs the marker says so
    if marked.store_id != store.info.id or marked.user != store.client.user:
        return None
    return announce(store, root, _held(root, marked, host=store.client.host), watch)


def announce(store: OpenedStore, root: Path, held: Held, watch: Watch) -> str | None:
    """As `keep_registered`, for what the folder `root` holds or is about to."""
    try:
        _register(store, root, held)
    except (DatacatError, OSError, ValueError) as error:
        reason = str(error)
        watch.listener(Noted(f"{root} is not registered in the store: {reason}"))
        return reason
    return None


def found_here(store: OpenedStore, copies: Iterable[Copy]) -> Iterator[Copy]:
    """`copies`, with `gone` set for those that this user has on this machine no more.

    Nobody else's folders are looked at: their paths may be anything, also ones that hang.
    """
    for copy in copies:
        mine = (copy.user, copy.host) == (store.client.user, store.client.host)
        yield replace(copy, gone=True) if mine and _is_gone(copy) else copy


def _is_gone(copy: Copy) -> bool:
    """Whether the folder of a copy on this machine is certainly not that copy any more."""
    if copy.path is None or copy.host is None:
        return False
    root = Path(copy.path)
    try:
        os.stat(root / marker.DIRECTORY / marker.FILE)
        return marker.copy_id(root, marker.read(root), host=copy.host) != copy.id
    except (FileNotFoundError, NotADirectoryError):
        return True
    except (DatacatError, OSError, ValueError):
        return False  # it cannot be told


def _register(store: OpenedStore, root: Path, held: Held) -> None:
    linked, shared = held.link in LINKS, store.client.activity
    if not (shared or linked):
        if is_remembered(store, held.copy_id):
            withdraw(store, held.copy_id)
        return
    folder = os.path.abspath(root)
    register(
        store,
        Registration(
            id=held.copy_id,
            name=held.name,
            version=held.number,
            linked=linked,
            partial=held.partial,
            # Garbage collection must know of links; whose they are, and where, is nobody's business
            # unless their owner shares it.
            user=store.client.user if shared else None,
            host=store.client.host if shared else None,
            path=folder if shared else None,
            pulled_at=held.pulled_at.replace(microsecond=0) if shared and not held.saved else None,
            last_pull=_pulled(held.last_pull) if shared else None,
            last_seen=store.client.now().replace(microsecond=0),
        ),
        folder=folder,
    )


def _held(root: Path, marked: Marker, *, host: str) -> Held:
    copy_id = marker.copy_id(root, marked, host=host)
    return Held(
        copy_id=copy_id,
        name=marked.name,
        number=marked.number,
        link=marked.link,
        partial=marked.partial,
        pulled_at=marked.pulled_at,
        # Into a copy of a folder nobody pulled.
        saved=marked.saved or copy_id != marked.id,
        last_pull=marked.last_pull if copy_id == marked.id else None,
    )


def _pulled(last: Pulled | None) -> LastPull | None:
    if last is None:
        return None
    return LastPull(name=last.name, version=last.number, at=last.at.replace(microsecond=0))
