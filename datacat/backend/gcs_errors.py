"""What an answer of Google Cloud Storage means for a store, in words, in one place.

As for S3, only the status and the reason of an answer are used, never its text.
"""

from __future__ import annotations

import json

import aiohttp
import requests
from gcsfs.retry import HttpError, NonRetryableError
from google.auth.exceptions import DefaultCredentialsError, GoogleAuthError, TransportError

from datacat.errors import (
    DatacatError,
    NoStore,
    StorageDenied,
    StorageError,
    StorageFull,
    StorageMissing,
    StorageTransient,
)

EXPECTED = (
    aiohttp.ClientError,
    GoogleAuthError,
    HttpError,
    NonRetryableError,
    requests.RequestException,
    OSError,
    TimeoutError,
    ValueError,
)
"""All that a request may fail with: gcsfs has errors of its own for credentials."""

_TOO_FAST = frozenset({"rateLimitExceeded", "userRateLimitExceeded", "backendError"})
_FULL = frozenset({"quotaExceeded", "storageQuotaExceeded"})


class ConditionRefusedError(Exception):
    """A condition did not hold: the key is there, or it is no longer what it was."""


class BeyondTheEndError(Exception):
    """A range that begins where the key has ended."""


def no_such_bucket(url: str) -> NoStore:
    """The error for a bucket that is not there."""
    return NoStore(
        f"the bucket of {url} does not exist",
        kind="no_such_bucket",
        hint="Is its name right? datacat makes no buckets.",
    )


def refusal(status: int, text: bytes, *, url: str, key: str, permission: str) -> Exception:
    """What to raise for an answer of 400 and above to a request about `key`."""
    if status == 412:
        return ConditionRefusedError()
    if status == 416:
        return BeyondTheEndError()
    if status == 404:
        return StorageMissing(f"{key or url} is not there")
    return _refusal(status, _reason(text), url=url, key=key, permission=permission)


def _refusal(status: int, reason: str, *, url: str, key: str, permission: str) -> DatacatError:
    where = f"{key or 'the bucket'} in {url}"
    said = f"{where}: the server answered {status} {reason}".rstrip()
    if status in (408, 409, 429) or status >= 500 or reason in _TOO_FAST:
        return StorageTransient(said, hint="Try again.")
    if status == 413 or reason in _FULL:
        return StorageFull(f"no space left in {url} ({reason or status})")
    if status == 401:
        return _not_let_in(url)
    if status == 403:
        return StorageDenied(
            f"not permitted: {permission} of {where}",
            hint=f"You need {permission}: the role Storage Object User has it, and to pull Storage"
            " Object Viewer is enough.",
        )
    return StorageError(said)


def connection_error(error: BaseException, url: str) -> DatacatError:
    """What to raise when there was no answer, or nobody vouched for us."""
    if isinstance(error, (DefaultCredentialsError, ValueError)):
        return NoStore(
            f"no credentials for {url} were found",
            kind="no_credentials",
            hint="datacat uses Google's Application Default Credentials.",
            commands=["gcloud auth application-default login"],
        )
    if isinstance(error, (HttpError, NonRetryableError)) or (
        isinstance(error, GoogleAuthError) and not isinstance(error, TransportError)
    ):
        return _not_let_in(url)
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return NoStore(
            f"the server of {url} has no certificate that this machine trusts",
            kind="store_unreachable",
        )
    return StorageTransient(f"{url}: {_what_happened(error)}", hint="Try again.")


def _not_let_in(url: str) -> StorageDenied:
    return StorageDenied(
        f"your credentials for {url} are not accepted, or have expired",
        kind="credentials_expired",
        hint="Log in again, then run the same command again: it goes on where it stopped. A clock"
        " of this machine that is off is another reason.",
        commands=["gcloud auth application-default login"],
    )


def _what_happened(error: BaseException) -> str:
    if isinstance(error, aiohttp.ClientConnectorError):
        return "its server cannot be reached"
    if isinstance(error, TimeoutError):
        return "its server did not answer in time"
    if isinstance(error, (requests.RequestException, TransportError)):
        return "nobody who gives out credentials can be reached"
    return "the connection broke"


def _reason(text: bytes) -> str:
    """The short word for what is wrong, as Google's answers have it; or nothing."""
    try:
        reason = json.loads(text)["error"]["errors"][0]["reason"]
    except (ValueError, LookupError, TypeError):
        return ""
    return reason if isinstance(reason, str) and reason.isidentifier() else ""
