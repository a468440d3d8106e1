"""Hundreds of hostile paths: each is refused or arrives as it is, and nothing outside changes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from datacat.errors import Corrupt, DatacatError
from datacat.sql import Workspace
from datacat.store import Store
from datacat.text import printable
from datacat.working_copy.safe_path import check_entries
from tests.conftest import make_client, make_store
from tests.faults.forged import Forger
from tests.faults.hostile_paths import is_safe, paths
from tests.trees import Tree, file, read_tree, without_times, write_tree


def judged(workspace: Workspace) -> str | None:
    """Why the table `t` is refused, if it is."""
    try:
        check_entries(workspace, "t", listing="cmr@v3", error=Corrupt)
    except Corrupt as error:
        if error.kind != "unsafe_path" or printable(error.message) != error.message:
            raise
        return error.message
    return None


def test_each_is_judged_by_the_rule(record_property: Callable[[str, object], None]) -> None:
    known = sorted(set(paths()))
    record_property("hostile paths", len(known))
    assert len(known) > 400
    safe = 0
    with Workspace() as workspace:
        workspace.execute("create table t (path varchar, kind varchar, target varchar)")
        for path in known:
            workspace.execute("delete from t")
            workspace.load("t", [("good", "file", None), (path, "file", None)])
            said = judged(workspace)
            refused = said is not None
            assert refused != is_safe(path), repr(path)
            safe += not refused
    assert min(safe, len(known) - safe) > 100


def test_what_is_allowed_arrives_as_it_is(tmp_path: Path) -> None:
    tree: Tree = {
        f"{number}/{path}": file(b"%d" % number)
        for number, path in enumerate(sorted(set(paths())))
        if is_safe(path) and len(path) < 1000 and ".git" not in path.split("/")  # is ignored
    }
    assert len(tree) > 200
    store = make_store("posix", tmp_path, client=make_client(tmp_path))
    store.add(write_tree(tmp_path / "odd", tree))
    assert {found.path for found in store.files("odd") if found.hash} == tree.keys()
    store.pull("odd", dest=tmp_path / "copy")
    assert without_times(read_tree(tmp_path / "copy")) == tree


FORGED = ("../out", "/{out}", "a/../../out", ".datacat/copy.json", "link/out", "..", "a\0b", "a//b")


def test_a_version_that_leads_elsewhere_is_not_pulled(tmp_path: Path) -> None:
    """Right digests, a valid log: whoever can write to the store put it there."""
    outside = write_tree(tmp_path / "outside", {"out": file(b"mine")})
    store = make_store("posix", tmp_path, client=make_client(tmp_path))
    source = write_tree(tmp_path / "cmr", {"a": file(b"evil"), "b": file(b"2")})
    (source / "link").symlink_to(outside)
    store.add(source)
    forger = Forger(tmp_path / "store")
    original = {
        path: path.read_bytes() for path in (tmp_path / "store").rglob("*") if path.is_file()
    }
    for number, name in enumerate(FORGED):
        path = (
            name.format(out=str(outside / "out")[1:])
            .replace("'", "''")
            .replace("\0", "'||chr(0)||'")
        )
        forger.alter("manifest", 2, f"update t set path = '{path}' where path = 'a'", tree=True)
        dest = outside / f"dest-{number}"
        with pytest.raises(DatacatError):
            reader(tmp_path, number).pull("cmr", dest=dest)
        found = {one for one in outside.rglob("*") if dest not in one.parents} - {dest}
        assert found == {outside / "out"}
        assert (outside / "out").read_bytes() == b"mine"
        for file_, data in original.items():
            forger.put(str(file_.relative_to(tmp_path / "store")), data)
    reader(tmp_path, len(FORGED)).pull("cmr", dest=tmp_path / "good")


def reader(folder: Path, number: int) -> Store:
    """Somebody who has not seen the store yet."""
    return Store.open(str(folder / "store"), client=make_client(folder, f"reader{number}"))
