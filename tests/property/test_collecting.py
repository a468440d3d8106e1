"""Any history of adds, edits, removals, restores and collections, against a plain-Python model.

What must always hold: a version outside the trash is byte for byte what was saved, for somebody
who never saw it; what is in the trash comes back whole until a gc took it; and once everything may
go at once, nothing is left that no version needs.
"""

from __future__ import annotations

import random
import shutil
import tempfile
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datacat.errors import NotFound
from datacat.model import Parameters, Periods
from datacat.store import Store
from tests.collecting import AT_ONCE, assert_are, needless
from tests.conftest import BACKENDS, make_client, make_store, searching
from tests.trees import Entry, file, write_tree

SMALL = Parameters(
    small_bytes=2_000,
    pack_bytes=60_000,
    chunk_min_bytes=256,
    chunk_mean_bytes=1_024,
    chunk_max_bytes=4_096,
)
KEEP_TRASH = Periods(trash=timedelta(days=1), uploads=timedelta(0))
SIZES = (0, 30, 1_500, 40_000, 150_000)
STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            ["add", "add", "edit", "edit", "edit", "rm", "rm", "restore", "gc", "gc now", "half gc"]
        ),
        st.integers(0, 2**16),
    ),
    min_size=8,
    max_size=16,
)


@dataclass
class Model:
    """Every version that was saved, by its reference: its files, and where it is."""

    trees: dict[str, dict[str, Entry]] = field(default_factory=dict)
    live: list[str] = field(default_factory=list)
    trash: list[str] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)


class History:
    """One store, two people, and what happens."""

    def __init__(self, kind: str, folder: Path) -> None:
        self.folder = folder
        first = make_store(kind, folder, client=make_client(folder, "alice"), parameters=SMALL)
        self.people = [first, Store.open(first.url, client=make_client(folder, "bob"))]
        self.model = Model()

    def step(self, what: str, seed: int) -> None:
        chance, model = random.Random(seed), self.model
        store = chance.choice(self.people)
        match what:
            case "add":
                paths = [f"f{n}" for n in range(chance.randint(1, 3))]
                seeds = [chance.randrange(4) for _ in paths]  # the same content comes again
                self._save(
                    store, chance, {p: _noise(chance, s) for p, s in zip(paths, seeds, strict=True)}
                )
            case "edit" if model.live:
                tree = dict(model.trees[chance.choice(model.live)])
                path = chance.choice(sorted(tree))
                tree[path] = file(_edited(tree[path].content, chance))
                self._save(store, chance, tree)
            case "rm" if model.live:
                going = chance.sample(model.live, chance.randint(1, min(3, len(model.live))))
                store.rm(going, force=True)
                model.live = [ref for ref in model.live if ref not in going]
                model.trash += going
            case "restore" if model.trash or model.gone:
                ref = chance.choice([*model.trash, *model.gone])
                if ref in model.gone:
                    with pytest.raises(NotFound, match="gone for good"):
                        store.restore([ref])
                else:
                    store.restore([ref])
                    model.trash.remove(ref)
                    model.live.append(ref)
            case "gc":
                result = store.gc(periods=KEEP_TRASH)
                assert result.versions == ()
                assert {one.ref for one in result.waiting} == set(model.trash)
            case "gc now":
                result = store.gc(periods=AT_ONCE)
                assert {version.ref for version in result.versions} == set(model.trash)
                model.gone += model.trash
                model.trash = []
                assert needless(store) == set()
                assert store.gc(periods=AT_ONCE).is_empty
            case "half gc":
                self._interrupted_gc(store, chance)

    def _save(self, store: Store, chance: random.Random, tree: dict[str, Entry]) -> None:
        folder = Path(tempfile.mkdtemp(dir=self.folder))
        write_tree(folder, tree)
        name = chance.choice(["one", "two"])
        result = store.add(folder, name=name, new_version=True, new=True)
        if result.created:
            assert result.version.ref not in self.model.trees, "a number is never used again"
            self.model.trees[result.version.ref] = tree
            self.model.live.append(result.version.ref)
        shutil.rmtree(folder)

    def _interrupted_gc(self, store: Store, chance: random.Random) -> None:
        """It dies somewhere between its first record and its last file."""
        backend = store._opened.backend
        deleted = 0
        limit = chance.randrange(4)
        delete = backend.delete

        def dying(key: str) -> None:
            nonlocal deleted
            if not key.startswith("tmp/"):
                deleted += 1
                if deleted > limit:
                    raise KeyboardInterrupt
            delete(key)

        backend.delete = dying  # type: ignore[method-assign]
        try:
            store.gc(periods=AT_ONCE)
        except KeyboardInterrupt:
            pass
        finally:
            backend.delete = delete  # type: ignore[method-assign]
        self.model.gone += self.model.trash
        self.model.trash = []

    def check(self) -> None:
        """Every live version is whole; one from the trash is too, once it came back."""
        store = self.people[0]
        assert {v.ref for v in store._query().every_version()} == set(self.model.live)
        assert_are(store, {ref: self.model.trees[ref] for ref in self.model.live}, self.folder)


def _noise(chance: random.Random, seed: int) -> Entry:
    return file(random.Random(seed).randbytes(chance.choice(SIZES)))


def _edited(data: bytes, chance: random.Random) -> bytes:
    """Bytes inserted, cut out, or changed here and there so that chunks resemble the old ones."""
    at = chance.randrange(len(data) + 1)
    match chance.randrange(3):
        case 0:
            return data[:at] + chance.randbytes(700) + data[at:]
        case 1:
            return data[:at] + data[at + 500 :] + b"!"
        case _:
            part = bytearray(data + b".")
            for n in range(at, len(part), 900):
                part[n] ^= 1
            return bytes(part)


@pytest.mark.parametrize("kind", BACKENDS)
@searching(2)
@given(steps=STEPS)
def test_nothing_live_is_lost_and_nothing_else_is_left(
    kind: str, steps: list[tuple[str, int]]
) -> None:
    folder = Path(tempfile.mkdtemp(prefix="datacat-test-"))
    history = History(kind, folder)
    try:
        for what, seed in steps:
            history.step(what, seed)
            if what.endswith(("gc", "now")):
                history.check()
        for ref in list(history.model.trash):
            history.people[1].restore([ref])
            history.model.trash.remove(ref)
            history.model.live.append(ref)
        history.check()
        history.step("gc now", 0)
        history.check()
    finally:
        for store in history.people:
            store.close()
        shutil.rmtree(folder, ignore_errors=True)
