"""What differs between two lists of files, against a model in plain Python."""

from __future__ import annotations

from collections import defaultdict

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from datacat.manifest import diff
from datacat.model import Change, ChangeKind, Changes
from datacat.sql import Workspace
from tests.unit.manifest.entries import Entry, entries, load

few = st.sampled_from(["a", "b", "c", "d/a", "d/b", "é", "e\u0301", "😀", "\n", "z'z"])
small_trees = st.lists(entries(path=few), max_size=9, unique_by=lambda entry: entry.path)


def model(old: list[Entry], new: list[Entry]) -> tuple[list[Change], Changes]:
    """The changes in order, and their counts."""
    before = {entry.path: entry for entry in old}
    after = {entry.path: entry for entry in new}
    found: dict[str, Change] = {}
    for path in before.keys() | after.keys():
        was, now = before.get(path), after.get(path)
        if was is None or now is None:
            kind = ChangeKind.ADDED if was is None else ChangeKind.REMOVED
        elif (was.kind, was.executable, was.digest, was.target) != (
            now.kind,
            now.executable,
            now.digest,
            now.target,
        ):
            kind = ChangeKind.MODIFIED
        else:
            continue
        found[path] = Change(
            path,
            kind,
            old_path=None,
            bytes=now.size if now else None,
            old_bytes=was.size if was else None,
        )
    gone: dict[bytes | None, list[str]] = defaultdict(list)
    for path in sorted(found, key=str.encode):
        was = before.get(path)
        if found[path].change is ChangeKind.REMOVED and was and was.kind == "file" and was.size:
            gone[was.digest].append(path)
    for path in sorted(found, key=str.encode):
        now = after.get(path)
        if path not in found or found[path].change is not ChangeKind.ADDED or now is None:
            continue
        if now.kind == "file" and now.size and gone[now.digest]:
            old_path = gone[now.digest].pop(0)
            old_bytes = found.pop(old_path).old_bytes
            found[path] = Change(
                path, ChangeKind.RENAMED, old_path=old_path, bytes=now.size, old_bytes=old_bytes
            )
    ordered = [found[path] for path in sorted(found, key=str.encode)]
    kinds = [change.change for change in ordered]
    renamed = kinds.count(ChangeKind.RENAMED)
    return ordered, Changes(
        added=kinds.count(ChangeKind.ADDED) + renamed,
        modified=kinds.count(ChangeKind.MODIFIED),
        removed=kinds.count(ChangeKind.REMOVED) + renamed,
    )


@settings(
    deadline=None, max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(old=small_trees, new=small_trees, kept=st.integers(0, 9), limit=st.integers(0, 9))
def test_against_the_model(
    workspace: Workspace, old: list[Entry], new: list[Entry], kept: int, limit: int
) -> None:
    paths = {entry.path for entry in old[:kept]}
    new = [*old[:kept], *(entry for entry in new if entry.path not in paths)]
    load(workspace, "old", old)
    load(workspace, "new", new)
    diff.compare(workspace, "old", "new")
    expected, counts = model(old, new)
    assert list(diff.changes(workspace)) == expected
    assert diff.counts(workspace) == counts
    assert list(diff.changes(workspace, limit=limit)) == expected[:limit]
    diff.compare(workspace, "new", "new", into="nothing")
    assert diff.changes(workspace, "nothing") == ()
    assert diff.counts(workspace, "nothing") == Changes()


def test_a_folder_of_twins_is_renamed_one_by_one(workspace: Workspace) -> None:
    def files(folder: str, count: int) -> list[Entry]:
        return [
            Entry(f"{folder}/{n:03}", "file", 5, False, 0, bytes(32), None) for n in range(count)
        ]

    load(workspace, "old", files("before", 120))
    load(workspace, "new", files("after", 150))
    diff.compare(workspace, "old", "new")
    found = diff.changes(workspace)
    pairs = [(one.old_path, one.path) for one in found if one.change is ChangeKind.RENAMED]
    assert pairs == [(f"before/{n:03}", f"after/{n:03}") for n in range(120)]
    assert diff.counts(workspace) == Changes(added=150, removed=120)
