"""From the address of a store to the backend that reaches it."""

from __future__ import annotations

import os
import random
import re
import time
from collections.abc import Callable, Mapping
from types import MappingProxyType

from datacat.address import check_place, parse_address, split_scheme
from datacat.backend.base import Backend
from datacat.backend.bucket import Bucket
from datacat.backend.retry import RetryingBackend
from datacat.errors import InvalidInput, NoStore

_WINDOWS_DRIVE = re.compile(r"/[A-Za-z]:")

Options = Mapping[str, str]
NO_OPTIONS: Options = MappingProxyType({})

_KNOWN_OPTIONS = ("endpoint", "profile", "region", "account", "anonymous")
_EXTRAS = {"az": "azure", "gs": "gcs"}
"""What to install for a scheme, where that has another name."""


def open_backend(url: str, options: Options = NO_OPTIONS) -> Backend:
    """The backend for a path, a URL of `file`, `s3`, `gs`, `az` or `sftp`, or `memory://name`.

    Nothing is touched yet. A plain path is taken as it is: `%20`, `#`, `?` and `~` in it mean
    themselves. `options` are those of the storage behind a URL, without secrets; others than its
    own do not concern it. Raises `NoStore` for another scheme (`unsupported_store`) or a package
    that is not installed (`missing_extra`), `InvalidInput` for a URL with a password and for
    unknown options; no message shows more of the URL than its scheme until it is known to hold
    no secret.
    """
    scheme, rest = split_scheme(url)
    if not scheme:
        return _posix(url)
    if scheme == "file":
        return _posix(_path_in(rest))
    if scheme == "memory":
        from datacat.backend.memory import named_memory

        return named_memory(rest)
    check_place(url)
    _check_options(options)
    try:
        opener = _OPENERS[scheme]
    except KeyError:
        raise NoStore(
            f"this kind of store ({scheme}://) is not supported by this version of datacat",
            kind="unsupported_store",
            hint="Use a folder that all of you can reach, or a newer datacat.",
        ) from None
    try:
        return opener(url, options)
    except ModuleNotFoundError as error:
        raise NoStore(
            f"a store at {scheme}:// needs the package {error.name}, which is not installed",
            kind="missing_extra",
            commands=[f"pip install 'datacat[{_EXTRAS.get(scheme, scheme)}]'"],
        ) from None


def _posix(path: str) -> Backend:
    from datacat.backend.posix import PosixBackend

    if not path or "\0" in path:
        raise NoStore("the path of the store is empty or holds a NUL", kind="no_store")
    return RetryingBackend(PosixBackend(path), sleep=time.sleep, random=random.random)


def _s3(url: str, options: Options) -> Backend:
    from datacat.backend.s3 import S3Bucket

    return _object_store(S3Bucket(parse_address(url), options))


def _azure(url: str, options: Options) -> Backend:
    from datacat.backend.azure import AzureBucket

    return _object_store(AzureBucket(parse_address(url), options))


def _gcs(url: str, options: Options) -> Backend:
    from datacat.backend.gcs import GcsBucket

    return _object_store(GcsBucket(parse_address(url), options))


def _object_store(bucket: Bucket) -> Backend:
    from datacat.backend.bridge import Bridge
    from datacat.backend.object_store import ObjectStoreBackend

    bridge = Bridge()
    store = ObjectStoreBackend(bucket, bridge, random=random.random)
    return RetryingBackend(store, sleep=bridge.sleep, random=random.random)


def _sftp(url: str, _options: Options) -> Backend:
    from datacat.backend.bridge import Bridge
    from datacat.backend.sftp import SftpBackend

    bridge = Bridge()
    store = SftpBackend(parse_address(url), bridge)
    return RetryingBackend(store, sleep=bridge.sleep, random=random.random)


_OPENERS: Mapping[str, Callable[[str, Options], Backend]] = {
    "s3": _s3,
    "gs": _gcs,
    "az": _azure,
    "sftp": _sftp,
}


def _check_options(options: Options) -> None:
    for name in options:
        if name not in _KNOWN_OPTIONS:
            raise InvalidInput(
                f"no option '{name[:80]}' of a store is known",
                kind="bad_store_options",
                hint=f"Known are {', '.join(_KNOWN_OPTIONS)}.",
            )
    endpoint = options.get("endpoint", "https://")
    if split_scheme(endpoint)[0] not in {"http", "https"}:
        raise InvalidInput(
            "'store_options.endpoint' is not an http:// or https:// URL", kind="bad_store_options"
        )
    check_place(endpoint)
    if options.get("anonymous", "false") not in {"true", "false"}:
        raise InvalidInput(
            "'store_options.anonymous' is neither true nor false", kind="bad_store_options"
        )


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
