"""A store that one may only read: all that reads works, all that writes says why not."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from datacat.errors import StorageDenied
from datacat.store import Store
from tests.faults.situation import (
    client,
    content,
    drive,
    everything,
    make_store,
    needs_root,
    nothing_changes,
    remount,
    run,
    write,
)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return write(tmp_path / "cmr", {"a/1": "1", "b": "2" * 300_000, "t.csv": "x\n1\n"})


@pytest.fixture
def read_only(tmp_path: Path, project: Path) -> Iterator[Path]:
    """A store with two versions on a drive that is mounted read-only."""
    with drive(tmp_path / "drive", "16m") as mounted:
        store = Store.create(str(mounted / "store"), client=client(tmp_path / "writer"))
        store.add(project)
        (project / "t.csv").write_text("x\n1\n2\n")
        store.add(project)
        store.close()
        remount(mounted, "ro")
        yield mounted / "store"


@pytest.mark.mounts
@needs_root
def test_reading_from_a_read_only_drive(tmp_path: Path, project: Path, read_only: Path) -> None:
    before = everything(read_only)
    store = Store.open(str(read_only), client=client(tmp_path / "reader", "bob"))
    assert [d.name for d in store.ls().datasets] == ["cmr"]
    assert store.show("cmr", readme=True).version.number == 2
    assert len(list(store.files("cmr@v1"))) == 3
    copy = tmp_path / "copy"
    store.pull("cmr", dest=copy)
    assert content(copy) == content(project)
    assert [e.state for e in store.status([copy])] == ["unchanged"]
    assert store.diff("cmr@v1", "cmr@v2").modified == 1
    assert len(store.log()) == 3
    assert all(result.ok for result in store.verify(everything=True))
    # What is there already need not be written; what would be is told without writing.
    assert store.add(copy).created is False
    write(copy, {"new": os.urandom(1000)})
    assert store.add(copy, dry_run=True).version.ref == "cmr@v3"
    mine = content(copy)
    with pytest.raises(StorageDenied, match=r"cannot write to .*store: .*mounted read-only") as no:
        store.add(copy)
    assert no.value.exit_code == 4
    assert content(copy) == mine
    assert everything(read_only) == before


@pytest.mark.mounts
@needs_root
def test_commands_on_a_read_only_drive(tmp_path: Path, project: Path, read_only: Path) -> None:
    where = {"store": read_only, "home": tmp_path / "h", "cwd": tmp_path}
    for command in (
        f"init {read_only} --yes",
        "pull cmr -d copy",
        "ls",
        "show cmr",
        "log",
        "diff cmr@v1 cmr@v2",
        "status copy",
        "verify --all",
        "ls --files cmr",
    ):
        done = run(*command.split(), **where)
        assert done.code == 0, (command, done)
        assert "read-only" not in done.err
    write(project, {"new": "n"})
    done = run("add", "cmr", **where)
    assert (done.code, done.out) == (4, "")
    assert done.err.startswith(
        f"Error: cannot write to {read_only}: its drive is mounted read-only"
    )


def test_a_store_that_permissions_close(tmp_path: Path, project: Path) -> None:
    store = make_store(tmp_path)
    store.add(project)
    place = Path(store.url)
    folders = [place, *(path for path in place.rglob("*") if path.is_dir())]
    for folder in folders:
        folder.chmod(0o555)
    where = {"store": place, "home": tmp_path / "h", "cwd": tmp_path, "closed": True}
    try:
        with nothing_changes(store=place):
            for command in ("ls", "pull cmr -d copy", "show cmr", "log", "verify --all"):
                assert run(*command.split(), **where).code == 0
            assert content(tmp_path / "copy") == content(project)
            write(project, {"new": "n"})
            for command in ("add cmr", "add copy --name other --new"):
                done = run(*command.split(), **where)
                assert (done.code, done.out) == (4, "")
                assert f"cannot write to {place}" in done.err
        for folder in folders:
            folder.chmod(0o755)
        (place / "catalog" / "log").chmod(0)
        done = run("ls", **where)
        assert done.code == 4
        assert f"cannot read {place}/catalog/log" in done.err
        assert "Ask" in done.err
        place.chmod(0)
        done = run("ls", **where)
        assert (done.code, done.out) == (4, "")
        assert f"cannot read {place}" in done.err
    finally:
        for folder in folders:
            folder.chmod(0o755)
    assert [d.name for d in store.ls().datasets] == ["cmr"]


def test_places_of_ones_own_that_are_closed(tmp_path: Path, project: Path) -> None:
    store = make_store(tmp_path)
    store.add(project)
    closed = tmp_path / "closed"
    closed.mkdir()
    where = {"store": Path(store.url), "home": tmp_path / "h", "cwd": tmp_path, "closed": True}
    for mode in (0o555, 0):
        closed.chmod(mode)
        try:
            for dest in ("closed", "closed/new"):
                done = run("pull", "cmr", "-d", dest, **where)
                assert done.code in {1, 4}
                assert str(closed) in done.err
                assert "permission denied" in done.err
            done = run("ls", XDG_CACHE_HOME=str(closed), **where)
            assert done.code == 4
            assert f"cache folder {closed}" in done.err
            assert "datacat config set cache_dir" in done.err
        finally:
            closed.chmod(0o755)
        assert os.listdir(closed) == []


def test_adding_from_a_read_only_folder(tmp_path: Path, project: Path) -> None:
    """It cannot be marked as a copy; it is saved all the same, and recognised later."""
    store = make_store(tmp_path)
    project.chmod(0o555)
    where = {"store": Path(store.url), "home": tmp_path / "h", "cwd": tmp_path, "closed": True}
    try:
        assert run("add", "cmr", **where).out == "cmr@v1\n"
        assert not (project / ".datacat").exists()
        again = run("add", "cmr", **where)
        assert again.code == 0
        assert "this is exactly cmr@v1" in again.err
    finally:
        project.chmod(0o755)
