"""Folders that are hard to save: what add says, and that it then changes nothing."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from datacat.errors import Failed, NotFound, Refused
from datacat.store import Store
from tests.faults.situation import (
    content,
    everything,
    make_store,
    nothing_changes,
    run,
    visible,
    write,
)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return make_store(tmp_path)


def place(store: Store) -> Path:
    return Path(store.url)


def pulled(store: Store, ref: str, folder: Path) -> dict[str, object]:
    store.pull(ref, dest=folder)
    return content(folder)


# What is not there, or may not be read


def test_a_missing_path(store: Store, tmp_path: Path) -> None:
    write(tmp_path / "images", {"a": "1"})
    with nothing_changes(store=place(store)), pytest.raises(NotFound, match="imags does not exist"):
        store.add(tmp_path / "imags")
    done = run("add", "imags", store=place(store), home=tmp_path / "h", cwd=tmp_path)
    assert (done.code, done.out) == (3, "")
    assert f"{tmp_path}/imags does not exist" in done.err
    assert f"Did you mean '{tmp_path}/images'?" in done.err


def test_a_link_to_nothing(store: Store, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("gone")
    with nothing_changes(store=place(store)), pytest.raises(NotFound, match="link to nothing"):
        store.add(tmp_path / "link")


def test_unreadable_files_are_named_and_counted(store: Store, tmp_path: Path) -> None:
    source = write(tmp_path / "many", {f"f{n:02}": f"{n}" for n in range(20)})
    where = {"store": place(store), "home": tmp_path / "h", "cwd": tmp_path, "closed": True}
    (source / "f07").chmod(0)
    with nothing_changes(source, store=place(store)):
        done = run("add", "many", **where)
        assert done.code == 1
        assert done.err == (
            "Error: cannot read f07: permission denied (1 of 20). Nothing was saved.\n"
        )
        for name in ("f03", "f11"):
            (source / name).chmod(0)
        document = run("add", "many", "--json", **where)
        assert '"code": "unreadable"' in document.out
        assert "permission denied (3 of 20). Nothing was saved." in document.out
        assert "(3 of 20)" in run("add", "many", "-n", **where).err
        for name in ("f03", "f11"):
            (source / name).chmod(0o644)
    (source / "f07").chmod(0o644)
    assert run("add", "many", **where).out == "many@v1\n"


def test_a_folder_that_may_not_be_entered(store: Store, tmp_path: Path) -> None:
    source = write(tmp_path / "many", {"a": "1", "closed/b": "2"})
    where = {"store": place(store), "home": tmp_path / "h", "cwd": tmp_path, "closed": True}
    for folder, named in ((source / "closed", "closed"), (source, str(source))):
        folder.chmod(0)
        try:
            for command in ("add", "status"):
                done = run(command, "many", **where)
                assert done.code == 1
                assert f"cannot read {named}: permission denied" in done.err
        finally:
            folder.chmod(0o755)
    assert store.ls().datasets == ()


# Names


@pytest.mark.parametrize(
    ("path", "named"),
    [
        (b"caf\xe9.txt", r"caf\\xe9\.txt"),
        (b"sub/\xff\xfe", r"sub/\\xff\\xfe"),
        (b"caf\xe9/in/f", r"caf\\xe9/in/f"),
    ],
)
def test_names_that_are_not_utf8(store: Store, tmp_path: Path, path: bytes, named: str) -> None:
    source = write(tmp_path / "latin", {"fine": "1"})
    full = os.path.join(os.fsencode(source), path)
    os.makedirs(os.path.dirname(full), exist_ok=True)
    with open(full, "wb") as file:
        file.write(b"x")
    with (
        nothing_changes(source, store=place(store)),
        pytest.raises(Failed, match=named) as caught,
    ):
        store.add(source)
    assert caught.value.kind == "name_not_utf8"
    assert caught.value.commands[0].startswith("convmv -f latin1 -t utf8")


def test_a_link_to_a_name_that_is_not_utf8(store: Store, tmp_path: Path) -> None:
    source = write(tmp_path / "latin", {"fine": "1"})
    os.symlink(b"\xff", os.fsencode(source / "link"))
    with nothing_changes(source, store=place(store)), pytest.raises(Failed, match="link"):
        store.add(source)


def test_a_folder_whose_own_name_is_not_utf8(store: Store, tmp_path: Path) -> None:
    folder = os.path.join(os.fsencode(tmp_path), b"r\xe9p")
    os.mkdir(folder)
    source = write(Path(os.fsdecode(folder)), {"f": "1"})
    store.add(write(tmp_path / "d", {"x": "1"}))
    with nothing_changes(source, store=place(store)):
        for path in (source, source / "f"):
            with pytest.raises(Failed, match=r"r\\xe9p.* is not UTF-8"):
                store.add(path)
        with pytest.raises(Failed, match=r"r\\xe9p/copy is not UTF-8"):
            store.pull("d", dest=source / "copy")
    done = run(b"add", folder, store=place(store), home=tmp_path / "h")
    assert done.code == 1
    assert "is not UTF-8" in done.err


ODD_NAMES = [
    "sp ace",
    " lead",
    "trail ",
    "new\nline",
    "tab\t",
    "ret\rurn",
    "esc\x1b[31mred\x1b]0;t\x07",
    "del\x7f",
    "br[ac]ket",
    "*?",
    "emoji😀",
    "co:lon",
    "quo'te\"",
    "%20#&",
    "back\\slash",
    "-rf",
    "~",
    "$(touch pwned)",
    "`id`",
    "\u202ertl",
    "zero\u200bwidth",
    "con",
    "dot.",
    "...",
    "c" * 255,
    "é" * 127,
    "de\u0301composed",
    "d\u00e9composed",
    "d i r/[x]/y:z",
    "Twin",
    "twin",
]


def test_odd_names_come_back_as_they_were(store: Store, tmp_path: Path) -> None:
    source = write(tmp_path / "odd", {name: name for name in ODD_NAMES})
    assert store.add(source).version.files == len(ODD_NAMES)
    assert pulled(store, "odd", tmp_path / "copy") == content(source)
    assert sorted(f.path for f in store.files("odd")) == sorted(
        ODD_NAMES, key=lambda name: name.encode()
    )
    (status,) = store.status([tmp_path / "copy"])
    assert status.state == "unchanged"
    part = tmp_path / "part"
    store.pull("odd", patterns=["br\\[ac\\]ket", "d i r/"], dest=part)
    assert set(content(part)) == {"br[ac]ket", "d i r", "d i r/[x]", "d i r/[x]/y:z"}
    done = run("ls", "--files", "odd", store=place(store), home=tmp_path / "h")
    assert done.code == 0
    for unsafe in ("\x1b", "\x07", "\x7f", "\r", "\u202e", "\u200b"):
        assert unsafe not in done.out
    assert len(done.out.splitlines()) == len(ODD_NAMES) + 1


# Things that are no files


def test_fifos_sockets_and_devices_are_skipped_and_listed(store: Store, tmp_path: Path) -> None:
    source = write(tmp_path / "mixed", {"file": "1"})
    os.mkfifo(source / "fifo")
    with socket.socket(socket.AF_UNIX) as listening:
        here = os.open(source, os.O_RDONLY)
        listening.bind(f"/proc/self/fd/{here}/socket")
        os.close(here)
    if os.geteuid() == 0:
        os.mknod(source / "device", 0o020600, os.makedev(1, 5))
    special = {name for name in os.listdir(source) if name != "file"}
    done = run("add", "mixed", store=place(store), home=tmp_path / "h", cwd=tmp_path)
    assert (done.code, done.out) == (0, "mixed@v1\n")
    for name in special:
        assert f"{name} (not a file)" in done.err
    assert [f.path for f in store.files("mixed")] == ["file"]
    with nothing_changes(source, store=place(store)):
        for name in special:
            done = run(
                "add", f"mixed/{name}", store=place(store), home=tmp_path / "h", cwd=tmp_path
            )
            assert done.code == 1
            assert "not a file or folder" in done.err


def test_links_are_kept_as_links(store: Store, tmp_path: Path) -> None:
    write(tmp_path / "outside", {"secret": "s"})
    source = write(tmp_path / "links", {"sub/file": "1"})
    for name, target in {
        "loop": "loop",
        "self": ".",
        "up": "..",
        "sub/parent": "..",
        "dangling": "nothing",
        "good": "sub/file",
        "escaping": "../outside/secret",
        "absolute": "/etc/passwd",
    }.items():
        (source / name).symlink_to(target)
    result = store.add(source)
    assert len(result.warnings) == 1
    assert "3 links point outside the folder" in result.warnings[0]
    for name in ("escaping", "absolute", "up"):
        assert name in result.warnings[0]
    assert result.version.bytes == 1
    assert pulled(store, "links", tmp_path / "copy") == content(source)


def test_empty_folders_and_files(store: Store, tmp_path: Path) -> None:
    source = write(tmp_path / "empties", {"a": "", "b/c": "", "b/d": ""})
    (source / "x/y/z").mkdir(parents=True)
    result = store.add(source)
    assert (result.version.files, result.version.bytes) == (3, 0)
    assert pulled(store, "empties", tmp_path / "copy") == content(source)


def test_an_empty_folder_has_nothing_to_save(store: Store, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with nothing_changes(tmp_path / "empty", store=place(store)):
        with pytest.raises(Failed, match="empty holds nothing to save") as caught:
            store.add(tmp_path / "empty")
        assert caught.value.kind == "nothing_to_save"


def test_one_file_and_a_link_to_a_folder(store: Store, tmp_path: Path) -> None:
    source = write(tmp_path / "d", {"labels.csv": "a,b\n"})
    (tmp_path / "link").symlink_to("d")
    assert store.add(source / "labels.csv").version.name == "labels"
    assert set(pulled(store, "labels", tmp_path / "one")) == {"labels.csv"}
    assert set(everything(source)) == {"labels.csv"}
    assert store.add(tmp_path / "link", name="linked", new=True).version.ref == "linked@v1"
    assert (tmp_path / "link").is_symlink()


def test_hard_links_are_stored_once_and_come_back_as_files(store: Store, tmp_path: Path) -> None:
    source = write(tmp_path / "hard", {"a": os.urandom(300_000)})
    os.link(source / "a", source / "b")
    result = store.add(source)
    assert result.version.new_bytes == 300_000
    assert pulled(store, "hard", tmp_path / "copy") == content(source)


# The store, and folders around it


def test_the_store_itself_is_not_added(store: Store, tmp_path: Path) -> None:
    (tmp_path / "by-link").symlink_to(place(store))
    with nothing_changes(store=place(store)):
        for path in (place(store), place(store) / "catalog", place(store) / "store.json"):
            with pytest.raises(Refused, match="inside the store") as caught:
                store.add(path)
            assert caught.value.kind == "inside_store"
        with pytest.raises(Refused, match="inside the store"):
            store.add(tmp_path / "by-link" / "packs")


def test_nothing_is_pulled_into_the_store(store: Store, tmp_path: Path) -> None:
    store.add(write(tmp_path / "d", {"f": "1"}))
    with nothing_changes(store=place(store)):
        for dest in (place(store), place(store) / "packs" / "new"):
            with pytest.raises(Refused, match="inside the store"):
                store.pull("d", dest=dest)


def test_a_store_inside_the_folder_is_skipped_and_listed(tmp_path: Path) -> None:
    project = write(tmp_path / "project", {"data/f": "1"})
    store = make_store(project / "shared")
    result = store.add(project, name="all")
    assert "shared/store (the store)" in result.skipped
    paths = [f.path for f in store.files("all")]
    assert "data/f" in paths
    assert not any(path.startswith("shared/store") for path in paths)
    # Also when the person stands in it and names the store by a relative path.
    done = run(
        "-s", "shared/store", "add", "data", store=Path("-"), home=tmp_path / "h", cwd=project
    )
    assert done.code == 0, done.err


# Sizes and shapes


def test_a_tree_500_folders_deep(store: Store, tmp_path: Path) -> None:
    source = tmp_path / "deep"
    path = "/".join(["d"] * 500) + "/leaf"
    write(source, {path: "x", "e" * 150 + "/" + "f" * 150: "y"})
    store.add(source)
    copy = tmp_path / "copy"
    store.pull("deep", dest=copy)
    assert (copy / path).read_text() == "x"
    assert [e.state for e in store.status([copy])] == ["unchanged"]


def test_50_000_files_in_one_folder(store: Store, tmp_path: Path) -> None:
    source = tmp_path / "crowd"
    source.mkdir()
    here = os.open(source, os.O_RDONLY)
    for n in range(50_000):
        fd = os.open(f"{n}.dcm", os.O_WRONLY | os.O_CREAT, 0o644, dir_fd=here)
        os.write(fd, b"%d" % (n % 1000))
        os.close(fd)
    os.close(here)
    result = store.add(source)
    assert (result.version.files, result.version.new_bytes) == (50_000, 2_890)
    store.pull("crowd", patterns=["7*.dcm"], dest=tmp_path / "copy")
    wanted = [n for n in range(50_000) if str(n).startswith("7")]
    assert len(content(tmp_path / "copy")) == len(wanted)


def test_a_sparse_file(store: Store, tmp_path: Path) -> None:
    source = write(tmp_path / "sparse", {})
    with (source / "disk.img").open("wb") as file:
        file.truncate(64 << 20)
        file.seek(40 << 20)
        file.write(b"data in the middle")
    store.add(source)
    assert pulled(store, "sparse", tmp_path / "copy") == content(source)


@pytest.mark.parametrize("seconds", [-86_400 * 365 * 30, -1, 2**33], ids=lambda s: f"{s}s")
def test_times_before_1970_and_in_the_future(store: Store, tmp_path: Path, seconds: int) -> None:
    source = write(tmp_path / "old", {"f": "1"})
    os.utime(source / "f", ns=(0, seconds * 10**9))
    kept = (source / "f").stat().st_mtime_ns
    store.add(source)
    copy = tmp_path / "copy"
    store.pull("old", dest=copy)
    assert (copy / "f").stat().st_mtime_ns == kept
    assert [e.state for e in store.status([copy])] == ["unchanged"]
    (copy / "f").write_text("2")
    os.utime(copy / "f", ns=(0, seconds * 10**9))
    assert [e.state for e in store.status([copy])] == ["changed"]


def test_failed_adds_leave_no_version(store: Store, tmp_path: Path) -> None:
    before = visible(place(store))
    source = write(tmp_path / "d", {f"f{n}": os.urandom(50_000) for n in range(5)})
    os.mkdir(os.fsencode(source) + b"/\xff")
    for _ in range(3):
        with pytest.raises(Failed):
            store.add(source)
    assert visible(place(store)) == before
    os.rmdir(os.fsencode(source) + b"/\xff")
    assert store.add(source).version.ref == "d@v1"
