"""The JSON of what went to another store."""

from __future__ import annotations

from datacat.model import CopiedVersion, CopyResult
from datacat.render.shapes.document import Document


def copied_version(of: CopiedVersion) -> Document:
    return {
        "ref": of.ref,
        "there": of.there,
        "created": of.created,
        "hash": of.hash,
        "files": of.files,
        "bytes": of.bytes,
        "sent_bytes": of.sent_bytes,
    }


def copied(of: CopyResult) -> Document:
    return {
        "to": of.to,
        "versions": [copied_version(version) for version in of.versions],
        "sent_bytes": of.sent_bytes,
        "dry_run": of.dry_run,
    }
