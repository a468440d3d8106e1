"""Adopting a group of copies: what is replaced, what is left alone, and the way back."""

from __future__ import annotations

import os
import shutil
import stat
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from datacat.catalog.query import CatalogQuery
from datacat.copies import linked_copies
from datacat.errors import DatacatError, Failed, InvalidInput, NotFound
from datacat.model import Adoption, LinkMode, Parameters
from datacat.progress import Event, Started
from datacat.scan import exchange
from datacat.store import Store
from tests.conftest import make_client, make_store
from tests.trees import content

SMALL = 1000
SIZE = 5000
FILES = 6


@pytest.fixture
def store(tmp_path: Path) -> Store:
    parameters = Parameters(small_bytes=SMALL)
    return make_store("posix", tmp_path, client=make_client(tmp_path), parameters=parameters)


@pytest.fixture
def drive(tmp_path: Path) -> Path:
    """`a/cmr`, the same in `b/cmr`, and nearly in `c/cmr`; one file is small."""
    drive = tmp_path / "drive"
    for number in range(FILES):
        path = drive / f"a/cmr/sub-{number}/sax.bin"
        path.parent.mkdir(parents=True)
        path.write_bytes(content(SIZE, number))
    (drive / "a/cmr/labels.csv").write_bytes(content(SMALL // 2, 99))
    for other in ("b", "c"):
        shutil.copytree(drive / "a", drive / other)
    for name in ("a", "b", "c"):
        (drive / name / "whose").write_text(name)
    edited = drive / "c/cmr/sub-1/sax.bin"
    edited.write_bytes(content(SIZE, 77))
    os.chmod(drive / "b/cmr/sub-2/sax.bin", 0o640)
    os.utime(drive / "b/cmr/sub-2/sax.bin", ns=(1, 1_600_000_000_123_456_789))
    return drive


def contents(drive: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(drive)): path.read_bytes()
        for path in sorted(drive.rglob("*"))
        if path.is_file() and ".datacat" not in path.parts
    }


def adopted(store: Store, drive: Path, **options: object) -> Adoption:
    group = str(drive / "b/cmr") if "group" not in options else str(options.pop("group"))
    options.setdefault("execute", True)
    options.setdefault("undo_file", drive.parent / "undo.jsonl")
    return store.adopt(group, [drive], **options)  # type: ignore[arg-type]


def test_a_dry_run_changes_nothing(store: Store, drive: Path, tmp_path: Path) -> None:
    before = {path: (path.lstat().st_ctime_ns, path.lstat().st_ino) for path in drive.rglob("*")}
    plan = adopted(store, drive, execute=False)
    assert (plan.ref, plan.created, plan.dry_run, plan.undo) == ("cmr@v1", True, True, None)
    assert (plan.files, plan.kept_total) == (2 * FILES + 1, 2)
    assert plan.hardlinked + plan.symlinked + plan.reflinked == 2 * FILES - 1
    assert plan.freed_bytes == (2 * FILES - 1) * SIZE
    assert before == {p: (p.lstat().st_ctime_ns, p.lstat().st_ino) for p in drive.rglob("*")}
    assert store.ls().datasets == ()
    assert not (tmp_path / "undo.jsonl").exists()


@pytest.mark.parametrize("link", [LinkMode.HARDLINK, LinkMode.SYMLINK])
def test_links_hold_the_same_and_can_be_undone(store: Store, drive: Path, link: LinkMode) -> None:
    before = contents(drive)
    was = (drive / "b/cmr/sub-2/sax.bin").stat()
    done = adopted(store, drive, link=link)
    assert (done.hardlinked, done.symlinked)[link is LinkMode.SYMLINK] == 2 * FILES - 1
    assert {Path(kept.path).name for kept in done.kept} == {"labels.csv"}
    assert contents(drive) == before
    for number in range(FILES):
        replaced = drive / f"b/cmr/sub-{number}/sax.bin"
        assert replaced.is_symlink() == (link is LinkMode.SYMLINK)
        assert not replaced.stat().st_mode & 0o222
        assert (drive / f"a/cmr/sub-{number}/sax.bin").stat().st_nlink == 1
    assert (drive / "c/cmr/sub-1/sax.bin").stat().st_nlink == 1
    query = CatalogQuery(store._opened.catalog.sync())
    held = [copy.ref for copy in linked_copies(store._opened, query)]
    assert held == (["cmr@v1"] if link is LinkMode.SYMLINK else [])
    assert store.status([drive / "a/cmr"])[0].state == "unchanged"
    undone = store.undo_adopt(str(done.undo))
    assert (undone.restored, undone.own, undone.kept_total) == (2 * FILES - 1, 2, 0)
    assert contents(drive) == before
    now = (drive / "b/cmr/sub-2/sax.bin").lstat()
    assert stat.S_ISREG(now.st_mode)
    assert (now.st_mode, now.st_mtime_ns, now.st_nlink) == (was.st_mode, was.st_mtime_ns, 1)
    assert linked_copies(store._opened, query) == ()
    assert store.undo_adopt(str(done.undo)).restored == 0
    assert store.verify(everything=True)[0].ok


def during(monkeypatch: pytest.MonkeyPatch, change: Callable[[], None]) -> Callable[[Event], None]:
    """A listener that does something just before files are replaced."""

    def listen(event: Event) -> None:
        if isinstance(event, Started) and event.phase == "Replacing":
            change()

    return listen


def test_what_is_not_what_was_scanned_is_left_alone_and_named(
    store: Store, drive: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    paths = [drive / f"b/cmr/sub-{number}/sax.bin" for number in range(FILES)]
    os.chmod(paths[3], 0o755)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_bytes(b"precious")
    writer = paths[2].open("r+b")

    def change() -> None:
        was = paths[0].stat()
        paths[0].write_bytes(content(SIZE, 55))
        os.utime(paths[0], ns=(was.st_atime_ns, was.st_mtime_ns))
        paths[1].unlink()
        paths[1].symlink_to(elsewhere)
        paths[4].unlink()
        os.link(paths[5], paths[5].with_name("other name"))

    with writer:
        before = contents(drive / "c")
        done = adopted(store, drive, listener=during(monkeypatch, change))
    reasons = {Path(k.path).parent.name: k.reason for k in done.kept if "/b/" in k.path}
    assert reasons["sub-0"] == "changed since the scan"
    assert "symbolic link" in reasons["sub-1"]
    assert reasons["sub-2"] == "is open for writing"
    assert "executable" in reasons["sub-3"]
    assert "no such file" in reasons["sub-4"]
    assert reasons["sub-5"] in ("changed since the scan", "has other names (hard links)")
    assert done.hardlinked == FILES - 1
    assert paths[0].read_bytes() == content(SIZE, 55)
    assert elsewhere.read_bytes() == b"precious"
    assert contents(drive / "c") == before


def test_files_that_only_seem_the_same_are_left_alone(
    store: Store, drive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if somebody had made two files with one XXH3."""
    import datacat.scan.reading as reading

    monkeypatch.setattr(reading.xxhash, "xxh3_128_digest", lambda data: bytes(16))
    for number, name in enumerate(("x.bin", "y.bin")):
        (drive / name).write_bytes(content(7000, number))
    done = adopted(store, drive, group=drive / "y.bin", files_only=True, name="forged")
    monkeypatch.undo()
    assert (done.hardlinked, done.kept_total) == (0, 1)
    assert "holds something else" in done.kept[0].reason
    assert (drive / "y.bin").read_bytes() == content(7000, 1)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="leases are Linux's")
def test_a_writer_that_comes_at_the_last_moment_loses_nothing(
    store: Store, drive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the last look at a file and before it is replaced, somebody opens it."""
    late = drive / "b/cmr/sub-4/sax.bin"

    def write() -> None:
        with late.open("r+b", buffering=0) as file:
            file.write(b"too late?")

    writer = threading.Thread(target=write)
    look_again = exchange._Exchange._look_again

    def looked(self: exchange._Exchange) -> None:
        look_again(self)
        if self.target.path == os.fsencode(late):
            writer.start()
            while writer.is_alive() and not exchange._is_wanted(self.fd):
                os.sched_yield()

    monkeypatch.setattr(exchange._Exchange, "_look_again", looked)
    done = adopted(store, drive)
    writer.join()
    assert late.read_bytes() == b"too late?" + content(SIZE, 4)[9:]
    reasons = {kept.path: kept.reason for kept in done.kept}
    assert reasons[str(late)] == "is being opened for writing"
    assert done.hardlinked == 2 * FILES - 2
    assert not list(drive.rglob(".datacat-*"))


def test_loose_files_can_be_adopted(store: Store, drive: Path) -> None:
    for name in ("x.bin", "y.bin", "z.bin"):
        (drive / name).write_bytes(content(SIZE, 500))
    done = adopted(store, drive, group=drive / "y.bin", name="loose")
    assert (done.ref, done.hardlinked, done.files) == ("loose@v1", 2, 2)
    assert (drive / "x.bin").stat().st_nlink == 1
    assert (drive / "z.bin").read_bytes() == content(SIZE, 500)


def test_a_known_version_is_not_saved_again(store: Store, drive: Path) -> None:
    store.add(drive / "c/cmr", name="other")
    store.add(drive / "b/cmr", name="known")
    done = adopted(store, drive)
    assert (done.ref, done.created, done.stored_bytes) == ("known@v1", False, 0)


def test_an_undo_file_is_never_overwritten(store: Store, drive: Path, tmp_path: Path) -> None:
    (tmp_path / "undo.jsonl").write_text("precious")
    with pytest.raises(Failed) as caught:
        adopted(store, drive)
    assert caught.value.kind == "write_failed"
    assert (tmp_path / "undo.jsonl").read_text() == "precious"
    assert (drive / "b/cmr/sub-2/sax.bin").stat().st_nlink == 1


def test_links_into_a_store_that_is_named_by_a_relative_path(
    drive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    parameters = Parameters(small_bytes=SMALL)
    client = make_client(tmp_path)
    before = contents(drive)
    with Store.create("near", client=client, parameters=parameters) as store:
        done = adopted(store, drive, link=LinkMode.SYMLINK)
        monkeypatch.chdir(drive)
        assert done.symlinked == 2 * FILES - 1
        assert contents(drive) == before
    with Store.open(str(tmp_path / "near"), client=client) as store:
        assert store.undo_adopt(str(tmp_path / "undo.jsonl")).restored == 2 * FILES - 1


def test_undo_leaves_alone_what_is_something_else_by_now(store: Store, drive: Path) -> None:
    done = adopted(store, drive, link=LinkMode.SYMLINK)
    changed, moved = drive / "b/cmr/sub-0/sax.bin", drive / "b/cmr/sub-1/sax.bin"
    changed.unlink()
    changed.write_bytes(b"mine")
    moved.unlink()
    undone = store.undo_adopt(str(done.undo))
    assert [Path(kept.path).parent.name for kept in undone.kept] == ["sub-1"]
    assert changed.read_bytes() == b"mine"
    assert undone.restored == 2 * FILES - 3


@pytest.mark.parametrize("text", ["", "{}", "not json\n", '{"datacat_undo":1,"store":3}\n'])
def test_a_file_that_is_no_undo_file(store: Store, tmp_path: Path, text: str) -> None:
    (tmp_path / "odd").write_text(text)
    with pytest.raises(InvalidInput) as caught:
        store.undo_adopt(tmp_path / "odd")
    assert caught.value.kind == "bad_undo_file"


@pytest.mark.parametrize(
    ("group", "kind", "error"),
    [("0000000", "group_not_found", NotFound), ("zz", "group_not_found", NotFound)],
)
def test_an_unknown_group(
    store: Store, drive: Path, group: str, kind: str, error: type[DatacatError]
) -> None:
    with pytest.raises(error) as caught:
        adopted(store, drive, group=group)
    assert caught.value.kind == kind


def test_names_that_are_no_text_are_replaced_and_brought_back(store: Store, drive: Path) -> None:
    odd = os.fsdecode(b"\xe9\n.bin")
    for name in ("a.bin", odd):
        (drive / name).write_bytes(content(SIZE, 600))
    done = adopted(store, drive, group=drive / "a.bin", name="odd")
    assert done.hardlinked == 1
    assert (drive / odd).stat().st_nlink == 2
    assert store.undo_adopt(str(done.undo)).restored == 1
    assert (drive / odd).stat().st_nlink == 1
