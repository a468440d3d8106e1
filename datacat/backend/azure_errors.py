"""What an answer of Azure Blob Storage means for a store, in words, in one place.

As for S3, only the code of an answer is used: its text may hold a signed URL.
"""

from __future__ import annotations

import asyncio

from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    HttpResponseError,
    ServiceRequestError,
    ServiceResponseError,
)

from datacat.errors import (
    DatacatError,
    NoStore,
    StorageDenied,
    StorageError,
    StorageFull,
    StorageMissing,
    StorageTransient,
)

EXPECTED = (AzureError, OSError, TimeoutError, asyncio.TimeoutError)
"""All that a request may fail with."""

TAKEN = frozenset({"BlobAlreadyExists", "ConditionNotMet"})
"""How a condition is refused: the name is there."""

_MISSING = frozenset({"BlobNotFound", "ResourceNotFound"})
_NO_CONTAINER = frozenset({"ContainerNotFound", "ContainerBeingDeleted", "ContainerDisabled"})
_TRANSIENT = frozenset(
    {"ServerBusy", "OperationTimedOut", "InternalError", "InvalidBlockList", "LeaseIdMissing"}
)
_NOT_LET_IN = frozenset(
    {"AuthenticationFailed", "InvalidAuthenticationInfo", "NoAuthenticationInformation"}
)


def code_of(error: BaseException) -> tuple[int, str]:
    """The HTTP status and the code of an answer; (0, "") when there was no answer."""
    if not isinstance(error, HttpResponseError):
        return 0, ""
    code = getattr(error, "error_code", None)
    return error.status_code or 0, str(getattr(code, "value", code) or "")


def storage_error(error: BaseException, *, url: str, key: str) -> DatacatError:
    """The error to raise instead of `error`, which `key` of the store at `url` caused."""
    status, code = code_of(error)
    if status:
        return _answered(status, code, url=url, key=key)
    if isinstance(error, ClientAuthenticationError):
        return NoStore(
            f"no credentials for {url} were accepted",
            kind="no_credentials",
            hint="Log in, or set AZURE_STORAGE_CONNECTION_STRING.",
            commands=["az login"],
        )
    if isinstance(error, (TimeoutError, asyncio.TimeoutError)):
        return StorageTransient(f"{url}: its server did not answer in time", hint="Try again.")
    if isinstance(error, (ServiceRequestError, OSError)):
        return StorageTransient(f"{url}: its server cannot be reached", hint="Try again.")
    if isinstance(error, ServiceResponseError):
        return StorageTransient(f"{url}: the connection broke", hint="Try again.")
    return StorageTransient(f"{url}: the request failed ({type(error).__name__})")


def _answered(status: int, code: str, *, url: str, key: str) -> DatacatError:
    where = f"{key or 'the container'} in {url}"
    if status == 404 and code in _MISSING:
        return StorageMissing(f"{key} is not in the store")
    if code in _NO_CONTAINER:
        return NoStore(
            f"the container of {url} does not exist",
            kind="no_such_bucket",
            hint="Is its name right, and the account? datacat makes no containers.",
        )
    if code in _TRANSIENT or status in (408, 409, 429) or status >= 500:
        return StorageTransient(f"{where}: the server answered {status} {code}", hint="Try again.")
    if status == 413 or code == "AccountLimitExceeded":
        return StorageFull(f"no space left in {url} ({code})")
    return _refused(status, code, url=url, where=where)


def _refused(status: int, code: str, *, url: str, where: str) -> StorageError:
    if code in _NOT_LET_IN or status == 401:
        return StorageDenied(
            f"the server of {url} does not accept your credentials ({code})",
            kind="bad_credentials",
            hint="It may also be that they have expired, or that the clock of this machine is off.",
        )
    if status == 403:
        return StorageDenied(
            f"not permitted: {where}",
            hint="You need the role Storage Blob Data Contributor, or Reader to pull.",
        )
    return StorageError(f"{where}: the server answered {status} {code}")
