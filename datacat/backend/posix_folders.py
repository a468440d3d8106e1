"""Folders of a store on a file system: who may write there, and how they come to be.

Modes are set after creation and never left to the umask. A later process learns whether a store
is shared from the mode of its root folder alone: its group may write there, or not.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Sequence
from contextlib import suppress

from datacat import layout
from datacat.backend.posix_errors import group_name, user_name
from datacat.backend.system_calls import (
    UNSUPPORTED,
    fsync_folder,
    rename_no_replace,
    temporary_name,
)
from datacat.errors import InvalidInput, NotFound, StorageDenied
from datacat.text import printable

FILE_MODE = 0o444
"""Containers, records and manifests never change: read-only, also for who wrote them."""

SHARED_FOLDER_MODE = 0o2775
"""The group writes, everyone reads, and what is made inside belongs to the same group."""

PRIVATE_FOLDER_MODE = 0o700

_TAKEN = frozenset({errno.EEXIST, errno.ENOTEMPTY})


def folder_mode(root: str) -> int:
    """The mode of the folders of the store at `root`, read from the root itself."""
    shared = os.stat(root).st_mode & stat.S_IWGRP
    return SHARED_FOLDER_MODE if shared else PRIVATE_FOLDER_MODE


def set_mode(target: str | int, mode: int) -> None:
    """chmod of a path or descriptor, as far as the file system has modes.

    One that drops or refuses setgid gets the mode without; one without modes (exFAT, some SMB
    mounts) keeps its own.
    """
    if os.name == "nt":
        return
    try:
        os.chmod(target, mode)
    except OSError as error:
        if error.errno not in UNSUPPORTED:
            raise
        if mode & stat.S_ISGID:
            set_mode(target, mode & 0o777)


def set_group(path: str, gid: int) -> None:
    """chgrp where needed: without setgid on its parent a folder has its maker's group."""
    if hasattr(os, "chown") and os.stat(path).st_gid != gid:
        os.chown(path, -1, gid)


def make_folder(root: str, path: str) -> None:
    """Make a folder that is missing inside a store, and those above it, durably.

    It is made in `tmp/`, given its mode and only then its name, so that a teammate never meets
    it with the mode of somebody's umask. Somebody else making it too is fine.
    """
    parent = os.path.dirname(path)
    if parent != root and not os.path.isdir(parent):
        make_folder(root, parent)
    temporary = os.path.join(root, layout.TEMPORARY, temporary_name())
    os.mkdir(temporary, 0o700)
    try:
        _dress(temporary, gid=os.stat(root).st_gid, mode=folder_mode(root))
        _move(temporary, path)
    except BaseException:
        with suppress(OSError):
            os.rmdir(temporary)
        raise
    fsync_folder(parent)


def _move(temporary: str, path: str) -> None:
    try:
        try:
            rename_no_replace(temporary, path)
        except OSError as error:
            if error.errno not in UNSUPPORTED:
                raise
            os.rename(temporary, path)  # replaces nothing but an empty folder: the same thing
    except OSError as error:
        if error.errno not in _TAKEN:
            raise
        os.rmdir(temporary)


def _dress(path: str, *, gid: int, mode: int) -> None:
    if mode == SHARED_FOLDER_MODE:
        with suppress(PermissionError):  # not in that group, but others may write there too
            set_group(path, gid)
    set_mode(path, mode)  # after chgrp, which may clear setgid


def make_store_folders(
    root: str, directories: Sequence[str], *, group: str | None, shared: bool
) -> None:
    """The root (its parent must exist) and every folder of a new store. May be repeated.

    Raises `InvalidInput` for an unknown group, `NotFound` for a missing parent and
    `StorageDenied` for a group that this user may not give away to; else `OSError`.
    """
    mode = SHARED_FOLDER_MODE if shared else PRIVATE_FOLDER_MODE
    gid = group_number(group) if group is not None else None
    _make_root(root, gid=gid, group=group, mode=mode)
    gid = os.stat(root).st_gid
    parents = {root, os.path.dirname(root)}
    for directory in directories:
        path = os.path.join(root, *directory.rstrip("/").split("/"))
        with suppress(FileExistsError):
            os.mkdir(path, 0o700)
        _dress_own(path, gid=gid, mode=mode)
        parents.add(os.path.dirname(path))
    # Deepest first: what a durable name leads to is durable itself.
    for parent in sorted(parents, key=len, reverse=True):
        with suppress(PermissionError):  # the folder around the root may be unreadable to us
            fsync_folder(parent)


def _make_root(root: str, *, gid: int | None, group: str | None, mode: int) -> None:
    try:
        os.mkdir(root, 0o700)
    except FileExistsError:
        if not os.path.isdir(root):
            raise
    except FileNotFoundError:
        parent = printable(os.path.dirname(root))
        raise NotFound(
            f"cannot make a store at {printable(root)}: {parent} does not exist",
            hint="Is the drive mounted, and the path right?",
        ) from None
    if gid is not None:
        try:
            set_group(root, gid)
        except PermissionError:
            raise _not_a_member(root, str(group)) from None
    _dress_own(root, gid=None, mode=mode)


def _dress_own(path: str, *, gid: int | None, mode: int) -> None:
    """Mode and group, unless it is somebody else's folder that serves as it is."""
    found = os.stat(path)
    if hasattr(os, "geteuid") and os.geteuid() not in {0, found.st_uid}:
        if found.st_mode & mode & 0o077 != mode & 0o077 or not os.access(path, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
        return
    _dress(path, gid=found.st_gid if gid is None else gid, mode=mode)


def group_number(group: str) -> int:
    """The number of a group of this machine. Raises `InvalidInput` when there is none."""
    try:
        import grp
    except ImportError:
        raise InvalidInput("this system has no groups to share a store with") from None
    try:
        return grp.getgrnam(group).gr_gid
    except KeyError:
        own = ", ".join(repr(group_name(gid)) for gid in sorted({os.getegid(), *os.getgroups()}))
        raise InvalidInput(
            f"there is no group {group!r} on this machine",
            kind="unknown_group",
            hint=f"You are in {own}. An admin can make the group and add you to it.",
            commands=(f"groupadd {group}", f"usermod -aG {group} {user_name(os.geteuid())}"),
        ) from None


def _not_a_member(root: str, group: str) -> StorageDenied:
    user = user_name(os.geteuid())
    return StorageDenied(
        f"cannot give {printable(root)} to group {group!r}: "
        f"{user!r} is not in it, or does not own the folder",
        hint="Ask an admin to add you to the group; it counts from your next log-in.",
        commands=(f"usermod -aG {group} {user}",),
    )
