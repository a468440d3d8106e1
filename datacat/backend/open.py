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
_EXTRAS = {"s3": "s3", "gs": "gcs", "az": "azure", "sftp": "sftp", "http": "http", "https": "http"}
"""What to install for a scheme; for others the package itself."""

_SPELLED = {"s3a": "s3", "gcs": "gs", "abfs": "az", "abfss": "az", "ssh": "sftp", "local": "file"}
"""What other programs call the places that a store can be written to in."""

_CHAIN = "::"
"""Between the URLs of places inside of each other, as fsspec has it."""


def open_backend(url: str, options: Options = NO_OPTIONS) -> Backend:
    """The backend for a path, a URL of `file`, `s3`, `gs`, `az` or `sftp`, or `memory://name`.

    A web server and other file systems of fsspec can be read and not written to. Nothing is touched
    yet, but that some of those connect. A plain path is taken as it is: `%20`, `#`, `?` and `~` in
    it mean themselves. `options` are those of the storage behind a URL, without secrets; others
    than its own do not concern it. Raises `NoStore` for another scheme (`unsupported_store`) or a
    package that is not installed (`missing_extra`), `InvalidInput` for a URL with a password and
    for unknown options; no message shows more of the URL than its scheme until it is known to hold
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
    if scheme in _SPELLED:
        raise _unsupported(scheme, f"Say {_SPELLED[scheme]}:// instead.")
    opener = _OPENERS.get(scheme, _other)
    try:
        return opener(url, options)
    except ImportError as error:
        # fsspec says what is not installed in fixed text, with the package that it tried to load.
        cause = error if error.name else error.__cause__
        package = str(getattr(cause, "name", None) or f"of fsspec for {scheme}://")
        extra = _EXTRAS.get(scheme)
        raise NoStore(
            f"a store at {scheme}:// needs the package {package}, which is not installed",
            kind="missing_extra",
            commands=[f"pip install 'datacat[{extra}]'" if extra else f"pip install {package}"],
        ) from None


def _unsupported(scheme: str, hint: str) -> NoStore:
    return NoStore(
        f"this kind of store ({scheme}://) is not supported by this version of datacat",
        kind="unsupported_store",
        hint=hint,
    )


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


def _web(url: str, _options: Options) -> Backend:
    from datacat.backend.bridge import Bridge
    from datacat.backend.web import WebBackend

    bridge = Bridge()
    store = WebBackend(parse_address(url), bridge)
    return RetryingBackend(store, sleep=bridge.sleep, random=random.random)


def _other(url: str, _options: Options) -> Backend:
    from datacat.backend.bridge import Bridge
    from datacat.backend.other import OtherBackend

    scheme, rest = split_scheme(url)
    if scheme == "datacat" or _CHAIN in url or not rest.isprintable():
        raise _unsupported(scheme, "Use a folder that all of you can reach.")
    bridge = Bridge()
    try:
        store = OtherBackend(url, bridge)
    except ValueError:
        raise _unsupported(
            scheme, "Use a folder that all of you can reach, or a newer datacat."
        ) from None
    return RetryingBackend(store, sleep=bridge.sleep, random=random.random)


_OPENERS: Mapping[str, Callable[[str, Options], Backend]] = {
    "s3": _s3,
    "gs": _gcs,
    "az": _azure,
    "sftp": _sftp,
    "http": _web,
    "https": _web,
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
