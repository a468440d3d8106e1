"""Looking at the place where a store is to be: typing errors, taken folders, synced folders."""

from __future__ import annotations

import difflib
import os
import re
from itertools import islice
from urllib.parse import unquote

from datacat.address import check_place, is_url
from datacat.errors import Failed, Refused
from datacat.front import is_store

ENTRIES_MAX = 5_000
"""How many names of a folder are looked at for one that was probably meant."""

_HARMLESS = {"lost+found", ".snapshot", ".snapshots", ".DS_Store"}
"""What a fresh disk or share holds before anybody used it."""

_SYNCED = re.compile(
    r"OneDrive.*|Dropbox.*|Google ?Drive|GoogleDrive-.*|iCloud ?Drive|Mobile Documents"
    r"|Nextcloud|ownCloud|Box Sync|pCloud ?Drive",
    re.IGNORECASE,
)


def absolute(place: str, *, home: str) -> str:
    """`place` as it is remembered: an absolute path without links resolved, or the URL as it is.

    `file:///shared/datacat` is that folder.
    """
    if place.lower().startswith("file:///"):
        return unquote(place[len("file://") :])
    if is_url(place):
        check_place(place)
        return place
    if place == "~" or place.startswith("~/"):
        place = os.path.join(home, place[2:])
    return os.path.abspath(place)


def check_new(place: str) -> None:
    """Raises when no store should be made at the local folder `place`.

    `Refused` when it does not exist and was probably mistyped, `Failed` when it is taken.
    """
    if not os.path.lexists(place):
        _check_spelling(place)
        return
    if not os.path.isdir(place):
        raise Failed(f"{place} is not a folder", kind="not_a_folder")
    with os.scandir(place) as entries:
        taken = next((entry.name for entry in entries if entry.name not in _HARMLESS), None)
    if taken is not None:
        raise Failed(
            f"{place} is not empty and not a store",
            kind="not_empty",
            hint=f"It holds '{taken}'. A store needs a folder of its own.",
            commands=[f"datacat init {os.path.join(place, 'datacat')}"],
        )


def _check_spelling(place: str) -> None:
    parent, name = os.path.split(place)
    if not os.path.isdir(parent):
        missing, above = parent, os.path.dirname(parent)
        while not os.path.isdir(above):
            missing, above = above, os.path.dirname(above)
        meant = _closest(os.path.basename(missing), _folders(above))
        raise Refused(
            f"{missing} does not exist, so no store can be made in it",
            kind="no_parent_folder",
            hint=f"Did you mean {os.path.join(above, meant)}?" if meant else None,
            commands=[] if meant else [f"mkdir -p {parent}"],
        )
    stores = [n for n in _folders(parent) if is_store(os.path.join(parent, n))]
    if meant := _closest(name, stores):
        raise Refused(
            f"{place} does not exist, but {os.path.join(parent, meant)} is a store",
            kind="probably_mistyped",
            hint="Did you mean that?",
            commands=[
                f"datacat init {os.path.join(parent, meant)}",
                f"mkdir {place} && datacat init {place}",
            ],
        )


def _folders(parent: str) -> list[str]:
    try:
        with os.scandir(parent) as entries:
            return [entry.name for entry in islice(entries, ENTRIES_MAX) if entry.is_dir()]
    except OSError:
        return []


def _closest(name: str, known: list[str]) -> str | None:
    found = difflib.get_close_matches(name, known, n=1, cutoff=0.7)
    return found[0] if found else None


def synced_by(place: str) -> str | None:
    """The name of the cloud folder that `place` lies in, or None."""
    return next((part for part in place.split(os.sep) if _SYNCED.fullmatch(part)), None)


def writing_group(place: str) -> str | None:
    """The group whose members may write to the local folder `place`, or None."""
    try:
        state = os.stat(place)
        if not state.st_mode & 0o020:
            return None
        import grp

        return grp.getgrgid(state.st_gid).gr_name
    except (OSError, ImportError, KeyError):
        return None
