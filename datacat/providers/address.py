"""URLs of providers: what they name, and what of them may be shown."""

from __future__ import annotations

from datacat.address import is_url, split_scheme
from datacat.errors import InvalidInput

LOCAL = frozenset({"", "file", "local"})
"""Schemes of folders of this machine."""

_KEYS = frozenset({"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "sftp", "hf", "memory"})
"""Schemes in whose paths `?` is a character like any other."""

CHAIN = "::"
"""Between the URLs of places inside of each other: `zip://::https://host/a.zip`."""


def is_remote(place: str) -> bool:
    """True for a URL that names no folder of this machine."""
    return is_url(place) and split_scheme(place)[0] not in LOCAL


def shown_url(url: str) -> str:
    """`url` without what may be a secret: passwords, tokens instead of users, all of a query.

    Nobody can tell a signature from a harmless option: so the whole query goes.
    """
    return CHAIN.join(_shown(part) for part in url.split(CHAIN))


def _shown(url: str) -> str:
    scheme, rest = split_scheme(url)
    if not scheme:
        return url
    if scheme not in _KEYS:
        rest = rest.partition("?")[0].partition("#")[0]
    authority, slash, path = rest.partition("/")
    user, at, host = authority.rpartition("@")
    if at:
        # A user alone may be a token as well (https://ghp_…@github.com); of SSH it is a name.
        name = user.partition(":")[0]
        authority = f"{name}@{host}" if scheme in ("sftp", "ssh", "ftp") and name else host
    return f"{scheme}://{authority}{slash}{path}"


def stem_of(url: str) -> str:
    """The last name in a URL, without the endings of a file's name: `labels` of `…/labels.csv.gz`.

    Of what is inside of something else, the innermost that has a name.
    """
    for part in shown_url(url).split(CHAIN):
        rest = split_scheme(part)[1].rstrip("/")
        name = rest.rpartition("/")[2].rpartition("@")[2]
        if name and "*" not in name:
            return name
    return "data"


def bucket_and_key(url: str) -> tuple[str, str]:
    """`s3://bucket/some/key` in parts. Raises `InvalidInput` for a password or without a bucket."""
    scheme, rest = split_scheme(url)
    bucket, _, key = rest.partition("/")
    if "@" in bucket:
        raise secret_in_url(scheme)
    if not bucket or not rest.isprintable():
        raise bad_url(scheme, f"{scheme}://BUCKET/FOLDER")
    return bucket, key


def secret_in_url(scheme: str) -> InvalidInput:
    """The error for a password where its place has better ways to be let in."""
    return InvalidInput(
        f"the URL to add from ({scheme}://…) holds a user or a password",
        kind="secret_in_url",
        hint="Keep secrets where the storage's own tools keep them, and leave them out here.",
    )


def bad_url(scheme: str, example: str) -> InvalidInput:
    """The error for a URL that names no place."""
    return InvalidInput(
        f"'{scheme}://…' does not say what to add",
        kind="bad_provider_url",
        hint=f"It looks like {example}.",
    )
