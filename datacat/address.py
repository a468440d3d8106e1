"""How a store is addressed: a path, or a URL that names a place and holds no secret."""

from __future__ import annotations

import re
from dataclasses import dataclass

from datacat.errors import InvalidInput

_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_FOLDERS = frozenset({"file", "memory"})
"""Schemes whose rest is a path as it is: `?` and `@` mean themselves in it."""


@dataclass(frozen=True, slots=True)
class Address:
    """`scheme://host/path`, in parts. `host` is a bucket or a server, `user` may be empty."""

    scheme: str
    user: str
    host: str
    path: str


def is_url(place: str) -> bool:
    """True for `scheme://…`; a folder may hold `://` further on."""
    return _URL.match(place) is not None


def split_scheme(place: str) -> tuple[str, str]:
    """The scheme in lower case and what follows `://`; an empty scheme for a plain path."""
    found = _URL.match(place)
    return (found[1].lower(), place[found.end() :]) if found else ("", place)


def is_cluster(place: str) -> bool:
    """True for the scheduler of a cluster: `dask://HOST:PORT`, and nothing else in it."""
    scheme, rest = split_scheme(place)
    return scheme == "dask" and bool(rest) and rest.isprintable() and not set(rest) & set("/@? ")


def check_place(place: str) -> None:
    """Raise `InvalidInput` when `place` is a URL that carries a password or options.

    The message never shows more of it than its scheme: it may be read over a shoulder, or end in
    a log.
    """
    scheme, rest = split_scheme(place)
    if not scheme or scheme in _FOLDERS:
        return
    authority = rest.partition("/")[0]
    user, at, _ = authority.rpartition("@")
    if (at and (":" in user or scheme != "sftp")) or authority.count("@") > 1:
        raise InvalidInput(
            f"the URL of the store ({scheme}://…) holds a user or a password",
            kind="secret_in_url",
            hint="Keep secrets where the storage's own tools keep them, and leave them out here.",
        )
    if "?" in rest:
        raise InvalidInput(
            f"the URL of the store ({scheme}://…) holds options after a '?'",
            kind="bad_store_url",
            hint="Give options as settings.",
            commands=["datacat config set store_options.endpoint URL"],
        )


def parse_address(place: str) -> Address:
    """The parts of a URL that is no local folder. Raises as `check_place`, and without a host.

    The path is taken as it is: `%20` and `#` in it mean themselves. A `/` at its end is dropped.
    """
    check_place(place)
    scheme, rest = split_scheme(place)
    authority, _, path = rest.partition("/")
    user, _, host = authority.rpartition("@")
    path = path.rstrip("/")
    bad = any(part in {"", ".", ".."} for part in path.split("/")) if path else False
    if not host or bad or not rest.isprintable():
        raise InvalidInput(
            f"'{scheme}://…' does not say where the store is",
            kind="bad_store_url",
            hint=f"It looks like {scheme}://HOST-OR-BUCKET/FOLDER, without empty parts.",
        )
    return Address(scheme, user, host, path)
