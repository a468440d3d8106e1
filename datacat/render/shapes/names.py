"""The JSON of aliases, new names, and what came from what."""

from __future__ import annotations

from datacat.model import AliasChange, AliasInfo, Edge, Lineage, LineageWarning, RenameResult
from datacat.render.shapes.document import Document
from datacat.render.shapes.version import version
from datacat.text import rfc3339


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
