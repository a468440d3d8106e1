"""What is sent to S3, with the digest that signs it, so that the event loop has neither to copy it
nor to digest it: one thread serves all uploads at once."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from typing import Any

_SIGNATURE = "s3v4-known-digest"


class Body(io.BytesIO):
    """`data` to be sent. Takes as long as to digest it."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self._data = data
        self.sha256 = hashlib.sha256(data).hexdigest()

    def getbuffer(self) -> memoryview:
        """The bytes themselves: a buffer that could be written to would be a copy of them."""
        return memoryview(self._data)


def sign_by_known_digests(client: Any) -> None:
    """Let a client of aiobotocore sign each `Body` by the digest that it has.

    Without this, botocore digests what it sends in the thread of the event loop.
    """
    from botocore.auth import AUTH_TYPE_MAPS, S3SigV4Auth

    class KnownDigest(S3SigV4Auth):  # type: ignore[misc]
        def payload(self, request: Any) -> str:
            known = getattr(request.body, "sha256", None)
            return known if isinstance(known, str) else str(super().payload(request))

    AUTH_TYPE_MAPS.setdefault(_SIGNATURE, KnownDigest)

    def choose(context: Mapping[str, Any], signature_version: object, **_: object) -> str | None:
        usual = (context.get("auth_type") or signature_version) in ("v4", "s3v4")
        return _SIGNATURE if usual else None

    for operation in ("PutObject", "UploadPart"):
        client.meta.events.register_first(f"choose-signer.s3.{operation}", choose)
