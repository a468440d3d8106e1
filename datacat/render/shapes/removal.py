"""The JSON of the trash, and of what was freed."""

from __future__ import annotations

from datacat.model import Collected, Collection, Removal, Restored, Waiting
from datacat.render.shapes.document import Document
from datacat.text import rfc3339


def removed(of: Removal, *, dry_run: bool) -> Document:
    return {
        "trashed": [version.ref for version in of.versions],
        "until": rfc3339(of.until),
        "frees_bytes": of.frees_bytes,
        "needed_by": list(of.needed_by),
        "dry_run": dry_run,
    }


def restored(of: Restored) -> Document:
    return {"restored": [v.ref for v in of.versions], "already": list(of.already)}


def collected(of: Collected) -> Document:
    return {
        "ref": of.ref,
        "owner": of.owner,
        "trashed_by": of.trashed_by,
        "trashed_at": rfc3339(of.trashed_at),
        "bytes": of.bytes,
        "only_here_bytes": of.only_here_bytes,
        "last_pulled": rfc3339(of.last_pulled) if of.last_pulled else None,
    }


def waiting(of: Waiting) -> Document:
    return {
        "ref": of.ref,
        "until": rfc3339(of.until) if of.until else None,
        "linked_at": of.linked_at,
    }


def collection(of: Collection, *, dry_run: bool) -> Document:
    return {
        "freed_bytes": of.freed_bytes,
        "freed_files": of.freed_files,
        "versions": [collected(one) for one in of.versions],
        "trashed": list(of.trashed),
        "waiting": [waiting(one) for one in of.waiting],
        "unfinished": of.unfinished,
        "left_over_files": of.left_over_files,
        "kept_versions": of.kept_versions,
        "kept_datasets": of.kept_datasets,
        "unused_bytes": of.unused_bytes,
        "dry_run": dry_run,
        "done": of.done,
    }
