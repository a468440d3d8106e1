"""Any sequence of versions of a few files, kept as chunks: every one comes back, and edits cost
their difference.

What must always hold: a stranger with an empty cache gets each version byte by byte, from the
segments that its record lists alone. No content lies in the store twice, the index says of each
where it lies once, and what a frame was made against is plain.
"""

from __future__ import annotations

import random
import shutil
import sys
import tempfile
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from datacat.model import Layout
from datacat.store import Store
from tests import chunked
from tests.chunked import Held, added, held, pulled, tiny
from tests.conftest import BACKENDS, make_client, make_store, searching

PATHS = st.sampled_from(["a.csv", "b.bin", "c.csv", "d/e.bin", "d/f.csv"])
SIZES = st.sampled_from([0, 1, 300, 511, 512, 1_500, 5_000, 7_999, 8_001, 20_000, 33_000])
LAYOUTS = st.sampled_from([None, None, None, Layout.WHOLE, Layout.CHUNKED])
SEEDS = st.integers(0, 5)
SHARES = st.sampled_from([0.0, 0.1, 0.37, 0.5, 0.8, 1.0])
NEAR_BYTES = 12 * 1024
"""What an insertion may cost: the chunks that it touches, and more until cuts are in step."""

Files = dict[str, bytes]


def noise(size: int, seed: int) -> bytes:
    return random.Random(seed).randbytes(size)


def body(kind: str, size: int, seed: int) -> bytes:
    """Content of a kind; the same seed gives the beginning of the same content."""
    if kind == "noise":
        return noise(size, seed)
    if kind == "zeros":
        return bytes(size)
    made = random.Random(seed)
    rows = (b"%d,sub-%02d,%d\n" % (n, seed, made.randrange(10**4)) for n in range(size // 10 + 1))
    return b"".join(rows)[:size]


KINDS = st.sampled_from(["noise", "rows", "rows", "zeros"])


class ChunksMachine(RuleBasedStateMachine):
    """A folder that is edited and saved; the model is the list of what it held."""

    kind = "posix"

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="datacat-test-"))
        self.versions: list[tuple[str, Files]] = []
        self.files: Files = {}
        self.strangers = 0

    @initialize(
        layout=st.sampled_from([Layout.AUTO, Layout.AUTO, Layout.WHOLE, Layout.CHUNKED]),
        kinds=st.lists(KINDS, min_size=2, max_size=2),
        sizes=st.lists(SIZES, min_size=2, max_size=2),
        small=st.sampled_from([512, 512, 4_000]),
    )
    def begin(self, layout: Layout, kinds: list[str], sizes: list[int], small: int) -> None:
        parameters = tiny(layout, small_bytes=small)
        self.parameters = parameters
        self.store = make_store(
            self.kind, self.folder, client=make_client(self.folder), parameters=parameters
        )
        self.opened = chunked.opened(self.store, self.folder)
        self.files["a.csv"] = body(kinds[0], sizes[0], 1)
        self.files["b.bin"] = body(kinds[1], sizes[1], 2)
        self.state: Held | None = None
        self.save(None)

    # What people do to files

    @rule(path=PATHS, kind=KINDS, size=SIZES, seed=SEEDS)
    def write(self, path: str, kind: str, size: int, seed: int) -> None:
        self.files[path] = body(kind, size, seed)

    @rule(nth=SEEDS, share=SHARES, size=st.sampled_from([1, 30, 700, 5_000]), seed=SEEDS)
    def insert(self, nth: int, share: float, size: int, seed: int) -> None:
        """Insert into one file, save, and look what that cost."""
        path, data = self._one(nth)
        at = int(len(data) * share)
        self.files[path] = data[:at] + noise(size, 100 + seed) + data[at:]
        chunky = len(data) >= max(self.parameters.small_bytes, 1)
        saved = chunky and self.versions and self.versions[-1][1].get(path) == data
        alone = saved and {**self.versions[-1][1], path: self.files[path]} == self.files
        before = self.state
        # Chunked once, however it was kept before.
        self.save(Layout.CHUNKED)
        if alone and before is not None and self.state is not None:
            new = self.state.stored_bytes - before.stored_bytes
            assert new <= NEAR_BYTES + size * 1.02, "an insertion cost more than what is near it"

    @precondition(lambda self: any(self.files.values()))
    @rule(nth=SEEDS, share=SHARES, size=st.sampled_from([1, 30, 700, 5_000]))
    def delete_part(self, nth: int, share: float, size: int) -> None:
        path, data = self._one(nth)
        at = int(len(data) * share)
        self.files[path] = data[:at] + data[at + size :]

    @rule(nth=SEEDS, every=st.sampled_from([300, 2_000]))
    def change_a_little_everywhere(self, nth: int, every: int) -> None:
        path, data = self._one(nth)
        changed = bytearray(data)
        for at in range(every // 2, len(data), every):
            changed[at] ^= 1
        self.files[path] = bytes(changed)

    @rule(nth=SEEDS, share=SHARES)
    def swap_the_halves(self, nth: int, share: float) -> None:
        path, data = self._one(nth)
        at = int(len(data) * share)
        self.files[path] = data[at:] + data[:at]

    @rule(nth=SEEDS, to=PATHS)
    def rename(self, nth: int, to: str) -> None:
        path, data = self._one(nth)
        del self.files[path]
        self.files[to] = data

    @rule(nth=SEEDS, to=PATHS, share=SHARES)
    def copy_part(self, nth: int, to: str, share: float) -> None:
        _, data = self._one(nth)
        self.files[to] = data[int(len(data) * share) :] if share < 1 else data

    @precondition(lambda self: len(self.versions) > 1)
    @rule(nth=st.integers(0, 20))
    def go_back(self, nth: int) -> None:
        _, files = self.versions[nth % len(self.versions)]
        self.files = dict(files)

    @rule(layout=LAYOUTS)
    def save(self, layout: Layout | None) -> None:
        """Save; the version is there for anybody, and what is stored is what it says."""
        ref = added(
            self.store, self.folder / "w", self.files, name="w", layout=layout, new_version=True
        )
        if not self.versions or ref != self.versions[-1][0]:
            self.versions.append((ref, dict(self.files)))
        self._anybody_gets(ref, self.files)
        self.state = held(self.opened)
        assert_sound(self.state)

    def _one(self, nth: int) -> tuple[str, bytes]:
        path = sorted(self.files)[nth % len(self.files)]
        return path, self.files[path]

    def _anybody_gets(self, ref: str, files: Files) -> None:
        self.strangers += 1
        stranger = Store.open(self.store.url, client=make_client(self.folder, f"s{self.strangers}"))
        dest = self.folder / f"out {self.strangers}"
        assert pulled(stranger, ref, dest) == files
        shutil.rmtree(dest)

    def teardown(self) -> None:
        try:
            if sys.exc_info()[0] is not None:
                return  # one failure is told
            for ref, files in self.versions:
                self._anybody_gets(ref, files)
            late = Store.open(self.store.url, client=make_client(self.folder, "late"))
            assert [result.ok for result in late.verify(everything=True)] == [True]
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)


def assert_sound(state: Held) -> None:
    """What the containers and the index of a store must be, when one person saved at a time."""
    assert max(state.packed.values(), default=1) == 1, "a chunk was stored twice"
    assert max(state.whole.values(), default=1) == 1, "a content was stored twice"
    assert not state.packed.keys() & state.whole.keys(), "a content lies whole and in a pack"
    rows = [row for _, row in state.chunks]
    places = Counter(row[0] for row in rows)
    in_packs = Counter(row[0] for row in rows if not row[2].startswith("whole/"))
    in_whole = Counter(row[0] for row in rows if row[2].startswith("whole/"))
    assert max(in_packs.values(), default=1) == 1, "the index names a frame twice"
    assert max(in_whole.values(), default=1) == 1, "the index names a part of a container twice"
    assert places.keys() >= state.packed.keys() | state.whole.keys()
    plain = {row[0] for row in rows if row[6] is None}
    assert {row[6] for row in rows if row[6] is not None} <= plain, "a chain of references"
    recipes = Counter((object_, ordinal) for _, object_, ordinal, _ in state.recipes)
    assert max(recipes.values(), default=1) == 1, "the index has two recipes of one content"
    parts = Counter(object_ for _, object_, _, _ in state.recipes)
    assert all(recipes.keys() >= {(o, n) for n in range(count)} for o, count in parts.items())
    assert all(count > 1 for count in parts.values()), "a recipe of one chunk"
    assert {chunk for _, _, _, chunk in state.recipes} <= places.keys()


@pytest.mark.filterwarnings("ignore:Generating overly large repr")
@pytest.mark.parametrize("kind", BACKENDS)
def test_every_version_comes_back_and_edits_cost_their_difference(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    chunked.shrink(monkeypatch)
    machine = type(f"{kind.title()}Chunks", (ChunksMachine,), {"kind": kind})
    run_state_machine_as_test(machine, settings=searching(3, stateful_step_count=11))
