"""Bring a named file from shared storage into the local cache, verified, in bounded memory."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from datacat.backend.base import Backend
from datacat.digest import new_hasher, parse_label
from datacat.errors import Corrupt, StorageDenied, StorageFull, StorageMissing

STEP_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file on shared storage as a record names it: its key, size and digest label."""

    key: str
    size_bytes: int
    digest: str


def fetched(
    backend: Backend, stored: StoredFile, target: Path, *, check: Callable[[Path], None]
) -> Path:
    """`target`, holding the bytes of `stored`: reused when they are right, else downloaded.

    The digest is compared every time, so that a flipped bit in the cache is never believed.
    `check` looks into a fresh download before it gets its name. Raises `Corrupt` naming the key
    when shared storage does not hold what the record says.
    """
    if holds(target, stored):
        return target
    partial = target.with_name(f".{target.name}.{secrets.token_hex(6)}")
    try:
        download(backend, stored, partial)
        check(partial)
        partial.replace(target)
    except OSError as error:
        raise cache_error(error, target.parent) from error
    finally:
        partial.unlink(missing_ok=True)
    return target


def cache_error(error: OSError, folder: Path) -> OSError:
    """`error` in our words if it came from the local cache folder, else `error` itself."""
    import errno

    if isinstance(error, (StorageFull, StorageDenied)) or error.errno is None:
        return error
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StorageFull(
            f"no space left in the cache folder {folder}",
            kind="cache_full",
            commands=["datacat config set cache_dir /a/larger/disk"],
        )
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return StorageDenied(
            f"cannot write to the cache folder {folder}",
            kind="cache_denied",
            commands=["datacat config set cache_dir /another/folder"],
        )
    return error


def download(backend: Backend, stored: StoredFile, partial: Path) -> None:
    """Write the bytes of `stored` to the new file `partial`.

    Raises `Corrupt` naming the key when they are missing or not what the record says; the caller
    removes what is there then.
    """
    partial.parent.mkdir(parents=True, exist_ok=True)
    algorithm, digest = parse_label(stored.digest)
    hasher = new_hasher(algorithm)
    found = 0
    with partial.open("xb") as file:
        while found <= stored.size_bytes:
            try:
                data = backend.read_range(stored.key, found, STEP_BYTES)
            except StorageMissing as error:
                raise Corrupt(f"{stored.key} is missing", kind="stored_file_missing") from error
            if not data:
                break
            hasher.update(data)
            file.write(data)
            found += len(data)
    if found != stored.size_bytes or hasher.digest() != digest:
        raise Corrupt(
            f"{stored.key} is not what was saved ({found} of {stored.size_bytes} bytes)",
            kind="stored_file_damaged",
        )


def holds(target: Path, stored: StoredFile) -> bool:
    """Whether `target` is there with exactly the bytes of `stored`: all of it is read."""
    algorithm, digest = parse_label(stored.digest)
    try:
        fd = os.open(target, os.O_RDONLY)
    except OSError:
        return False
    try:
        if os.fstat(fd).st_size != stored.size_bytes:
            return False
        hasher = new_hasher(algorithm)
        while data := os.read(fd, STEP_BYTES):
            hasher.update(data)
        return hasher.digest() == digest
    finally:
        os.close(fd)
