"""What a key may look like. Keys are made by `layout`; a bad one here is a bug or an attack."""

from __future__ import annotations

from datacat.errors import InvalidInput, StorageError


def checked_key(key: str) -> str:
    """`key` itself if it is a plain relative path with `/`.

    Raises `InvalidInput` for an absolute path, an empty, `.` or `..` part, a NUL, and what a
    Windows drive would read as a folder or a drive: no key can lead out of the store.
    """
    if not key or "\0" in key or "\\" in key or ":" in key:
        raise _refused(key)
    if any(part in {"", ".", ".."} for part in key.split("/")):
        raise _refused(key)
    try:
        key.encode("utf-8")
    except UnicodeEncodeError:
        raise _refused(key) from None
    return key


def checked_prefix(prefix: str) -> str:
    """`prefix` itself if it is empty or a folder: a key followed by `/`. Or `InvalidInput`."""
    if prefix:
        if not prefix.endswith("/"):
            raise _refused(prefix)
        checked_key(prefix[:-1])
    return prefix


def checked_range(key: str, offset: int, length: int) -> None:
    """Raise `InvalidInput` for a negative offset or length."""
    if offset < 0 or length < 0:
        raise InvalidInput(f"cannot read {length} bytes at {offset} of {key!r}")


def key_exists(key: str) -> StorageError:
    """The error for publishing a unique name that is taken: nothing is ever overwritten."""
    return StorageError(f"{key} is already in the store", kind="key_exists")


def _refused(key: str) -> InvalidInput:
    return InvalidInput(f"not a key of a store: {key!r}", kind="invalid_key")
