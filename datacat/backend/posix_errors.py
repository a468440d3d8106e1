"""What an error of the operating system means for a store, in words, in one place.

An `OSError` that is not listed here stays a plain `StorageError`: a failure is never read as
"not there".
"""

from __future__ import annotations

import errno
import os
import shutil

from datacat import layout
from datacat.errors import (
    Corrupt,
    DatacatError,
    NoStore,
    StorageDenied,
    StorageError,
    StorageFull,
    StorageMissing,
    StorageTransient,
)
from datacat.text import human_bytes, printable

TRANSIENT = frozenset(
    {errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.EAGAIN, errno.EINTR, errno.EBUSY}
)
"""Failures that may pass, and after which it is open whether the operation happened."""

_DENIED = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_GONE = frozenset(
    {errno.ENOENT, errno.ENOTDIR, errno.ENOTCONN, errno.ENODEV, errno.EHOSTDOWN, errno.EHOSTUNREACH}
)
"""What a drive says that was unplugged, unmounted or whose server is away."""

_NOT_A_FILE = frozenset({errno.ELOOP, errno.ENXIO, errno.ESPIPE})
"""What is said of a name that something without bytes to read has taken. It is not absent."""


def storage_error(
    error: OSError, *, root: str, key: str = "", writing: bool = False
) -> DatacatError:
    """The error to raise instead of `error`, which `key` of the store at `root` caused.

    Looks at the file system again to tell a missing key from a missing drive, and to say whose
    folder it is.
    """
    path = os.path.join(root, *key.split("/"))
    if error.errno in _GONE and (gone := _root_gone(root, key)):
        return gone
    if error.errno in _DENIED:
        return _denied(error, root=root, path=path, writing=writing)
    if error.errno in _FULL:
        return _full(error, root)
    return _other(error, printable(path), writing=writing)


def _other(error: OSError, name: str, *, writing: bool) -> DatacatError:
    said = error.strerror or str(error)
    if error.errno == errno.ENOENT and writing:
        return StorageError(f"{name}: its folder or its temporary was removed meanwhile")
    if error.errno in {errno.ENOENT, errno.EISDIR, errno.ENOTDIR} and not writing:
        return StorageMissing(f"{name} is not in the store")
    if error.errno in _NOT_A_FILE and not writing:
        return Corrupt(f"{name} is not a file", kind="stored_file_damaged")
    if error.errno in TRANSIENT:
        return StorageTransient(
            f"{name}: {said}", hint="The drive or its server did not answer properly. Try again."
        )
    hint = None
    if error.errno in {errno.EMFILE, errno.ENFILE}:
        hint = "Too many files are open: raise the limit (ulimit -n 4096) or use fewer jobs (-j 2)."
    return StorageError(f"{name}: {said}", hint=hint)


def _root_gone(root: str, key: str) -> NoStore | None:
    """The store itself is away: then a key that is not found says nothing about the key."""
    try:
        os.stat(root)
    except OSError as error:
        if error.errno in _GONE:
            return NoStore(
                f"the store at {printable(root)} is not reachable",
                kind="store_unreachable",
                hint="Is the drive mounted, and the path right?",
            )
        return None
    # An unmounted drive leaves an empty folder behind. Every store has tmp/; only the question
    # "is there a store?" itself may be answered in a folder without one.
    if key not in {"", layout.STORE} and not os.path.isdir(os.path.join(root, layout.TEMPORARY)):
        return NoStore(
            f"there is no store at {printable(root)} (any more): it has no folder 'tmp'",
            kind="store_unreachable",
            hint="Is the drive mounted, and the path right?",
        )
    return None


def _full(error: OSError, root: str) -> StorageFull:
    name = printable(root)
    try:
        free = human_bytes(shutil.disk_usage(root).free)
    except OSError:
        free = "unknown space"
    if error.errno == errno.EDQUOT:
        return StorageFull(
            f"your quota on {name} is used up ({free} free on the whole drive)",
            hint="Ask an admin for more, or free space of your own on this drive.",
        )
    return StorageFull(f"no space left on {name} ({free} free)")


def _denied(error: OSError, *, root: str, path: str, writing: bool) -> StorageDenied:
    verb = "write to" if writing else "read"
    if error.errno == errno.EROFS:
        return StorageDenied(f"cannot write to {printable(root)}: its drive is mounted read-only")
    path = _existing(path)
    said = error.strerror or "permission denied"
    plain = StorageDenied(f"cannot {verb} {printable(path)}: {said}")
    if not hasattr(os, "getgroups"):
        return plain
    try:
        status = os.stat(path)
    except OSError:
        return plain
    group, user = group_name(status.st_gid), user_name(os.geteuid())
    if status.st_gid in {os.getegid(), *os.getgroups()}:
        owner = user_name(status.st_uid)
        return StorageDenied(
            f"cannot {verb} {printable(path)}: it belongs to {owner!r} and its mode "
            f"({status.st_mode & 0o7777:04o}) does not let you, {user!r}",
            hint=f"Ask {owner!r} or an admin to give its group {group!r} access.",
        )
    return StorageDenied(
        f"cannot {verb} {printable(path)}: it belongs to group {group!r}, "
        f"you are in {group_name(os.getegid())!r}",
        hint="Ask an admin to add you to the group; it counts from your next log-in.",
        commands=(f"usermod -aG {group} {user}",),
    )


def _existing(path: str) -> str:
    """`path` or the nearest folder above it that can be seen."""
    while not os.path.lexists(path):
        above = os.path.dirname(path)
        if above == path:
            break
        path = above
    return path


def group_name(gid: int) -> str:
    """The group's name, or its number where nobody named it."""
    import grp

    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)


def user_name(uid: int) -> str:
    """The user's name, or their number where nobody named it."""
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
