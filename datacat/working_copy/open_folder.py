"""Opening what a walk looks at: its root by name, every folder below without following links."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from datacat.errors import Failed, NotFound
from datacat.text import closest
from datacat.working_copy.walk_report import shown

_OPEN_FOLDER = (
    os.O_RDONLY
    | getattr(os, "O_DIRECTORY", 0)
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_CLOEXEC", 0)
)
_BY_DESCRIPTOR = os.scandir in os.supports_fd


@contextmanager
def scan(path: str, *, follow: bool) -> Iterator[Iterator[os.DirEntry[str]]]:
    """The entries of a folder; unless `follow`, never through a symlink put in its place.

    `path` must not end with a slash then: `link/` is where the link leads.
    """
    if not _BY_DESCRIPTOR:
        with os.scandir(path) as entries:
            yield entries
        return
    flags = _OPEN_FOLDER & ~getattr(os, "O_NOFOLLOW", 0) if follow else _OPEN_FOLDER
    descriptor = os.open(path, flags)
    try:
        with os.scandir(descriptor) as entries:
            yield entries
    finally:
        os.close(descriptor)


def root_status(root: Path) -> os.stat_result:
    """The stat of what a walk begins at, links followed: its user named it.

    Raises `NotFound` (`path_not_found`) with the name that was meant, and `Failed`.
    """
    try:
        return root.stat()
    except (FileNotFoundError, NotADirectoryError):
        meant = None
        with suppress(OSError):
            meant = closest(root.name, os.listdir(root.parent))
        raise NotFound(
            f"{shown(str(root))} does not exist"
            if not root.is_symlink()
            else f"{shown(str(root))} is a link to nothing",
            kind="path_not_found",
            hint=f"Did you mean '{shown(str(root.parent / meant))}'?" if meant else None,
        ) from None
    except OSError as error:
        raise Failed(
            f"cannot read {shown(str(root))}: {(error.strerror or str(error)).lower()}",
            kind="unreadable",
        ) from error
