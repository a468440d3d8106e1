"""`docs/json.md` lists the fields of every JSON document as they are made, with their types."""

from __future__ import annotations

import re
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Any

import pytest

from datacat import model
from datacat.cli.commands import ENTRIES
from datacat.errors import NotFound
from datacat.render import shapes
from datacat.render.errors import error_document
from tests.docs.pages import ROOT, code, prose, table

PAGE = ROOT / "docs" / "json.md"
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")

SHAPES: dict[str, tuple[Callable[..., Any], type]] = {
    "Version": (shapes.version, model.Version),
    "Run": (lambda of: shapes.run(of, ["dice"]), model.Version),
    "Added": (shapes.added, model.AddResult),
    "Similar": (shapes.similar, model.Similar),
    "Pulled": (shapes.pulled, model.PullResult),
    "Dataset": (shapes.dataset, model.Dataset),
    "File": (shapes.file, model.FileInfo),
    "FoundFile": (shapes.found_file, model.FoundFile),
    "Shown": (shapes.shown, model.Shown),
    "Copy": (shapes.copy, model.Copy),
    "Contents": (shapes.contents, model.Contents),
    "Status": (shapes.status, model.StatusEntry),
    "Diff": (shapes.diff, model.Diff),
    "Change": (shapes.change, model.Change),
    "Entry": (shapes.log_entry, model.LogEntry),
    "Lineage": (shapes.lineage, model.Lineage),
    "Edge": (shapes.edge, model.Edge),
    "LineageWarning": (shapes.lineage_warning, model.LineageWarning),
    "Alias": (shapes.alias, model.AliasInfo),
    "AliasChange": (shapes.alias_change, model.AliasChange),
    "Renamed": (shapes.renamed, model.RenameResult),
    "Removal": (lambda result: shapes.removed(result, dry_run=True), model.Removal),
    "Repaired": (lambda result: shapes.repaired(result, dry_run=True), model.Repair),
    "Mend": (shapes.mend, model.Mend),
    "Restored": (shapes.restored, model.Restored),
    "Scanned": (shapes.scanned, model.ScanResult),
    "Group": (shapes.copy_group, model.CopyGroup),
    "Place": (shapes.copy_place, model.CopyPlace),
    "Collection": (lambda result: shapes.collection(result, dry_run=True), model.Collection),
    "Collected": (shapes.collected, model.Collected),
    "Waiting": (shapes.waiting, model.Waiting),
    "Adoption": (shapes.adopted, model.Adoption),
    "Undone": (shapes.undone, model.Undone),
    "KeptFile": (shapes.kept_file, model.Kept),
    "DiskUse": (shapes.disk_use, model.DiskUse),
    "DatasetDiskUse": (shapes.dataset_disk_use, model.DatasetDiskUse),
    "Verified": (lambda result: shapes.verified([result]), model.VerifyResult),
    "Origin": (shapes.origin, model.Origin),
    "Copied": (shapes.copied, model.CopyResult),
    "Cloned": (shapes.cloned, model.CloneResult),
    "CopiedVersion": (shapes.copied_version, model.CopiedVersion),
    "Damage": (shapes.damage, model.Damage),
    "Diagnosis": (shapes.diagnosis, model.Diagnosis),
    "Check": (shapes.check, model.Check),
    "Joined": (lambda result: shapes.joined(result, user="alice"), model.InitResult),
}


def sample(annotation: Any, *, empty: bool) -> Any:
    """A value of this type; where it may be None, `empty` says whether it is."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in (typing.Union, types.UnionType):
        if type(None) not in arguments:
            return 1
        rest = [kind for kind in arguments if kind is not type(None)]
        return None if empty else sample(rest[0], empty=empty)
    if origin is tuple:
        if arguments[-1] is Ellipsis:
            return (sample(arguments[0], empty=empty),)
        return tuple(sample(kind, empty=empty) for kind in arguments)
    if origin is not None and issubclass(origin, Mapping):
        return {"key": sample(arguments[1], empty=empty)}
    if is_dataclass(annotation):
        hints = typing.get_type_hints(annotation)
        values = {f.name: sample(hints[f.name], empty=empty) for f in fields(annotation)}
        return typing.cast("type", annotation)(**values)
    if issubclass(annotation, Enum):
        return next(iter(annotation))
    if annotation is datetime:
        return datetime(2026, 11, 22, 9, 14, 3, tzinfo=UTC)
    return {str: "" if empty else "text", int: 3, float: 0.5, bool: True}[annotation]


def documented(name: str) -> dict[str, str]:
    """Field to type, as the page says under the heading `name`."""
    section = prose(PAGE).split(f"\n## {name}\n")[1].split("\n## ")[0]
    rows = [line.strip("|").split("|") for line in section.splitlines() if line[:3] == "| `"]
    found = {field: row[1].strip() for row in rows for field in code(row[0])}
    if "the fields of a Version" in section:
        return documented("Version") | found
    if "The fields of a Dataset" in section:
        return documented("Dataset") | found
    return found


def fits(value: object, described: str) -> bool:
    """Whether a value is of the type that the page describes."""
    kind, _, null = described.partition(" or ")
    if value is None:
        return null == "null" or kind == "any"
    if kind.startswith("list of"):
        return isinstance(value, list)
    if kind == "time":
        return isinstance(value, str) and TIME.fullmatch(value) is not None
    if kind == "integer":
        return type(value) is int
    known: dict[str, type | tuple[type, ...]] = {
        "text": str,
        "number": (int, float),
        "boolean": bool,
    }
    return isinstance(value, known.get(kind, dict))


@pytest.mark.parametrize("empty", [False, True], ids=["full", "nulls"])
@pytest.mark.parametrize("name", SHAPES)
def test_the_fields_are_as_documented(name: str, empty: bool) -> None:
    shape, kind = SHAPES[name]
    made = shape(sample(kind, empty=empty))
    listed = documented(name)
    assert sorted(made) == sorted(listed)
    wrong = {field: value for field, value in made.items() if not fits(value, listed[field])}
    assert not wrong
    if empty:
        nullable = {field for field, text in listed.items() if text.endswith(" or null")}
        assert {field for field, value in made.items() if value is None} == nullable


def test_errors_are_as_documented() -> None:
    made = error_document(NotFound("no", hint="h", commands=["datacat ls"]))["error"]
    assert isinstance(made, dict)
    listed = documented("Error")
    assert sorted(made) == sorted(listed)
    assert all(fits(value, listed[field]) for field, value in made.items())


def test_every_command_has_a_document() -> None:
    rows = table(PAGE, "Command")
    commands = {name for row in rows for name in code(row[0])}
    assert commands == set(ENTRIES)
    sections = set(re.findall(r"^## (\w+)$", prose(PAGE), re.MULTILINE))
    named = {word for row in rows for word in re.findall(r"\b[A-Z]\w+\b", row[1])} - {
        "REF",
        "QUERY",
    }
    assert named <= sections
    assert sections == {*SHAPES, "Line", "FileKind", "View", "Setting", "Script", "Error"}
