"""The cache folder: of one user, or on a team's drive.

A team's is one that its group may write to and that hands its group on (`chmod 2775`), as the
folder of a store is, or that lies in such a folder. There each user has a part of their own, and
the content that was fetched is for all.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path

from datacat.errors import StorageDenied

_FOR_A_TEAM = stat.S_ISGID | stat.S_IWGRP

PERSONAL = "users"


def personal(folder: Path) -> Path:
    """The part of the cache folder that only this user writes to: all of it, unless it is a team's.

    Raises `StorageDenied` when somebody else made it, and so can say what is in it. What else is
    wrong with the folder is said by who uses it.
    """
    if not is_shared(folder):
        return folder
    own = folder / PERSONAL / str(os.getuid())
    with suppress(OSError):
        make_folder(own.parent)
        own.mkdir(0o700)
    if os.path.exists(own) and not is_own(os.stat(own)):
        raise StorageDenied(
            f"your part of the cache, {own}, belongs to somebody else",
            kind="cache_denied",
            commands=["datacat config set cache_dir /another/folder"],
        )
    return own


def is_shared(folder: Path) -> bool:
    """Whether a team shares the folder, or would if it were made."""
    if not hasattr(os, "getuid"):
        return False
    for place in (folder, *folder.parents):
        if place.parent.name == PERSONAL and place.name == str(os.getuid()):
            return False
        with suppress(OSError):
            return os.stat(place).st_mode & _FOR_A_TEAM == _FOR_A_TEAM
    return False


def make_folder(folder: Path) -> None:
    """Make a folder and those above it; for the team, where it lies in one that is.

    Raises `OSError`.
    """
    if folder.is_dir():
        return
    make_folder(folder.parent)
    with suppress(FileExistsError):
        folder.mkdir()
        mode = os.stat(folder.parent).st_mode
        if mode & _FOR_A_TEAM == _FOR_A_TEAM:
            folder.chmod(stat.S_IMODE(mode))


def is_own(status: os.stat_result) -> bool:
    """Whether this user made the file, so that nobody else can have put anything into it."""
    return not hasattr(os, "getuid") or status.st_uid == os.getuid()
