"""A sketch holds the smallest digests, in the bytes that the format says."""

from __future__ import annotations

import base64
import random
import struct

from blake3 import blake3
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from datacat.manifest.sketch import SKETCH_ENTRIES, sketch_of
from datacat.sql import Workspace
from tests.unit.manifest.entries import Entry, load


def model(tree: list[Entry]) -> str:
    """Written anew from `docs/format.md`, section 10."""
    sizes = {
        entry.digest[:8]: entry.size for entry in tree if entry.digest is not None and entry.size
    }
    smallest = sorted(sizes.items())[:128]
    return base64.b64encode(
        b"".join(prefix + struct.pack(">Q", size) for prefix, size in smallest)
    ).decode()


@settings(
    deadline=None, max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(contents=st.lists(st.integers(0, 400), max_size=400), seed=st.integers())
def test_against_the_model(workspace: Workspace, contents: list[int], seed: int) -> None:
    tree = [
        Entry(f"{n}", "file", content * 7, False, 0, blake3(b"%d" % content).digest(), None)
        for n, content in enumerate(contents)
    ]
    tree += [
        Entry("link", "symlink", 0, False, 0, None, "x"),
        Entry("folder", "dir", 0, False, 0, None, None),
    ]
    random.Random(seed).shuffle(tree)
    load(workspace, "tree", tree)
    found = sketch_of(workspace, "tree")
    assert found == model(tree)
    assert len(base64.b64decode(found)) == 16 * min(SKETCH_ENTRIES, len({*contents} - {0}))


def test_the_largest_prefixes_and_sizes(workspace: Workspace) -> None:
    tree = [
        Entry("a", "file", 2**53, False, 0, b"\xff" * 32, None),
        Entry("b", "file", 1, False, 0, b"\x80" + bytes(31), None),
        Entry("c", "file", 1, False, 0, bytes(16), None),
    ]
    load(workspace, "tree", tree)
    assert sketch_of(workspace, "tree") == model(tree)
