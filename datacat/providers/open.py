"""From a URL to the provider that it names."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from datacat.address import split_scheme
from datacat.errors import Failed, InvalidInput
from datacat.providers.address import CHAIN, is_remote, shown_url
from datacat.providers.base import Provider

_EXTRAS = {
    "s3": "s3",
    "s3a": "s3",
    "sftp": "sftp",
    "ssh": "sftp",
    "http": "http",
    "https": "http",
    "gs": "gcs",
    "gcs": "gcs",
    "az": "azure",
    "abfs": "azure",
    "abfss": "azure",
    "hf": "hf",
}
"""What to install for a scheme."""


def is_provider(place: object) -> bool:
    """True for text that is a URL of something else than a folder of this machine."""
    return isinstance(place, str) and is_remote(place)


def open_provider(url: str) -> Provider:
    """The provider at `url`. Nothing is asked of it yet.

    Raises `InvalidInput` for a URL that names nothing or holds a password where there is a better
    place for it, `Failed` (`provider_needs_package`) with what to install, and for an unknown
    scheme `InvalidInput` (`unsupported_provider`). No message shows more of it than `shown_url`.
    """
    scheme = split_scheme(url)[0]
    opener = _other if CHAIN in url else _OPENERS.get(scheme, _other)
    try:
        return opener(url)
    except ModuleNotFoundError as error:
        raise _missing(scheme, error.name or "a package", url) from None
    except ImportError as error:
        # fsspec's own words for what is not installed: fixed text, without the URL.
        raise _missing(scheme, str(error.name or "a package"), url) from None
    except ValueError as error:
        if isinstance(error, InvalidInput):
            raise
        raise InvalidInput(
            f"nothing can be added from {scheme}://",
            kind="unsupported_provider",
            hint="Files can come from a folder, s3, gs, az, sftp, https, hf, and whatever fsspec"
            " knows.",
        ) from None


def _missing(scheme: str, package: str, url: str) -> Failed:
    extra = _EXTRAS.get(scheme)
    return Failed(
        f"to add from {shown_url(url)} needs the package {package}, which is not installed",
        kind="provider_needs_package",
        commands=[f"pip install 'datacat[{extra}]'" if extra else f"pip install {package}"],
    )


def _s3(url: str) -> Provider:
    from datacat.providers.s3 import S3Provider

    return S3Provider(url)


def _gcs(url: str) -> Provider:
    from datacat.providers.gcs import GcsProvider

    return GcsProvider(url)


def _http(url: str) -> Provider:
    from datacat.providers.http import HttpProvider

    return HttpProvider(url)


def _sftp(url: str) -> Provider:
    from datacat.providers.sftp import SftpProvider

    return SftpProvider(url)


def _other(url: str) -> Provider:
    from datacat.providers.other import OtherProvider

    return OtherProvider(url)


_OPENERS: Mapping[str, Callable[[str], Provider]] = {
    "s3": _s3,
    "s3a": _s3,
    "gs": _gcs,
    "gcs": _gcs,
    "http": _http,
    "https": _http,
    "sftp": _sftp,
    "ssh": _sftp,
}
