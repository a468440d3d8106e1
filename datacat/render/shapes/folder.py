"""The JSON of what a folder is, and of what was done with it."""

from __future__ import annotations

from datacat.model import AddResult, Change, Diff, PullResult, Similar, StatusEntry
from datacat.render.shapes.document import Document
from datacat.render.shapes.version import _scalars, version


def change(of: Change) -> Document:
    return {
        "path": of.path,
        "change": of.change.value,
        "old_path": of.old_path,
        "bytes": of.bytes,
        "old_bytes": of.old_bytes,
        "detail": of.detail,
    }


def similar(of: Similar) -> Document:
    return {
        "ref": of.ref,
        "relation": of.relation.value,
        "same_bytes_ratio": round(of.same_bytes_ratio, 6),
        "same_files": of.same_files,
        "same_bytes": of.same_bytes,
        "files": of.files,
        "bytes": of.bytes,
        "added": of.added,
        "modified": of.modified,
        "removed": of.removed,
        "renamed": of.renamed,
    }


def added(of: AddResult) -> Document:
    return {
        **version(of.version),
        "created": of.created,
        "dry_run": of.dry_run,
        "skipped": of.skipped_count,
        "skipped_paths": list(of.skipped),
        "kept": of.kept,
        "repeated_bytes": of.repeated_bytes,
        "newest": of.newest,
        "renamed": of.renamed,
        "unsaved": {
            "params": _scalars(of.unsaved.params),
            "metrics": _scalars(of.unsaved.metrics),
            "better": {metric: better.value for metric, better in of.unsaved.better.items()},
            "sources": list(of.unsaved.sources),
        },
        "similar": [similar(one) for one in of.similar],
        "warnings": list(of.warnings),
    }


def pulled(of: PullResult) -> Document:
    return {
        "ref": of.ref,
        "path": of.path,
        "files": of.files,
        "bytes": of.bytes,
        "copied": of.copied,
        "already": of.already,
        "linked": of.linked,
        "removed": of.removed,
        "copied_bytes": of.copied_bytes,
        "partial": of.partial,
        "previous": of.previous,
        "adopted": of.adopted,
        "others": of.others,
        "checked": of.checked,
        "backup": of.backup,
        "dry_run": of.dry_run,
        "warnings": list(of.warnings),
    }


def status(of: StatusEntry) -> Document:
    return {
        "path": of.path,
        "ref": of.ref,
        "state": of.state,
        "newest": of.newest,
        "newest_by": of.newest_by,
        "changes": [change(c) for c in of.changes],
        "partial": of.partial,
        "linked": of.linked,
        "files": of.files,
        "bytes": of.bytes,
        "identical_to": of.identical_to,
        "similar": [similar(one) for one in of.similar],
        "missing": of.missing,
    }


def diff(of: Diff) -> Document:
    return {
        "a": of.a,
        "b": of.b,
        "added": of.added,
        "modified": of.modified,
        "removed": of.removed,
        "renamed": of.renamed,
        "bytes_a": of.bytes_a,
        "bytes_b": of.bytes_b,
        "changes": [change(c) for c in of.changes],
    }
