"""From the address of a store to the backend that reaches it."""

from __future__ import annotations

import os
import re
import time

from datacat.backend.base import Backend
from datacat.errors import NoStore

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_WINDOWS_DRIVE = re.compile(r"/[A-Za-z]:")


def open_backend(url: str) -> Backend:
    """The backend for a path, a `file://` URL or `memory://name`. Nothing is touched yet.

    A plain path is taken as it is: `%20`, `#`, `?` and `~` in it mean themselves. Raises
    `NoStore` (`unsupported_store`) for another scheme; the message never shows more of the
    URL than that, for it may hold a password.
    """
    found = _SCHEME.match(url)
    if found is None:
        return _posix(url)
    scheme, rest = found[1].lower(), url[found.end() :]
    if scheme == "file":
        return _posix(_path_in(rest))
    if scheme == "memory":
        from datacat.backend.memory import named_memory

        return named_memory(rest)
    raise NoStore(
        f"this kind of store ({scheme}://) is not supported by this version of datacat",
        kind="unsupported_store",
        hint="Use a folder that all of you can reach, or a newer datacat.",
    )


def _posix(path: str) -> Backend:
    import random

    from datacat.backend.posix import PosixBackend
    from datacat.backend.retry import RetryingBackend

    if not path or "\0" in path:
        raise NoStore("the path of the store is empty or holds a NUL", kind="no_store")
    return RetryingBackend(PosixBackend(path), sleep=time.sleep, random=random.random)


def _path_in(rest: str) -> str:
    from urllib.parse import unquote

    host, _, path = rest.partition("/")
    if host.lower() not in {"", "localhost"}:
        raise NoStore(
            f"file:// names a folder of this machine, not of {host!r}",
            kind="unsupported_store",
            hint="Mount the drive, then use its path.",
        )
    path = "/" + unquote(path, errors="surrogateescape")
    return path[1:] if os.name == "nt" and _WINDOWS_DRIVE.match(path) else path
