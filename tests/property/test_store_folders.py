"""Sequences that the model search found: folders that are empty, become files, or fill up."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from datacat.errors import Refused
from datacat.store import Store
from tests.trees import EMPTY_FOLDER, Tree, file, link, read_tree, without_times, write_tree

Opener = Callable[..., Store]


def test_an_empty_folder_that_was_deleted_comes_back(store: Opener, tmp_path: Path) -> None:
    tree = {"a": file(b"1"), "empty": EMPTY_FOLDER}
    store().add(write_tree(tmp_path / "source", tree), name="x")
    alice = store()
    alice.pull("x", dest=tmp_path / "copy")
    (tmp_path / "copy" / "empty").rmdir()
    assert alice.status([tmp_path / "copy"])[0].state == "changed"
    alice.pull("x", dest=tmp_path / "copy")
    assert without_times(read_tree(tmp_path / "copy")) == tree


def test_a_pattern_for_a_folder_takes_it_also_when_it_is_empty(
    store: Opener, tmp_path: Path
) -> None:
    tree = {"a": file(b"1"), "labels": EMPTY_FOLDER}
    alice = store()
    alice.add(write_tree(tmp_path / "source", tree), name="x")
    alice.pull("x", patterns=["labels/"], dest=tmp_path / "copy")
    assert read_tree(tmp_path / "copy") == {"labels": EMPTY_FOLDER}


@pytest.mark.parametrize(
    ("whole", "pattern", "local", "expected"),
    [
        # Empty here, though it holds files that were not pulled.
        ({"d/x": file(b"1"), "d/y": file(b"2")}, "/d/x", {"d": EMPTY_FOLDER}, {"d/y"}),
        # Filled here, though it was empty and was not pulled.
        (
            {"a": file(b"1"), "d": EMPTY_FOLDER},
            "/a",
            {"a": file(b"1"), "d/x": file(b"2")},
            {"a", "d/x"},
        ),
    ],
)
def test_a_folder_is_saved_as_empty_only_if_it_is(
    store: Opener, tmp_path: Path, whole: Tree, pattern: str, local: Tree, expected: set[str]
) -> None:
    alice = store()
    alice.add(write_tree(tmp_path / "source", whole), name="x")
    alice.pull("x", patterns=[pattern], dest=tmp_path / "part")
    for path in read_tree(tmp_path / "part"):
        (tmp_path / "part" / path).unlink()
    write_tree(tmp_path / "part", local)
    assert alice.add(tmp_path / "part").version.ref == "x@v2"
    assert {info.path for info in alice.files("x@v2")} == expected
    alice.pull("x@v2", dest=tmp_path / "fresh")
    assert alice.status([tmp_path / "fresh"])[0].changes == ()
    assert not alice.add(tmp_path / "fresh").created


def test_empty_folders_do_not_stop_a_file_of_their_name(store: Opener, tmp_path: Path) -> None:
    alice = store()
    alice.add(write_tree(tmp_path / "one", {"d/e/x": file(b"1"), "a": file(b"1")}), name="x")
    alice.pull("x", dest=tmp_path / "copy")
    (tmp_path / "copy/d/e/x").unlink()
    after = {"d": file(b"2")}
    alice.add(write_tree(tmp_path / "two", after), name="x")
    alice.pull("x", dest=tmp_path / "copy")
    assert without_times(read_tree(tmp_path / "copy")) == after


def test_an_edit_that_gives_way_leaves_no_empty_folder(store: Opener, tmp_path: Path) -> None:
    alice = store()
    alice.add(write_tree(tmp_path / "one", {"d/e/x": file(b"1"), "a": file(b"1")}), name="x")
    alice.pull("x", dest=tmp_path / "copy")
    write_tree(tmp_path / "copy", {"d/e/x": file(b"mine")})
    alice.add(write_tree(tmp_path / "two", {"a": file(b"1")}), name="x")
    with pytest.raises(Refused):
        alice.pull("x@v2", dest=tmp_path / "copy")
    alice.pull("x@v2", dest=tmp_path / "copy", force=True)
    assert without_times(read_tree(tmp_path / "copy")) == {"a": file(b"1")}
    assert alice.status([tmp_path / "copy"])[0].state == "unchanged"
    (kept,) = (tmp_path / "copy/.datacat/backup").glob("*/d/e/x")
    assert kept.read_bytes() == b"mine"


def test_edits_of_one_second_are_all_kept(store: Opener, tmp_path: Path) -> None:
    """Also where one was a file and the next a folder."""
    alice, name, copy = store(), "x" * 255, tmp_path / "copy"
    alice.add(write_tree(tmp_path / "source", {name: file(b"1")}), name="x")
    alice.pull("x", dest=copy)
    edits = [b"mine %d" % number for number in range(8)]
    for number, edit in enumerate(edits):
        if number % 2:
            write_tree(copy, {name: file(edit)})
        else:
            (copy / name).unlink()
            write_tree(copy, {f"{name}/below": file(edit)})
        alice.pull("x", dest=copy, force=True)
    kept = [path for path in (copy / ".datacat/backup").rglob("*") if path.is_file()]
    assert sorted(path.read_bytes() for path in kept) == sorted(edits)


def test_a_copy_that_holds_the_newest_version_follows_it(store: Opener, tmp_path: Path) -> None:
    """Whoever made the same change as somebody else has nothing to reconcile."""
    alice, bob = store(), store("bob")
    alice.add(write_tree(tmp_path / "a", {"x": file(b"1")}), name="x")
    bob.pull("x", dest=tmp_path / "b")
    alice.add(write_tree(tmp_path / "a", {"x": file(b"2")}))
    known = bob.add(write_tree(tmp_path / "b", {"x": file(b"2")}))
    assert (known.created, known.version.ref) == (False, "x@v2")
    assert bob.status([tmp_path / "b"])[0].ref == "x@v2"
    assert bob.add(write_tree(tmp_path / "b", {"x": file(b"3")})).version.ref == "x@v3"


def test_a_copy_that_holds_an_older_version_stays_what_it_was(
    store: Opener, tmp_path: Path
) -> None:
    alice = store()
    for body in (b"1", b"2"):
        alice.add(write_tree(tmp_path / "a", {"x": file(body)}), name="x")
    assert not alice.add(write_tree(tmp_path / "a", {"x": file(b"1")})).created
    assert alice.status([tmp_path / "a"])[0].ref == "x@v2"
    assert alice.add(tmp_path / "a", new_version=True).version.ref == "x@v3"


def test_a_partial_copy_stays_partial_and_never_drops_what_was_not_pulled(
    store: Opener, tmp_path: Path
) -> None:
    alice, bob = store(), store("bob")
    whole = {"a.csv": file(b"1"), "b.csv": file(b"1"), "c.bin": file(b"1")}
    alice.add(write_tree(tmp_path / "whole", whole), name="x")
    bob.pull("x", patterns=["*.csv"], dest=tmp_path / "part")
    for number in (2, 3):
        result = bob.add(write_tree(tmp_path / "part", {"a.csv": file(b"%d" % number)}))
        assert (result.version.number, result.kept) == (number, 1)
        assert {info.path for info in alice.files("x")} == set(whole)
        assert bob.status([tmp_path / "part"])[0].partial
    (tmp_path / "part/b.csv").unlink()
    bob.add(tmp_path / "part")
    assert {info.path for info in alice.files("x@v4")} == {"a.csv", "c.bin"}
    alice.pull("x", dest=tmp_path / "whole")
    alice.add(write_tree(tmp_path / "whole", {"d.bin": file(b"2"), "e.csv": file(b"2")}))
    bob.pull("x", dest=tmp_path / "part", patterns=["*.csv"])
    assert set(read_tree(tmp_path / "part")) == {"a.csv", "e.csv"}
    assert bob.add(tmp_path / "part", only_here=True).version.files == 2
    assert not bob.status([tmp_path / "part"])[0].partial


def test_a_file_that_becomes_an_empty_folder(store: Opener, tmp_path: Path) -> None:
    alice = store()
    alice.add(write_tree(tmp_path / "one", {"k/x": file(b"1"), "l": link("k")}), name="x")
    alice.pull("x", dest=tmp_path / "copy")
    after = {"k/x": EMPTY_FOLDER, "l": EMPTY_FOLDER}
    alice.add(write_tree(tmp_path / "two", after), name="x")
    assert alice.pull("x", dest=tmp_path / "copy").removed == 2
    assert read_tree(tmp_path / "copy") == after
    assert not (tmp_path / "copy/.datacat/backup").exists()
