"""The JSON of datasets, their versions and files."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from datacat.catalog.best import best_metrics, best_runs
from datacat.model import (
    Code,
    Contents,
    Copy,
    Dataset,
    FileInfo,
    FoundFile,
    InitResult,
    LogEntry,
    Origin,
    Scalar,
    Shown,
    Version,
)
from datacat.render.shapes.document import Document
from datacat.text import rfc3339


def _scalars(values: Mapping[str, Scalar]) -> Document:
    """Parameters and metrics; JSON has no NaN and no infinity, so those become text."""
    return {
        key: str(value) if isinstance(value, float) and not math.isfinite(value) else value
        for key, value in values.items()
    }


def _code(code: Code | None) -> Document | None:
    if code is None:
        return None
    return {"repo": code.repo, "commit": code.commit, "dirty": code.dirty}


def version(of: Version) -> Document:
    return {
        "ref": of.ref,
        "name": of.name,
        "version": of.number,
        "hash": of.hash,
        "aliases": list(of.aliases),
        "message": of.message,
        "author": of.author,
        "created_at": rfc3339(of.created_at),
        "files": of.files,
        "bytes": of.bytes,
        "new_bytes": of.new_bytes,
        "base": of.base,
        "changes": {
            "added": of.changes.added,
            "modified": of.changes.modified,
            "removed": of.changes.removed,
        },
        "sources": list(of.sources),
        "params": _scalars(of.params),
        "metrics": _scalars(of.metrics),
        "better": {metric: better.value for metric, better in of.better.items()},
        "code": _code(of.code),
        "added_from": of.added_from,
        "trashed_at": rfc3339(of.trashed_at) if of.trashed_at else None,
        "trashed_by": of.trashed_by,
        "origin": origin(of.origin) if of.origin else None,
    }


def origin(of: Origin) -> Document:
    return {
        "store": of.store,
        "ref": of.ref,
        "copied_by": of.copied_by,
        "copied_at": rfc3339(of.copied_at),
        "sources": list(of.sources),
    }


def run(of: Version, best: list[str]) -> Document:
    return {**version(of), "best": best}


def runs(of: Sequence[Version]) -> Iterator[Document]:
    """Versions of one dataset, each with the metrics in which it is the best of them."""
    best = best_runs(of)
    for one in of:
        yield run(one, best_metrics(one, best))


def dataset(of: Dataset) -> Document:
    return {
        "name": of.name,
        "description": of.description,
        "owner": of.owner,
        "tags": list(of.tags),
        "latest": of.latest,
        "versions": of.versions,
        "aliases": dict(of.aliases),
        "files": of.files,
        "bytes": of.bytes,
        "created_at": rfc3339(of.created_at),
        "updated_at": rfc3339(of.updated_at),
        "in_use_by": list(of.in_use_by),
    }


def file(of: FileInfo) -> Document:
    return {"path": of.path, "bytes": of.bytes, "hash": of.hash or None, "kind": of.kind.value}


def found_file(of: FoundFile) -> Document:
    return {
        "name": of.name,
        "path": of.path,
        "bytes": of.bytes,
        "hash": of.hash or None,
        "kind": of.kind.value,
        "refs": list(of.refs),
    }


def contents(of: Contents) -> Document:
    return {"suffix": of.suffix, "files": of.files, "bytes": of.bytes, "name": of.name}


def copy(of: Copy) -> Document:
    return {
        "user": of.user,
        "host": of.host,
        "path": of.path,
        "ref": of.ref,
        "linked": of.linked,
        "partial": of.partial,
        "pulled_at": rfc3339(of.pulled_at) if of.pulled_at else None,
        "last_seen": rfc3339(of.last_seen),
        "gone": of.gone,
    }


def shown(of: Shown) -> Document:
    return {
        **dataset(of.dataset),
        "version_list": [version(v) for v in of.version_list],
        "version": version(of.version),
        "contents": [contents(kind) for kind in of.contents],
        "in_use": [copy(one) for one in of.in_use],
        "used_by": list(of.used_by),
        "best": list(of.best),
        "readme": of.readme,
    }


def log_entry(of: LogEntry) -> Document:
    return {
        "at": rfc3339(of.at),
        "user": of.user,
        "host": of.host,
        "action": of.action,
        "ref": of.ref,
        "path": of.path,
        "detail": of.detail,
    }


def joined(of: InitResult, *, user: str) -> Document:
    return {
        "store": of.url,
        "created": of.created,
        "name": of.info.name,
        "datasets": of.datasets,
        "people": of.people,
        "user": user,
    }
