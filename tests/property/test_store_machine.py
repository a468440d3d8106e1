"""Two people, some datasets, and any sequence of operations: the store does what the model does.

What must always hold: a version is what was saved, a working copy is what was pulled and edited,
and no edit is ever lost: what a pull replaced lies in the backup.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
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

from datacat.errors import DatacatError
from datacat.model import Change, LinkMode
from datacat.store import Store
from tests.conftest import BACKENDS, make_client, make_store, searching
from tests.property.store_model import Copy, Model, Refusal, expanded
from tests.trees import (
    EMPTY_FOLDER,
    Entry,
    content,
    differences,
    file,
    link,
    parents,
    read_tree,
    without_times,
    write_entry,
    write_tree,
)

ODD = "n\u00e9 [x]\n\x1b*"
PATHS = st.sampled_from(
    [
        "a.txt",
        "b.csv",
        "d",
        "d/x.txt",
        "d/y.csv",
        "d/e",
        "d/e/z.txt",
        "d/e/f/g.csv",
        "k/d/x.txt",
        f"{ODD}/{ODD}",
        "x" * 255,
    ]
)
# Sizes and seeds, not bytes: hypothesis shows strategies in its messages.
CONTENTS = st.sampled_from(
    [(0, 0), (3, 1), (3, 3), (4, 1), (20_000, 1), (300_000, 1), (300_000, 2)]
).map(lambda drawn: content(*drawn))
ENTRIES = st.one_of(
    st.builds(lambda data, x: file(data, executable=x), CONTENTS, st.booleans()),
    CONTENTS.map(file),
    st.sampled_from([link("a.txt"), link("nowhere"), EMPTY_FOLDER]),
)
PATTERNS = st.sampled_from(
    [(), (), (), ("d/",), ("*.csv",), ("/a.txt",), ("d/", "*.csv"), ("d/e/z.txt", "/a.txt")]
)
NAMES = st.sampled_from(["one", "two"])
PEOPLE = st.sampled_from(["alice", "bob"])
ONE_OF = st.integers(0, 50)
MODES = st.sampled_from([LinkMode.COPY, LinkMode.AUTO, LinkMode.HARDLINK, LinkMode.SYMLINK])


def sometimes(chances: int) -> st.SearchStrategy[bool]:
    return st.sampled_from([True, *[False] * (chances - 1)])


class StoreMachine(RuleBasedStateMachine):
    """Each rule asks the model first, then the store, then compares."""

    kind = "posix"

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="datacat-test-"))
        self.model = Model()
        first = make_store(self.kind, self.folder, client=make_client(self.folder, "alice"))
        self.place = Path(first.url) if self.kind == "posix" else None
        self.stores = {
            "alice": first,
            "bob": Store.open(first.url, client=make_client(self.folder, "bob")),
        }
        self.copies: list[tuple[Path, Copy]] = []
        self.expected: dict[Path, dict[str, Entry]] = {}

    @initialize(
        first=st.dictionaries(PATHS, ENTRIES, min_size=2, max_size=6),
        then=st.dictionaries(PATHS, st.none() | ENTRIES, min_size=1, max_size=3),
        patterns=PATTERNS,
        mode=MODES,
    )
    def begin(
        self,
        first: dict[str, Entry],
        then: dict[str, Entry | None],
        patterns: tuple[str, ...],
        mode: LinkMode,
    ) -> None:
        """Two versions, and a copy of the older one: what follows is about them."""
        self.make_folder("alice", first)
        self.add(0, "one", False, False, False, False)
        self.pull_new("bob", 0, patterns, mode)
        folder, _ = self.copies[0]
        for path, entry in then.items():
            self._put(folder, path, entry)
        self._look(folder)
        self.add(0, None, False, False, False, False)

    # Folders, as people treat them

    @rule(person=PEOPLE, tree=st.dictionaries(PATHS, ENTRIES, max_size=6))
    def make_folder(self, person: str, tree: dict[str, Entry]) -> None:
        folder = self._new_folder(person)
        for path, entry in tree.items():
            self._put(folder, path, entry)
        self._look(folder)

    @precondition(lambda self: self.copies)
    @rule(which=ONE_OF, path=PATHS, entry=ENTRIES)
    def edit(self, which: int, path: str, entry: Entry) -> None:
        folder, _ = self._copy(which)
        self._put(folder, path, entry)
        self._look(folder)

    @precondition(lambda self: self.copies)
    @rule(which=ONE_OF, nth=ONE_OF, prune=st.booleans())
    def delete(self, which: int, nth: int, prune: bool) -> None:
        folder, _ = self._copy(which)
        there = sorted(read_tree(folder))
        if there:
            path = folder / there[nth % len(there)]
            path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
            while prune and path.parent != folder and not any(path.parent.iterdir()):
                path = path.parent
                path.rmdir()
        self._look(folder)

    @precondition(lambda self: self.copies)
    @rule(which=ONE_OF, nth=ONE_OF, onto=PATHS)
    def move(self, which: int, nth: int, onto: str) -> None:
        folder, _ = self._copy(which)
        there = read_tree(folder, store=self.place)
        if there:
            path = sorted(there)[nth % len(there)]
            (folder / path).rmdir() if there[path].kind == "dir" else (folder / path).unlink()
            self._put(folder, onto, there[path])
        self._look(folder)

    def _new_folder(self, person: str) -> Path:
        folder = self.folder / f"{person} {len(self.copies)}"
        folder.mkdir()
        self.copies.append((folder, Copy(person)))
        return folder

    def _copy(self, which: int) -> tuple[Path, Copy]:
        return self.copies[which % len(self.copies)]

    def _put(self, folder: Path, path: str, entry: Entry | None) -> None:
        """Put `entry` at `path`, whatever has to go for it; None: nothing."""
        for place in [*reversed(parents(path)), path]:
            there = folder / place
            if there.is_symlink() or there.is_file():
                there.unlink()
            elif there.is_dir() and place == path:
                shutil.rmtree(there)
        if entry is not None:
            write_entry(folder, path, entry)

    def _look(self, folder: Path) -> None:
        self.expected[folder] = without_times(read_tree(folder, store=self.place))

    # The operations

    @precondition(lambda self: self.copies)
    @rule(
        which=ONE_OF,
        name=st.none() | NAMES,
        force=sometimes(3),
        only_here=sometimes(3),
        new_version=sometimes(4),
        new=sometimes(4),
    )
    def add(
        self,
        which: int,
        name: str | None,
        force: bool,
        only_here: bool,
        new_version: bool,
        new: bool,
    ) -> None:
        folder, copy = self._copy(which)
        target = name or copy.name or "one"
        options = {"force": force, "only_here": only_here, "new_version": new_version, "new": new}
        store = self.stores[copy.client]
        wanted: str | tuple[str, int, bool]
        given = name if copy.name == target else target
        try:
            saved = self.model.add(copy, self.expected[folder], target, **options)
            wanted = (saved.name, saved.number, saved.created)
        except Refusal as refusal:
            wanted = refusal.kind
        try:
            result = store.add(folder, name=given, message=str(which), **options)
            found: str | tuple[str, int, bool] = (
                result.version.name,
                result.version.number,
                result.created,
            )
        except DatacatError as error:
            found = error.kind
        assert found == wanted
        self._is_as_expected(folder)
        self._versions_are_as_expected(target)

    @precondition(lambda self: self.model.order)
    @rule(person=PEOPLE, nth=ONE_OF, patterns=PATTERNS, mode=MODES)
    def pull_new(self, person: str, nth: int, patterns: tuple[str, ...], mode: LinkMode) -> None:
        folder = self._new_folder(person)
        self._look(folder)
        name, number = self.model.order[nth % len(self.model.order)]
        self._pull(folder, self.copies[-1][1], name, number, patterns, mode, force=False)

    @precondition(lambda self: self.model.order and self.copies)
    @rule(
        which=ONE_OF,
        nth=st.none() | ONE_OF,
        patterns=PATTERNS,
        mode=MODES,
        force=st.booleans(),
    )
    def pull_into(
        self,
        which: int,
        nth: int | None,
        patterns: tuple[str, ...],
        mode: LinkMode,
        force: bool,
    ) -> None:
        folder, copy = self._copy(which)
        if nth is None:
            name = copy.name or self.model.order[0][0]
            number = self.model.newest(name)
        else:
            name, number = self.model.order[nth % len(self.model.order)]
        self._pull(folder, copy, name, number, patterns, mode, force=force)

    @precondition(lambda self: any(copy.listed for _, copy in self.copies))
    @rule(
        which=ONE_OF,
        nth=ONE_OF,
        path=st.none() | PATHS,
        edit=ENTRIES,
        change=st.none() | ENTRIES,
        back=st.booleans(),
        force=st.booleans(),
        mode=MODES,
    )
    def edit_what_another_version_changes(
        self,
        which: int,
        nth: int,
        path: str | None,
        edit: Entry,
        change: Entry | None,
        back: bool,
        force: bool,
        mode: LinkMode,
    ) -> None:
        """The heart of the matter: my edit is where the pulled version differs."""
        pulled = [(folder, copy) for folder, copy in self.copies if copy.listed]
        folder, copy = pulled[which % len(pulled)]
        assert copy.name is not None
        old, listed = copy.number, sorted(copy.listed)
        path = path or listed[nth % len(listed)]
        if not back:
            # A colleague changes it in the newest version, from a copy of their own.
            other = self._new_folder("bob")
            self._look(other)
            newest = self.model.newest(copy.name)
            self._pull(other, self.copies[-1][1], copy.name, newest, (), mode, force=False)
            self._put(other, path, change)
            self._look(other)
            self.add(len(self.copies) - 1, None, False, False, True, False)
        target = max(1, old - 1) if back else self.model.newest(copy.name)
        self._put(folder, path, edit)
        self._look(folder)
        self._pull(folder, copy, copy.name, target, (), mode, force=force)

    def _pull(
        self,
        folder: Path,
        copy: Copy,
        name: str,
        number: int,
        patterns: tuple[str, ...],
        mode: LinkMode,
        *,
        force: bool,
    ) -> None:
        if self.place is None and mode in (LinkMode.HARDLINK, LinkMode.SYMLINK):
            mode = LinkMode.COPY  # nothing can be linked into memory
        before, listed = self.expected[folder], dict(copy.listed)
        kind = None
        replaced: set[str] = set()
        try:
            self.expected[folder], replaced = self.model.pull(
                copy, before, name, number, patterns, force=force
            )
        except Refusal as refusal:
            kind = refusal.kind
        try:
            self.stores[copy.client].pull(
                f"{name}@v{number}", dest=folder, patterns=patterns, link=mode, force=force
            )
            found = None
        except DatacatError as error:
            found = error.kind
        assert found == kind
        self._is_as_expected(folder)
        self._nothing_is_lost(folder, before, listed, replaced)

    def _nothing_is_lost(
        self, folder: Path, before: dict[str, Entry], listed: dict[str, Entry], replaced: set[str]
    ) -> None:
        """Whatever somebody made and is not in its place any more is in the backup."""
        backup = folder / ".datacat" / "backup"
        kept: dict[str, list[Entry]] = {}
        for stamp in backup.iterdir() if backup.is_dir() else ():
            for path, entry in without_times(read_tree(stamp, store=self.place)).items():
                kept.setdefault(path, []).append(entry)
        after = self.expected[folder]
        for path, entry in before.items():
            edited = entry.kind != "dir" and listed.get(path) != entry
            if path in replaced or (edited and after.get(path) != entry):
                there = [e for p in kept if p == path or p.startswith(path[:200]) for e in kept[p]]
                assert entry in there, f"{path} was edited and is lost"

    # What can be seen

    @precondition(lambda self: self.copies)
    @rule(which=ONE_OF, hash_all=st.booleans())
    def status(self, which: int, hash_all: bool) -> None:
        folder, copy = self._copy(which)
        (entry,) = self.stores[copy.client].status([folder], hash_all=hash_all)
        if copy.name is None:
            assert entry.state == "untracked"
            same = [
                f"{name}@v{number}"
                for name, number in self.model.order
                if self.model.content(name, number) == self.expected[folder]
            ]
            has_files = any(e.kind == "file" for e in self.expected[folder].values())
            assert entry.identical_to == (same[-1] if same and has_files else None)
            return
        changed = differences(copy.listed, self.expected[folder])
        assert plain(entry.changes) == changed
        assert entry.state == ("changed" if changed else "unchanged")
        assert entry.ref == f"{copy.name}@v{copy.number}"
        newest = self.model.newest(copy.name)
        assert entry.newest == f"{copy.name}@v{newest}"
        assert entry.partial == bool(copy.patterns)

    @precondition(lambda self: self.model.order)
    @rule(person=PEOPLE, a=ONE_OF, b=ONE_OF, which=st.none() | ONE_OF)
    def diff(self, person: str, a: int, b: int, which: int | None) -> None:
        one = self.model.order[a % len(self.model.order)]
        old = self.model.content(*one)
        if which is not None and self.copies:
            folder, _ = self._copy(which)
            other, new = str(folder), self.expected[folder]
        else:
            two = self.model.order[b % len(self.model.order)]
            other, new = f"{two[0]}@v{two[1]}", self.model.content(*two)
        found = self.stores[person].diff(f"{one[0]}@v{one[1]}", other, details=False)
        assert plain(found.changes) == differences(old, new)
        sizes = [sum(len(e.content) for e in t.values() if e.kind == "file") for t in (old, new)]
        assert [found.bytes_a, found.bytes_b] == sizes

    def _versions_are_as_expected(self, name: str) -> None:
        count = self.model.newest(name)
        for store in self.stores.values():
            datasets = {d.name: d for d in store.ls().datasets}
            assert datasets.keys() == self.model.versions.keys()
            if count:
                assert datasets[name].latest == f"{name}@v{count}"
                numbers = [version.number for version in store.versions(name)]
                assert numbers == list(range(count, 0, -1))

    def _is_as_expected(self, folder: Path) -> None:
        there = without_times(read_tree(folder, store=self.place))
        assert there == self.expected[folder]

    def teardown(self) -> None:
        """A stranger with an empty cache gets every version, whole."""
        try:
            if sys.exc_info()[0] is not None:
                return  # one failure is told; what follows from it is not
            for folder, _ in self.copies:
                self._is_as_expected(folder)
            carol = Store.open(self.stores["alice"].url, client=make_client(self.folder, "carol"))
            for name, number in self.model.order:
                dest = self.folder / f"carol {name} {number}"
                carol.pull(f"{name}@v{number}", dest=dest)
                assert without_times(read_tree(dest)) == self.model.content(name, number)
            if self.model.order:
                assert [r.ok for r in carol.verify(everything=True)] == [True]
        finally:
            for store in self.stores.values():
                store.close()
            shutil.rmtree(self.folder, ignore_errors=True)


def plain(changes: tuple[Change, ...]) -> dict[str, str]:
    return expanded((c.path, str(c.change), c.old_path) for c in changes)


@pytest.mark.filterwarnings("ignore:Generating overly large repr")
@pytest.mark.parametrize("kind", BACKENDS)
def test_the_store_does_what_the_model_does(kind: str) -> None:
    machine = type(f"{kind.title()}Machine", (StoreMachine,), {"kind": kind})
    run_state_machine_as_test(machine, settings=searching(5, stateful_step_count=11))


def test_write_tree_and_read_tree_agree(tmp_path: Path) -> None:
    """The instruments themselves: what was written is what is read."""
    tree = {"a/b": file(b"1", executable=True, mtime_ns=5), "a/c": EMPTY_FOLDER, "l": link("x\n")}
    assert read_tree(write_tree(tmp_path / "t", tree)) == tree
