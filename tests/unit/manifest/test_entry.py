"""The identity of a version: the digest of its canonical listing, by whoever computes it."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from datacat.manifest import parquet
from datacat.manifest.entry import tree_digest
from datacat.sql import Workspace
from tests.unit.manifest.entries import HASHES, Entry, canonical_listing, load, trees

SHARED = settings(
    deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=80
)


@SHARED
@given(tree=trees, algorithm=st.sampled_from(sorted(HASHES)), seed=st.integers())
def test_against_an_independent_implementation(
    workspace: Workspace, tree: list[Entry], algorithm: str, seed: int
) -> None:
    expected = HASHES[algorithm](canonical_listing(tree))
    random.Random(seed).shuffle(tree)
    load(workspace, "tree", tree)
    assert tree_digest(workspace, "tree", algorithm=algorithm) == expected
    later = [replace(entry, mtime_ns=entry.mtime_ns // 2 + 1) for entry in tree]
    load(workspace, "tree", later)
    assert tree_digest(workspace, "tree", algorithm=algorithm) == expected, "times do not count"


@SHARED
@given(tree=trees, seed=st.integers())
def test_the_same_tree_whatever_wrote_the_parquet(
    workspace: Workspace, tree: list[Entry], seed: int
) -> None:
    """Our writer sorts; another may compress, encode and order as it likes."""
    random.Random(seed).shuffle(tree)
    load(workspace, "tree", tree)
    path = workspace.folder / "manifest.parquet"
    found = set()
    for query in ("select * from tree order by path", "select * from tree order by hash(path)", ""):
        if query:
            workspace.write_parquet(query, path, row_group_rows=2048)
        else:
            parquet.write(workspace, "tree", path)
        parquet.check_manifest(workspace, path, "manifests/x")
        parquet.attach(workspace, path, "listed")
        found.add(tree_digest(workspace, "listed", algorithm="blake3"))
        assert sorted(workspace.all("select * from listed")) == sorted(
            entry.row for entry in tree
        ), "and every value comes back"
    assert found == {HASHES["blake3"](canonical_listing(tree))}


@SHARED
@given(tree=trees.filter(bool), data=st.data())
def test_every_field_counts(workspace: Workspace, tree: list[Entry], data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(tree) - 1))
    entry = tree[at]
    other = data.draw(
        st.sampled_from(
            [
                replace(entry, path=entry.path + "x"),
                replace(entry, size=entry.size + 1),
                replace(entry, executable=not entry.executable),
                replace(entry, digest=bytes(32)),
                replace(entry, target=(entry.target or "") + "x"),
                replace(entry, kind="dir" if entry.kind != "dir" else "file"),
            ]
        )
    )
    load(workspace, "tree", tree)
    load(workspace, "changed", [*tree[:at], other, *tree[at + 1 :]])
    assert tree_digest(workspace, "tree", algorithm="blake3") != tree_digest(
        workspace, "changed", algorithm="blake3"
    )


def test_names_that_could_be_taken_for_two_entries(workspace: Workspace) -> None:
    """No field holds a NUL, so nothing can be moved from one field to the next."""
    zero = bytes(32)
    one = [Entry("a", "symlink", 0, False, 0, None, "file\n00")]
    two = [
        Entry("a", "symlink", 0, False, 0, None, ""),
        Entry("file", "file", 0, False, 0, zero, None),
    ]
    assert canonical_listing(one) != canonical_listing(two)
    for tree in (one, two):
        load(workspace, "tree", tree)
        assert tree_digest(workspace, "tree", algorithm="blake3") == HASHES["blake3"](
            canonical_listing(tree)
        )


def test_more_rows_than_one_fetch(workspace: Workspace) -> None:
    """Sorted by the bytes of UTF-8, over several batches and threads."""
    made = random.Random(5)
    points = [0x41, 0xE9, 0x3B1, 0xFFFD, 0x1F600, 0x10FFFF, 0x20]
    tree = [
        Entry(
            f"{''.join(chr(made.choice(points)) for _ in range(3))}{n}",
            "file",
            n,
            False,
            0,
            made.randbytes(32),
            None,
        )
        for n in range(70_000)
    ]
    load(workspace, "tree", tree)
    assert tree_digest(workspace, "tree", algorithm="blake3") == HASHES["blake3"](
        canonical_listing(tree)
    )


@pytest.mark.parametrize("algorithm", sorted(HASHES))
def test_nothing(workspace: Workspace, algorithm: str) -> None:
    load(workspace, "tree", [])
    assert tree_digest(workspace, "tree", algorithm=algorithm) == HASHES[algorithm](b"")
