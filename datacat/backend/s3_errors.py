"""What an answer of S3 means for a store, in words, in one place.

Only the code of an answer is used, never its text, and no error of a library is chained: they hold
URLs, key ids and signed strings.
"""

from __future__ import annotations

import asyncio

import aiohttp
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConfigParseError,
    CredentialRetrievalError,
    EndpointConnectionError,
    HTTPClientError,
    InvalidRegionError,
    NoCredentialsError,
    NoRegionError,
    ParamValidationError,
    PartialCredentialsError,
    ProfileNotFound,
    ProxyConnectionError,
    SSLError,
    TokenRetrievalError,
    UnauthorizedSSOTokenError,
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

EXPECTED = (
    ClientError,
    BotoCoreError,
    aiohttp.ClientError,
    TimeoutError,
    OSError,
    asyncio.TimeoutError,
)
"""All that a request may fail with."""

_MISSING = frozenset(
    {"NoSuchKey", "NoSuchUpload", "NoSuchLifecycleConfiguration", "404", "NotFound"}
)
_EXPIRED = frozenset(
    {"ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired", "RequestExpired"}
)
_UNKNOWN_TO_SERVER = frozenset(
    {
        "InvalidAccessKeyId",
        "SignatureDoesNotMatch",
        "InvalidToken",
        "InvalidSecurity",
        "AuthFailure",
        "InvalidClientTokenId",
    }
)
_OTHER_REGION = frozenset(
    {"PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException"}
)
_FULL = frozenset(
    {"QuotaExceeded", "XMinioStorageFull", "InsufficientStorage", "QuotaExceededException"}
)
_TRANSIENT = frozenset(
    {
        "SlowDown",
        "RequestTimeout",
        "InternalError",
        "ServiceUnavailable",
        "Throttling",
        "ThrottlingException",
        "RequestLimitExceeded",
        "OperationAborted",
        "ConditionalRequestConflict",
        "XMinioServerNotInitialized",
    }
)
_NO_CREDENTIALS = (
    NoCredentialsError,
    PartialCredentialsError,
    CredentialRetrievalError,
    TokenRetrievalError,
    UnauthorizedSSOTokenError,
)
_WRONG_SETUP = (
    ProfileNotFound,
    ConfigParseError,
    NoRegionError,
    InvalidRegionError,
    ParamValidationError,
)


def code_of(error: BaseException) -> tuple[int, str]:
    """The HTTP status and the code of an answer; (0, "") when there was no answer."""
    if not isinstance(error, ClientError):
        return 0, ""
    answer = error.response
    status = answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return int(status), str(answer.get("Error", {}).get("Code", ""))


def storage_error(
    error: BaseException, *, status: int, code: str, url: str, key: str, action: str
) -> DatacatError:
    """The error to raise instead of `error`, which `key` of the store at `url` caused."""
    if isinstance(error, ClientError):
        return _answered(status, code, url=url, key=key, action=action)
    if isinstance(error, _NO_CREDENTIALS):
        return NoStore(
            f"no credentials for {url} were found",
            kind="no_credentials",
            hint="Use what the aws command uses: a profile, AWS_PROFILE, or a role.",
            commands=["aws configure", "datacat config set store_options.profile NAME"],
        )
    if isinstance(error, _WRONG_SETUP):
        # Its text names a profile, a region or a rule for names, and nothing else.
        return NoStore(f"{url} cannot be asked: {_one_line(error)}", kind="bad_store_options")
    if isinstance(error, SSLError):
        return NoStore(
            f"the server of {url} has no certificate that this machine trusts",
            kind="store_unreachable",
            hint="AWS_CA_BUNDLE names a file with the certificate of your own authority.",
        )
    return StorageTransient(f"{url}: {_what_happened(error)}", hint="Try again.")


def _answered(status: int, code: str, *, url: str, key: str, action: str) -> DatacatError:
    where = f"{key or 'the bucket'} in {url}"
    if status == 404 and code in _MISSING:
        return StorageMissing(f"{key} is not in the store")
    if code in _FULL or status == 507:
        return StorageFull(f"no space left in {url} ({code})")
    if code in _TRANSIENT or status in (408, 409, 425, 429) or (status >= 500 and status != 501):
        return StorageTransient(f"{where}: the server answered {status} {code}", hint="Try again.")
    if setup := _wrong_setup(status, code, url=url, action=action):
        return setup
    if status in (401, 403):
        hint = f"Your policy needs s3:{action}"
        if action in {"GetObject", "HeadObject"}:
            hint += "; without s3:ListBucket a key that is not there is refused as well"
        return StorageDenied(f"not permitted: {action} of {where}", hint=f"{hint}.")
    return StorageError(f"{where}: the server answered {status} {code}")


def _wrong_setup(status: int, code: str, *, url: str, action: str) -> DatacatError | None:
    """What is to be mended on this side, or in the choice of the server."""
    if code == "NoSuchBucket":
        return NoStore(
            f"the bucket of {url} does not exist",
            kind="no_such_bucket",
            hint="Is its name right, and the endpoint? datacat makes no buckets.",
        )
    if code in _OTHER_REGION or status == 301:
        return NoStore(
            f"the bucket of {url} is in another region",
            kind="bad_store_options",
            commands=["datacat config set store_options.region REGION"],
        )
    if status == 501 or code == "NotImplemented":
        return StorageError(
            f"the server of {url} cannot do what a store needs ({action})",
            kind="no_atomic_create",
        )
    return _not_let_in(code, url)


def _not_let_in(code: str, url: str) -> StorageDenied | None:
    if code in _EXPIRED:
        return StorageDenied(
            f"your credentials for {url} have expired",
            kind="credentials_expired",
            hint="Log in again, then run the same command again: it goes on where it stopped.",
        )
    if code == "RequestTimeTooSkewed":
        return StorageDenied(
            f"the clock of this machine is too far from that of the server of {url}",
            kind="clock_skew",
            hint="Set the clock, for example by switching on time synchronisation (NTP).",
        )
    if code in _UNKNOWN_TO_SERVER:
        return StorageDenied(
            f"the server of {url} does not accept your credentials ({code})",
            kind="bad_credentials",
            hint="Which ones are used is said by AWS_PROFILE and store_options.profile.",
        )
    return None


def _what_happened(error: BaseException) -> str:
    """A failed connection in words of our own: the library's text may hold the endpoint's URL."""
    if isinstance(error, (EndpointConnectionError, ProxyConnectionError)):
        return "its server cannot be reached"
    if isinstance(error, (TimeoutError, asyncio.TimeoutError)) or "Timeout" in type(error).__name__:
        return "its server did not answer in time"
    if isinstance(error, (HTTPClientError, aiohttp.ClientError, OSError)):
        return "the connection broke"
    return f"the request failed ({type(error).__name__})"


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:300]
