"""What a failure of SSH or SFTP means for a store, in words, in one place."""

from __future__ import annotations

import asyncio

import asyncssh

from datacat.errors import (
    DatacatError,
    NoStore,
    StorageDenied,
    StorageError,
    StorageFull,
    StorageMissing,
    StorageTransient,
)

EXPECTED = (asyncssh.Error, OSError, TimeoutError, asyncio.TimeoutError)
"""All that a call may fail with."""

GONE = (asyncssh.SFTPNoSuchFile, asyncssh.SFTPNoSuchPath)
_DENIED = (asyncssh.SFTPPermissionDenied, asyncssh.SFTPWriteProtect)
_FULL = (asyncssh.SFTPNoSpaceOnFilesystem, asyncssh.SFTPQuotaExceeded)
_LOST = (asyncssh.SFTPConnectionLost, asyncssh.SFTPNoConnection)
_BAD_SETUP = (
    asyncssh.ConfigParseError,
    asyncssh.KeyImportError,
    asyncssh.KeyEncryptionError,
    asyncssh.KeyExchangeFailed,
    asyncssh.ProtocolNotSupported,
)


def breaks_connection(error: BaseException) -> bool:
    """Whether the next call needs a new connection."""
    return isinstance(error, _LOST) or not isinstance(error, asyncssh.SFTPError)


def storage_error(error: BaseException, *, url: str, key: str) -> DatacatError:
    """The error to raise instead of `error`, which `key` of the store at `url` caused."""
    if isinstance(error, asyncssh.SFTPError) and not isinstance(error, _LOST):
        return _answered(error, where=f"{key or 'its folder'} in {url}", key=key, url=url)
    if isinstance(error, asyncssh.PermissionDenied):
        return StorageDenied(
            f"the server of {url} does not let you in",
            kind="bad_credentials",
            hint="It takes what the ssh command takes without a question: a key in ~/.ssh or the"
            " agent, and the user that ~/.ssh/config or the URL names.",
            commands=["ssh-add -l"],
        )
    if isinstance(error, _BAD_SETUP):
        return NoStore(
            f"{url} cannot be asked: {type(error).__name__}",
            kind="bad_store_options",
            hint="Does the ssh command get there, without asking for a password?",
        )
    if isinstance(error, (TimeoutError, asyncio.TimeoutError)):
        return StorageTransient(f"{url}: its server did not answer in time", hint="Try again.")
    if isinstance(error, asyncssh.Error):
        return StorageTransient(f"{url}: the connection broke", hint="Try again.")
    return StorageTransient(f"{url}: its server cannot be reached", hint="Try again.")


def host_key_error(host: str, *, known: bool) -> NoStore:
    """The server showed a key that nobody vouched for. `known`: there was another one before."""
    if known:
        return NoStore(
            f"the host key of {host} is not the one in your known_hosts: it was set up anew, or"
            " somebody is between you and it",
            kind="host_key_changed",
            hint="Ask who runs it, before you forget the old key.",
            commands=[f"ssh-keygen -R {host}"],
        )
    return NoStore(
        f"nothing in your known_hosts says that {host} is the server that you mean",
        kind="host_key_unknown",
        hint="Log in once, and compare the fingerprint with what its admin says.",
        commands=[f"ssh {host}"],
    )


def _answered(error: asyncssh.SFTPError, *, where: str, key: str, url: str) -> DatacatError:
    if isinstance(error, GONE):
        return StorageMissing(f"{key} is not in the store")
    if isinstance(error, _DENIED):
        return StorageDenied(
            f"not permitted: {where}",
            hint="The folder on the server belongs to somebody else. Ask them, or an admin there.",
        )
    if isinstance(error, _FULL):
        return StorageFull(f"no space left on {url}")
    return StorageError(f"{where}: the server answered '{error.reason}'")
