"""The shapes of JSON answers: snake_case, null rather than missing, only ever added to."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from datacat.catalog.best import best_metrics, best_runs
from datacat.model import (
    AddResult,
    Adoption,
    AliasChange,
    AliasInfo,
    Change,
    Check,
    Code,
    Collected,
    Collection,
    Contents,
    Copy,
    CopyGroup,
    CopyPlace,
    Damage,
    Dataset,
    DatasetDiskUse,
    Diagnosis,
    Diff,
    DiskUse,
    Edge,
    FileInfo,
    FoundFile,
    InitResult,
    Kept,
    LeftOut,
    Lineage,
    LineageWarning,
    LogEntry,
    PullResult,
    Removal,
    RenameResult,
    Restored,
    Scalar,
    ScanResult,
    Shown,
    Similar,
    StatusEntry,
    Undone,
    VerifyResult,
    Version,
    Waiting,
)
from datacat.text import rfc3339

Document = dict[str, object]


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
        "trashed_at": rfc3339(of.trashed_at) if of.trashed_at else None,
        "trashed_by": of.trashed_by,
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


def change(of: Change) -> Document:
    return {
        "path": of.path,
        "change": of.change.value,
        "old_path": of.old_path,
        "bytes": of.bytes,
        "old_bytes": of.old_bytes,
        "detail": of.detail,
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


def alias(of: AliasInfo) -> Document:
    return {
        "name": of.name,
        "alias": of.alias,
        "ref": of.ref,
        "set_at": rfc3339(of.set_at),
        "set_by": of.set_by,
    }


def alias_change(of: AliasChange) -> Document:
    return {
        "name": of.name,
        "alias": of.alias,
        "ref": of.ref,
        "previous": of.previous.ref if of.previous else None,
        "previous_set_at": rfc3339(of.previous.set_at) if of.previous else None,
        "previous_set_by": of.previous.set_by if of.previous else None,
        "changed": of.changed,
    }


def renamed(of: RenameResult) -> Document:
    return {"old": of.old, "new": of.new, "changed": of.changed}


def edge(of: Edge) -> Document:
    return {"from": of.source, "to": of.result}


def lineage_warning(of: LineageWarning) -> Document:
    return {"kind": of.kind.value, "ref": of.ref, "about": of.about}


def lineage(of: Lineage) -> Document:
    return {
        "ref": of.ref,
        "up": [edge(one) for one in of.up],
        "down": [edge(one) for one in of.down],
        "nodes": {ref: version(one) for ref, one in of.nodes.items()},
        "warnings": [lineage_warning(one) for one in of.warnings],
        "cut": of.cut,
    }


def damage(of: Damage) -> Document:
    return {"ref": of.ref, "path": of.path, "reason": of.reason}


def verified(results: list[VerifyResult]) -> Document:
    """All results as one: `ok` only when every one is."""
    return {
        "checked": sum(r.checked for r in results),
        "bytes": sum(r.bytes for r in results),
        "seconds": round(sum(r.seconds for r in results), 3),
        "ok": all(r.ok for r in results),
        "damaged": [damage(d) for r in results for d in r.damaged],
        "missing": [damage(d) for r in results for d in r.missing],
    }


def dataset_disk_use(of: DatasetDiskUse) -> Document:
    return {
        "name": of.name,
        "versions": of.versions,
        "logical_bytes": of.logical_bytes,
        "on_disk_bytes": of.on_disk_bytes,
        "only_here_bytes": of.only_here_bytes,
    }


def disk_use(of: DiskUse) -> Document:
    return {
        "versions": of.versions,
        "logical_bytes": of.logical_bytes,
        "on_disk_bytes": of.on_disk_bytes,
        "catalog_bytes": of.catalog_bytes,
        "saved_bytes": of.saved_bytes,
        "saved_by": {
            "same_files": of.same_files_bytes,
            "same_parts": of.same_parts_bytes,
            "compression": of.compression_bytes,
        },
        "trash_versions": of.trash_versions,
        "trash_bytes": of.trash_bytes,
        "unused_bytes": of.unused_bytes,
        "free_bytes": of.free_bytes,
        "datasets": [dataset_disk_use(one) for one in of.datasets],
    }


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


def copy_place(of: CopyPlace) -> Document:
    return {
        "path": of.path,
        "bytes": of.bytes,
        "files": of.files,
        "same_ratio": of.same_ratio,
        "identical": of.identical,
    }


def copy_group(of: CopyGroup) -> Document:
    return {
        "id": of.id,
        "kind": of.kind.value,
        "copies": of.copies,
        "bytes_each": of.bytes_each,
        "files_each": of.files_each,
        "wasted_bytes": of.wasted_bytes,
        "ref": of.ref,
        "paths": [copy_place(place) for place in of.paths],
        "paths_total": of.paths_total,
    }


def left_out(of: LeftOut) -> Document:
    return {"count": of.count, "first": list(of.first)}


def scanned(of: ScanResult) -> Document:
    return {
        "roots": list(of.roots),
        "files": of.files,
        "folders": of.folders,
        "bytes": of.bytes,
        "duplicate_bytes": of.duplicate_bytes,
        "groups": [copy_group(group) for group in of.groups],
        "groups_total": of.groups_total,
        "read_bytes": of.read_bytes,
        "to_read_bytes": of.to_read_bytes,
        "seconds": round(of.seconds, 3),
        "unreadable": left_out(of.unreadable),
        "changed": left_out(of.changed),
        "stores": list(of.stores),
        "other_file_systems": left_out(of.other_file_systems),
        "dry_run": of.dry_run,
    }


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


def kept_file(of: Kept) -> Document:
    return {"path": of.path, "reason": of.reason}


def adopted(of: Adoption) -> Document:
    return {
        "group": of.group,
        "ref": of.ref,
        "created": of.created,
        "first": of.first,
        "files": of.files,
        "bytes": of.bytes,
        "reflinked": of.reflinked,
        "hardlinked": of.hardlinked,
        "symlinked": of.symlinked,
        "freed_bytes": of.freed_bytes,
        "stored_bytes": of.stored_bytes,
        "kept": [kept_file(one) for one in of.kept],
        "kept_total": of.kept_total,
        "undo": of.undo,
        "dry_run": of.dry_run,
    }


def undone(of: Undone) -> Document:
    return {
        "restored": of.restored,
        "bytes": of.bytes,
        "own": of.own,
        "kept": [kept_file(one) for one in of.kept],
        "kept_total": of.kept_total,
    }


def check(of: Check) -> Document:
    return {
        "id": of.id,
        "state": of.state.value,
        "message": of.message,
        "fix": of.fix,
        "fixed": of.fixed,
    }


def diagnosis(of: Diagnosis) -> Document:
    return {"ok": of.ok, "checks": [check(one) for one in of.checks]}


def joined(of: InitResult, *, user: str) -> Document:
    return {
        "store": of.url,
        "created": of.created,
        "name": of.info.name,
        "datasets": of.datasets,
        "people": of.people,
        "user": user,
    }
