"""The JSON of copies on a drive."""

from __future__ import annotations

from datacat.model import Adoption, CopyGroup, CopyPlace, Kept, LeftOut, ScanResult, Undone
from datacat.render.shapes.document import Document


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
