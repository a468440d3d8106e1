"""The JSON of what a store takes, and what is wrong."""

from __future__ import annotations

from datacat.model import (
    Check,
    Damage,
    DatasetDiskUse,
    Diagnosis,
    DiskUse,
    Mend,
    Repair,
    VerifyLevel,
    VerifyResult,
)
from datacat.render.shapes.document import Document


def damage(of: Damage) -> Document:
    return {"ref": of.ref, "path": of.path, "reason": of.reason}


def verified(results: list[VerifyResult]) -> Document:
    """All results as one: `ok` only when every one is."""
    return {
        "checked": sum(r.checked for r in results),
        "bytes": sum(r.bytes for r in results),
        "seconds": round(sum(r.seconds for r in results), 3),
        "level": results[-1].level.value if results else VerifyLevel.CONTENT.value,
        "resumed": sum(r.resumed for r in results),
        "ok": all(r.ok for r in results),
        "damaged": [damage(d) for r in results for d in r.damaged],
        "missing": [damage(d) for r in results for d in r.missing],
    }


def mend(of: Mend) -> Document:
    return {"what": of.what, "key": of.key, "source": of.source, "bytes": of.bytes}


def repaired(of: Repair, *, dry_run: bool) -> Document:
    return {
        "ok": not of.lost and (of.done or of.is_empty),
        "damaged": [damage(one) for one in of.damaged],
        "mends": [mend(one) for one in of.mends],
        "lost": [damage(one) for one in of.lost],
        "checked_files": of.checked_files,
        "checked_bytes": of.checked_bytes,
        "seconds": round(of.seconds, 3),
        "dry_run": dry_run,
        "done": of.done,
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
