"""Errors of places that are only read from, made of those of the storage that they are in."""

from __future__ import annotations

from datacat.errors import (
    Cancelled,
    DatacatError,
    Failed,
    InvalidInput,
    NoStore,
    NotFound,
    StorageDenied,
    StorageError,
    StorageMissing,
    StorageTransient,
)
from datacat.text import printable


def of_provider(error: DatacatError, url: str) -> DatacatError:
    """`error` of a storage library of ours, as one about the provider `url`.

    What is a store's own business in it goes: its settings, and that there is no store.
    """
    if isinstance(error, (StorageMissing, StorageTransient, Cancelled, InvalidInput)):
        return error
    commands = [command for command in error.commands if "store_options" not in command]
    kind = error.kind
    if isinstance(error, (NoStore, StorageDenied)):
        return StorageDenied(error.message, kind=kind, hint=error.hint, commands=commands)
    return StorageError(f"{url}: {error.message}", kind=kind, hint=error.hint)


def not_there(url: str) -> NotFound:
    """Nothing is at `url`."""
    return NotFound(f"there is nothing at {printable(url)}", kind="path_not_found")


def unreachable(url: str, why: str) -> Failed:
    """The server of `url` cannot be asked, however often it is tried."""
    return Failed(
        f"{printable(url)} cannot be read: {why}",
        kind="provider_unreachable",
        hint="Is the network there, and the address right?",
    )


def denied(url: str, path: str, why: str, *, hint: str) -> StorageDenied:
    """The server does not let us read `path` of `url`."""
    where = f"{path} of {url}" if path else url
    return StorageDenied(
        f"cannot read {printable(where)}: {why}", kind="provider_denied", hint=hint
    )
