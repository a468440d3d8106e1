"""add → ls → pull gives back the same bytes, names, kinds, modes and times, whatever they are."""

from __future__ import annotations

import hashlib
import itertools
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import xxhash
from blake3 import blake3
from hypothesis import given
from hypothesis import strategies as st

from datacat.errors import Failed, Refused
from datacat.model import LinkMode, Parameters
from datacat.store import Store
from tests.conftest import BACKENDS, make_client, make_store, searching
from tests.trees import (
    EMPTY_FOLDER,
    Entry,
    Tree,
    content,
    differences,
    file,
    link,
    parents,
    read_tree,
    without_times,
    write_tree,
)

KIB, MIB = 1024, 1024 * 1024
EDGES = [
    near for size in (16 * KIB, 256 * KIB, MIB, 4 * MIB) for near in (size - 1, size, size + 1)
]
DIGESTS: dict[str, Callable[[bytes], str]] = {
    "blake3": lambda data: blake3(data).hexdigest(),
    "sha256": lambda data: hashlib.sha256(data).hexdigest(),
    "xxh3-128": xxhash.xxh3_128_hexdigest,
}
LINKS = [LinkMode.AUTO, LinkMode.COPY, LinkMode.HARDLINK, LinkMode.SYMLINK]

# What people and programs really call files, and what breaks naive code.
ODD = [
    "a b",
    " leading and trailing ",
    "new\nline",
    "tab\t",
    "\x1b[31mred\x1b[0m",
    "[brackets]*?",
    "{a,b}",
    "'quote\"",
    "back\\slash",
    "%20#?&=",
    "c:d",
    "-rf",
    "...",
    "~",
    "né",
    "ne\u0301",
    "名前",
    "👩‍🔬.png",
    "\u202egnp.exe",
    "CON",
    ".hidden",
    "x" * 255,
    "é" * 127,
    "v1",
    "A",
    "a",
]
LEFT_OUT = {".DS_Store", "Thumbs.db", ".ipynb_checkpoints", "__pycache__", ".git", ".datacatignore"}

NAMES = st.one_of(
    st.sampled_from(ODD),
    st.text(
        st.characters(blacklist_categories=["Cs"], blacklist_characters="/\0"),
        min_size=1,
        max_size=12,
    ),
).filter(
    lambda name: (
        name not in {".", "..", *LEFT_OUT}
        and name.lower() != ".datacat"
        and len(name.encode()) <= 255
    )
)
TIMES = st.one_of(
    st.sampled_from([0, 1, -1, 1_700_000_000_123_456_789, 2**31 * 10**9, 253_402_300_799 * 10**7]),
    st.integers(-(2**31 - 1) * 10**9, 9_000_000_000 * 10**9),
)
SIZES = st.one_of(st.sampled_from([0, 1, 2, 100]), st.sampled_from(EDGES[:6]), st.integers(0, 3000))
FILES = st.builds(
    lambda size, seed, executable, mtime: file(
        content(size, seed), executable=executable, mtime_ns=mtime
    ),
    SIZES,
    st.integers(0, 5),
    st.booleans(),
    TIMES,
)
TARGETS = st.one_of(st.sampled_from(["a", "../x", "/etc/passwd", "no where", "."]), NAMES)
LEAVES = st.one_of(FILES, FILES, FILES, TARGETS.map(link), st.just(EMPTY_FOLDER))
PATHS = st.lists(NAMES, min_size=1, max_size=4).map("/".join)


@st.composite
def trees(draw: st.DrawFn) -> dict[str, Entry]:
    """Up to thirty entries in some folders, with at least one thing to save."""
    found: dict[str, Entry] = {}
    folders = draw(st.lists(PATHS, max_size=3))
    for _ in range(draw(st.integers(1, 30))):
        path = draw(NAMES if not folders else st.one_of(NAMES, PATHS))
        if folders and draw(st.booleans()):
            path = f"{draw(st.sampled_from(folders))}/{path}"
        below = any(other.startswith(f"{path}/") for other in found)
        if not below and not any(folder in found for folder in parents(path)):
            found[path] = draw(LEAVES)
    found.setdefault("only.txt", file(b"x")) if not found else None
    return found


class Place:
    """A store of some kind with folders for its clients."""

    def __init__(self, folder: Path, kind: str, digest: str) -> None:
        self.folder = folder
        self.kind = kind
        self.digest = DIGESTS[digest]
        parameters = Parameters(digest=digest, pack_bytes=MIB)
        self.alice = make_store(
            kind, folder, client=make_client(folder, "alice"), parameters=parameters
        )
        self.bob = Store.open(self.alice.url, client=make_client(folder, "bob"))
        self.local = Path(self.alice.url) if kind == "posix" else None
        self._numbers = itertools.count(1)

    def new(self) -> tuple[str, Path]:
        number = next(self._numbers)
        folder = self.folder / f"folder {number}"
        return f"data-{number}", folder


@contextmanager
def place(kind: str, digest: str) -> Iterator[Place]:
    with TemporaryDirectory(prefix="datacat-test-") as folder:
        yield Place(Path(folder), kind, digest)


def check_round_trip(here: Place, tree: Tree, mode: LinkMode) -> None:
    name, folder = here.new()
    source = write_tree(folder / "source", tree)
    saved = here.alice.add(source, name=name, message="first")
    if here.kind == "memory" and mode in (LinkMode.HARDLINK, LinkMode.SYMLINK):
        with pytest.raises(Refused, match="nothing can be linked"):
            here.bob.pull(saved.version.ref, dest=folder / "pulled", link=mode)
        mode = LinkMode.COPY
    there, meant = read_tree(source), on_disk(tree, source)
    wrong = {path for path, entry in there.items() if meant.get(path) != entry}
    assert not wrong, "the file system did not take this tree"
    check_listing(here, saved.version.ref, tree, created=saved.created)

    pulled = here.bob.pull(saved.version.ref, dest=folder / "pulled", link=mode)
    files = [entry for entry in tree.values() if entry.kind != "dir"]
    assert pulled.files == pulled.copied + pulled.linked == len(files)
    assert pulled.already == pulled.removed == 0
    back = read_tree(folder / "pulled", store=here.local)
    assert differences(tree, back) == {}
    if not pulled.linked and saved.created:  # else it is an older version's, with its times
        assert back == on_disk(tree, source)
    elif mode is LinkMode.HARDLINK:
        check_links_are_read_only(folder / "pulled", here.local)
    if mode in (LinkMode.AUTO, LinkMode.COPY):
        assert pulled.linked == 0
        assert pulled.checked or mode is LinkMode.AUTO

    (entry,) = here.bob.status([folder / "pulled"], hash_all=True)
    assert (entry.state, entry.changes) == ("unchanged", ())
    again = here.bob.pull(saved.version.ref, dest=folder / "pulled", link=mode)
    assert (again.copied, again.linked, again.already) == (0, 0, len(files))
    same = here.bob.add(folder / "pulled", name=f"{name}-copy")
    assert not same.created
    assert same.version.hash == saved.version.hash
    shutil.rmtree(folder)


def on_disk(tree: Tree, source: Path) -> dict[str, Entry]:
    """The tree with the times that the test did not choose."""
    there = read_tree(source)
    return {path: there[path] if entry.mtime_ns is None else entry for path, entry in tree.items()}


def check_listing(here: Place, ref: str, tree: Tree, *, created: bool) -> None:
    listed = {info.path: info for info in here.bob.files(ref)}
    assert list(listed) == sorted(tree, key=lambda path: path.encode())
    for path, entry in tree.items():
        info = listed[path]
        assert info.kind == entry.kind
        if entry.kind == "file":
            assert info.bytes == len(entry.content)
            assert info.hash == here.digest(entry.content)
    if created:
        (dataset,) = here.bob.ls(ref.partition("@")[0]).datasets[:1]
        assert dataset.files == sum(entry.kind != "dir" for entry in tree.values())
        assert dataset.bytes == sum(
            len(entry.content) for entry in tree.values() if entry.kind == "file"
        )


def check_links_are_read_only(folder: Path, store: Path | None) -> None:
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink() and path.stat().st_nlink > 1:
            assert path.stat().st_mode & 0o777 == 0o444
            assert store is not None


@pytest.mark.filterwarnings("ignore:Generating overly large repr")
@pytest.mark.parametrize("digest", DIGESTS)
@pytest.mark.parametrize("kind", BACKENDS)
def test_any_tree_comes_back(kind: str, digest: str) -> None:
    with place(kind, digest) as here:

        @searching(3)
        @given(trees(), st.sampled_from(LINKS))
        def check(tree: Tree, mode: LinkMode) -> None:
            check_round_trip(here, tree, mode)

        check()
        (result,) = here.alice.verify(everything=True)
        assert result.ok


def sizes_tree() -> dict[str, Entry]:
    """Every size at which something changes, each as noise and as text, some of them twice."""
    tree = {
        f"edges/{size}-{seed}.bin": file(content(size, seed), mtime_ns=size * 10**9 + seed)
        for size in [0, 1, *EDGES]
        for seed in (1, 2)
    }
    tree["large.bin"] = file(content(16 * MIB + 3, 1), executable=True)
    for original in ("edges/0-1.bin", "edges/262145-1.bin", "edges/4194305-2.bin"):
        tree[f"twice/{original}"] = tree[original]
    # One byte apart: the digest must tell them apart, and so must whoever compares.
    flipped = bytearray(content(4 * MIB + 1, 1))
    flipped[3 * MIB] ^= 1
    tree["edges/flipped.bin"] = file(bytes(flipped))
    return tree


@pytest.mark.parametrize("mode", LINKS)
@pytest.mark.parametrize("kind", BACKENDS)
def test_every_size_comes_back(kind: str, mode: LinkMode) -> None:
    with place(kind, "blake3") as here:
        check_round_trip(here, sizes_tree(), mode)


@pytest.mark.parametrize("kind", BACKENDS)
def test_many_small_files_come_back(kind: str) -> None:
    tree = {
        f"{n % 7}/{n % 13}/{n} {'é' * (n % 5)}": file(b"%d" % (n % 2000), mtime_ns=n * 10**9 + n)
        for n in range(3_000)
    }
    with place(kind, "blake3") as here:
        check_round_trip(here, tree, LinkMode.COPY)
        assert here.alice.ls().stored_bytes < 100_000


def test_the_same_content_is_stored_once(tmp_path: Path) -> None:
    with place("posix", "blake3") as here:
        assert here.local is not None
        body = content(5 * MIB, 1)
        tree = {f"copy {n}/x.bin": file(body) for n in range(5)} | {
            f"small {n}": file(body[:1000]) for n in range(5)
        }
        here.alice.add(write_tree(tmp_path / "one", tree), name="one")
        moved = {f"moved/{path}": entry for path, entry in tree.items()}
        result = here.bob.add(write_tree(tmp_path / "two", moved), name="two", new=True)
        assert result.version.new_bytes == result.version.stored_bytes == 0
        whole = [path for path in (here.local / "whole").rglob("*") if path.is_file()]
        assert [path.stat().st_size for path in whole] == [5 * MIB]
        assert here.alice.ls().stored_bytes < 6 * MIB


def test_names_that_are_not_utf8_are_refused(tmp_path: Path) -> None:
    with place("posix", "blake3") as here:
        folder = write_tree(tmp_path / "latin", {"good": file(b"1")})
        Path(os.fsdecode(os.fsencode(folder) + b"/caf\xe9")).write_bytes(b"2")
        with pytest.raises(Failed) as caught:
            here.alice.add(folder)
        assert caught.value.kind == "name_not_utf8"
        assert here.bob.ls().datasets == ()
        assert without_times(read_tree(folder)).keys() == {"good", "caf\udce9"}
