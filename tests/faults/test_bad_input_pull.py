"""Places that are hard to pull to: local edits, strangers' files, links, parts of versions."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from datacat.errors import DatacatError, Failed, NotFound, Refused
from datacat.store import Store
from datacat.working_copy import materialize
from datacat.working_copy.materialize import Destination
from datacat.working_copy.safe_path import FileNames
from tests.faults.situation import client, content, everything, make_store, run, write

V1 = {"same": "s", "changed": "old", "removed": "r", "a/1": "1", "a/2": "2"}
V2 = {"same": "s", "changed": "new", "added": "theirs", "a/1": "1", "a/2": "two"}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = make_store(tmp_path)
    made.add(write(tmp_path / "v1", V1), name="d", message="one")
    made.add(write(tmp_path / "v2", V2), name="d", message="two")
    return made


@pytest.fixture
def copy(store: Store, tmp_path: Path) -> Path:
    """A working copy of the first version."""
    folder = tmp_path / "copy"
    store.pull("d@v1", dest=folder)
    return folder


def texts(folder: Path) -> dict[str, str]:
    return {
        path: found[1].decode()
        for path, found in content(folder).items()
        if isinstance(found, tuple) and isinstance(found[1], bytes)
    }


# Local edits

EDITS = {
    "modified": lambda copy: (copy / "changed").write_text("mine"),
    "modified-what-goes": lambda copy: (copy / "removed").write_text("mine"),
    "added-colliding": lambda copy: (copy / "added").write_text("mine"),
    "folder-in-the-way": lambda copy: write(copy, {"added/mine": "mine"}),
    "made-executable": lambda copy: (copy / "changed").chmod(0o755),
}
HARMLESS = {
    "modified-what-stays": lambda copy: (copy / "same").write_text("mine"),
    "removed": lambda copy: (copy / "changed").unlink(),
    "added-elsewhere": lambda copy: (copy / "notes").write_text("mine"),
}


@pytest.mark.parametrize("name", EDITS)
def test_edits_are_never_overwritten(store: Store, copy: Path, name: str) -> None:
    EDITS[name](copy)
    before, mine = everything(copy), texts(copy)
    with pytest.raises(Refused, match="nothing was touched") as caught:
        store.pull("d@v2", dest=copy)
    assert (caught.value.kind, caught.value.exit_code) == ("local_edits", 6)
    # The commands name this copy, wherever they are run.
    assert f"-d {copy} --force" in caught.value.commands[-1]
    after = everything(copy)
    assert {p: f for p, f in after.items() if ".datacat" not in p} == {
        p: f for p, f in before.items() if ".datacat" not in p
    }
    result = store.pull("d@v2", dest=copy, force=True)
    assert texts(copy) == V2
    assert result.backup is not None
    kept = texts(Path(result.backup))
    assert kept
    for path, text in kept.items():
        assert mine[path] == text
    edited = {path for path in mine if mine[path] != V1.get(path)} or {"changed"}
    assert edited <= set(kept)


@pytest.mark.parametrize("name", HARMLESS)
def test_edits_that_are_not_in_the_way(store: Store, copy: Path, name: str) -> None:
    HARMLESS[name](copy)
    mine = {path: text for path, text in texts(copy).items() if text == "mine"}
    if name == "modified-what-stays":
        # What v2 holds differs from what lies there: that would be overwritten.
        with pytest.raises(Refused):
            store.pull("d@v2", dest=copy)
        return
    result = store.pull("d@v2", dest=copy)
    assert result.backup is None
    assert texts(copy) == {**V2, **mine}


def test_all_edits_at_once(store: Store, copy: Path) -> None:
    for name, edit in EDITS.items():
        if name != "added-colliding":  # a file, where another edit makes a folder
            edit(copy)
    with pytest.raises(Refused):
        store.pull("d@v2", dest=copy)
    result = store.pull("d@v2", dest=copy, force=True)
    assert texts(copy) == V2
    assert texts(Path(str(result.backup))) == {
        "changed": "mine",
        "removed": "mine",
        "added/mine": "mine",
    }
    # A second time has a backup of its own.
    (copy / "same").write_text("again")
    later = store.pull("d@v1", dest=copy, force=True)
    assert texts(copy) == V1
    assert texts(Path(str(result.backup)))["changed"] == "mine"
    kept = "\n".join(texts(copy / ".datacat" / "backup").values())
    assert "again" in kept
    assert later.backup is not None


# Strangers' places


def test_a_folder_with_other_files(store: Store, tmp_path: Path) -> None:
    dest = write(tmp_path / "foreign", {"mine": "m", "changed": "mine"})
    before = everything(dest)
    with pytest.raises(
        Refused, match=r"would be replaced \(changed\); nothing was touched"
    ) as caught:
        store.pull("d@v1", dest=dest)
    assert caught.value.kind == "folder_not_empty"
    (dest / "changed").unlink()
    with pytest.raises(Refused, match=r"it holds 1 other file \(mine\); nothing was touched"):
        store.pull("d@v1", dest=dest)
    (dest / "changed").write_text("mine")
    assert set(everything(dest)) == set(before)
    result = store.pull("d@v1", dest=dest, force=True)
    assert texts(dest) == {**V1, "mine": "m"}
    assert texts(Path(str(result.backup))) == {"changed": "mine"}


def test_a_file_is_in_the_way(store: Store, tmp_path: Path) -> None:
    dest = write(tmp_path, {"file": "x"}) / "file"
    for place in (dest, dest / "below"):
        with pytest.raises(DatacatError) as caught:
            store.pull("d", dest=place)
        assert str(dest) in str(caught.value)
        assert caught.value.exit_code == 1
    with pytest.raises(Failed) as caught:
        store.pull("d", dest=dest, force=True)
    assert dest.read_text() == "x"


def test_a_copy_of_another_dataset(store: Store, tmp_path: Path, copy: Path) -> None:
    store.add(write(tmp_path / "other", {"x": "1"}))
    before = everything(copy)
    for force in (False, True):
        with pytest.raises(Refused, match="is a working copy of d@v1; nothing was touched"):
            store.pull("other", dest=copy, force=force)
    assert everything(copy) == before


@pytest.mark.parametrize("marked", [True, False])
def test_nothing_is_written_through_a_link(store: Store, tmp_path: Path, marked: bool) -> None:
    outside = write(tmp_path / "outside", {"1": "precious", "other": "precious"})
    dest = tmp_path / "dest"
    if marked:
        store.pull("d@v1", dest=dest)
        for path in ("a/1", "a/2"):
            (dest / path).unlink()
        (dest / "a").rmdir()
    else:
        dest.mkdir()
    (dest / "a").symlink_to("../outside")
    before = everything(outside)
    with pytest.raises(Refused, match="nothing was touched"):
        store.pull("d@v2", dest=dest)
    assert (dest / "a").is_symlink()
    result = store.pull("d@v2", dest=dest, force=True)
    assert texts(dest) == V2
    assert not (dest / "a").is_symlink()
    assert (Path(str(result.backup)) / "a").is_symlink()
    assert everything(outside) == before


def test_a_destination_that_is_a_link_to_a_folder(store: Store, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    store.pull("d@v1", dest=tmp_path / "link")
    assert texts(tmp_path / "real") == V1
    assert (tmp_path / "link").is_symlink()
    (tmp_path / "dangling").symlink_to("nowhere")
    with pytest.raises(Failed, match="dangling is in the way"):
        store.pull("d@v1", dest=tmp_path / "dangling")


# Again, interrupted, in part


def test_pull_twice_writes_nothing(store: Store, copy: Path) -> None:
    def files() -> dict[str, object]:
        return {p: f for p, f in everything(copy).items() if not p.endswith(".parquet")}

    before = files()
    again = store.pull("d@v1", dest=copy)
    assert (again.copied, again.removed, again.already) == (0, 0, len(V1))
    assert files() == before


def test_an_interrupted_pull_goes_on(
    store: Store, copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_file = Destination.write_file
    left = [1]

    def stopping(self: Destination, *arguments: object, **more: object) -> object:
        if not left[0]:
            raise KeyboardInterrupt
        left[0] -= 1
        return write_file(self, *arguments, **more)  # type: ignore[arg-type]

    with monkeypatch.context() as patched:
        patched.setattr(Destination, "write_file", stopping)
        with pytest.raises(KeyboardInterrupt):
            store.pull("d@v2", dest=copy)
    # Nobody edited anything: what arrived of v2 is recognised, and is not a local edit.
    store.pull("d@v2", dest=copy)
    assert texts(copy) == V2
    assert os.listdir(copy / ".datacat" / "tmp") == []


def test_parts_and_their_updates(store: Store, tmp_path: Path) -> None:
    part = tmp_path / "part"
    result = store.pull("d@v1", patterns=["a/"], dest=part)
    assert (result.partial, result.files, result.total_files) == (True, 2, len(V1))
    store.pull("d@v1", patterns=["same"], dest=part)
    assert texts(part) == {"a/1": "1", "a/2": "2", "same": "s"}
    store.pull("d@v2", patterns=["same"], dest=part)
    assert texts(part) == {"a/1": "1", "a/2": "two", "same": "s"}
    with pytest.raises(NotFound, match="no file in d@v2 matches 'b/'"):
        store.pull("d@v2", patterns=["b/"], dest=part)
    whole = tmp_path / "whole"
    store.pull("d@v1", dest=whole)
    with pytest.raises(Refused, match="would mix two versions"):
        store.pull("d@v2", patterns=["a/"], dest=whole)
    store.pull("d@v2", dest=part)
    assert texts(part) == V2


def test_add_from_a_part_keeps_the_rest(store: Store, tmp_path: Path) -> None:
    part = tmp_path / "part"
    store.pull("d@v2", patterns=["a/"], dest=part)
    (part / "a/1").unlink()
    write(part, {"a/3": "3", "b/new": "n"})
    result = store.add(part)
    assert result.kept == 3
    paths = {f.path for f in store.files("d")}
    assert paths == {"same", "changed", "added", "a/2", "a/3", "b/new"}
    # A name that only looks free here is one that was not pulled: what lies here wins.
    write(part, {"same": "mine now"})
    store.add(part)
    store.pull("d", dest=tmp_path / "all")
    assert texts(tmp_path / "all")["same"] == "mine now"
    store.add(part, only_here=True)
    assert {f.path for f in store.files("d")} == {"a/2", "a/3", "b/new", "same"}


def test_a_partial_copy_with_nothing_left_in_it(store: Store, tmp_path: Path) -> None:
    part = tmp_path / "part"
    store.pull("d@v2", patterns=["a/"], dest=part)
    for path in ("a/1", "a/2"):
        (part / path).unlink()
    (part / "a").rmdir()
    with pytest.raises(Failed, match="holds nothing to save"):
        store.add(part, only_here=True)
    assert store.add(part).version.files == 3


# Clocks and file systems


def test_a_clock_that_goes_backwards(store: Store, tmp_path: Path, copy: Path) -> None:
    past = datetime(2001, 1, 1, tzinfo=UTC)
    slow = Store.open(
        store.url,
        client=type(client(tmp_path))(
            user="bob", host="h", cache_dir=tmp_path / "bob", jobs=1, now=lambda: past
        ),
    )
    write(copy, V2 | {"bob": "1"})
    with pytest.raises(Refused, match=r"ann saved d@v2"):
        slow.add(copy)
    saved = slow.add(copy, force=True).version
    assert saved.ref == "d@v3"
    assert store.show("d").version.ref == "d@v3"
    ahead = Store.open(
        store.url,
        client=type(client(tmp_path))(
            user="eve",
            host="h",
            cache_dir=tmp_path / "eve",
            jobs=1,
            now=lambda: datetime.now(UTC) + timedelta(days=40_000),
        ),
    )
    write(copy, {"eve": "1"})
    assert ahead.add(copy).version.ref == "d@v4"
    assert [v.number for v in store.versions("d")] == [4, 3, 2, 1]
    done = run("ls", store=Path(store.url), home=tmp_path / "h")
    assert (done.code, done.out.count("d\tv4")) == (0, 1)


def test_a_file_edited_under_its_old_time_and_size(store: Store, copy: Path) -> None:
    status = (copy / "same").stat()
    (copy / "same").write_text("S")
    os.utime(copy / "same", ns=(status.st_atime_ns, status.st_mtime_ns))
    assert [e.state for e in store.status([copy])] == ["changed"]
    with pytest.raises(Refused):
        store.pull("d@v1", dest=copy)


def test_twins_on_a_file_system_that_folds_names(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.add(write(tmp_path / "twins", {"Readme": "1", "README": "2", "x": "3"}))
    store.add(write(tmp_path / "folders", {"Sub/a": "1", "sub/b": "2"}))
    monkeypatch.setattr(materialize, "probe", lambda folder: FileNames(folds_case=True))
    for name in ("twins", "folders"):
        dest = tmp_path / f"{name}-copy"
        with pytest.raises(Refused, match="have the same name on this file system") as caught:
            store.pull(name, dest=dest)
        assert caught.value.kind == "path_twins"
        assert caught.value.hint is not None
        assert not dest.exists()
    store.pull("twins", patterns=["x", "README"], dest=tmp_path / "part")
    assert texts(tmp_path / "part") == {"README": "2", "x": "3"}
