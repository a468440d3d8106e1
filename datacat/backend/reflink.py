"""Reflinks: two files that share their bytes on disk until one of them is written to."""

from __future__ import annotations

import errno
import sys

_FICLONE = 0x40049409
_UNSUPPORTED = {
    getattr(errno, name)
    for name in ("EXDEV", "EOPNOTSUPP", "ENOTSUP", "EINVAL", "ENOSYS", "ENOTTY", "EPERM", "EBADF")
    if hasattr(errno, name)
}


def clone(source: int, target: int) -> bool:
    """Make `target` share the bytes of `source` (a reflink). False where that cannot be."""
    if sys.platform == "win32":
        return False
    import fcntl

    try:
        fcntl.ioctl(target, _FICLONE, source)
    except OSError as error:
        if error.errno in _UNSUPPORTED:
            return False
        raise
    return True
