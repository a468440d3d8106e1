"""The JSON of what went to another store."""

from __future__ import annotations

from datacat.model import CloneResult, CopiedVersion, CopyResult
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


def cloned(of: CloneResult) -> Document:
    return {
        "store": of.url,
        "id": of.info.id,
        "name": of.info.name,
        "datasets": of.datasets,
        "versions": of.versions,
        "records": of.records,
        "bytes": of.bytes,
        "sent_bytes": of.sent_bytes,
    }
