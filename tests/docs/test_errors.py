"""`docs/errors.md` lists every kind of error that the code can raise, and no other."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator

from datacat import errors
from tests.docs.pages import ROOT, code, tables

PAGE = ROOT / "docs" / "errors.md"


def kinds_in(source: str) -> Iterator[str]:
    """Every text that a source file gives as `kind=` or as a class's `default_kind`."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.keyword) and node.arg == "kind":
            for part in ast.walk(node.value):
                if isinstance(part, ast.Constant) and isinstance(part.value, str):
                    yield part.value
        if isinstance(node, ast.AnnAssign | ast.Assign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names = [target.id for target in targets if isinstance(target, ast.Name)]
            if "default_kind" in names and isinstance(node.value, ast.Constant):
                yield str(node.value.value)


def kinds_in_the_code() -> set[str]:
    found: set[str] = set()
    for path in (ROOT / "datacat").rglob("*.py"):
        found |= set(kinds_in(path.read_text()))
    return found


def documented() -> dict[str, set[int]]:
    listed = [row for head, rows in tables(PAGE) if head[:2] == ["Kind", "Exit"] for row in rows]
    found = {code(row[0])[0]: {int(one) for one in row[1].split(", ")} for row in listed}
    assert len(found) == len(listed), "a kind is there twice"
    return found


def test_every_kind_is_documented_and_nothing_else() -> None:
    known = kinds_in_the_code()
    assert sorted(known - set(documented())) == [], "raised, but not in docs/errors.md"
    assert sorted(set(documented()) - known) == [], "in docs/errors.md, but never raised"


def test_the_search_finds_what_it_should() -> None:
    source = 'class A:\n    default_kind: str = "a"\nraise A("x", kind="b" if y else "c")\n'
    assert sorted(kinds_in(source)) == ["a", "b", "c"]


def test_the_exit_codes_are_those_of_the_classes() -> None:
    listed = documented()
    for _, found in inspect.getmembers(errors, inspect.isclass):
        if issubclass(found, errors.DatacatError) and found.default_kind in listed:
            assert found.exit_code in listed[found.default_kind], found.default_kind
    for path in (ROOT / "datacat").rglob("*.py"):
        for kind, exit_code in raised_in(path.read_text()):
            assert exit_code in listed[kind], f"{kind} in {path.name}"


def raised_in(source: str) -> Iterator[tuple[str, int]]:
    """Each kind that is given to a class of `datacat.errors` by name, with its exit code."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            found = getattr(errors, node.func.id, None)
            for keyword in node.keywords:
                is_text = isinstance(keyword.value, ast.Constant)
                if found is not None and keyword.arg == "kind" and is_text:
                    yield ast.literal_eval(keyword.value), found.exit_code
