"""What pull, add and status register, and what a folder that moved or was copied is taken for."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from datacat import copies
from datacat.catalog.query import CatalogQuery
from datacat.errors import StorageDenied
from datacat.model import Copy, LastPull, LinkMode
from datacat.opened import Client
from datacat.progress import Event, Noted
from datacat.store import Store
from datacat.working_copy import marker

NOON = datetime(2026, 11, 22, 12, 0, 0, 250_000, tzinfo=UTC)


@dataclass
class Clock:
    now: datetime = NOON


@dataclass
class Team:
    """A store with `cmr@v1`, and people who open it."""

    folder: Path
    clock: Clock

    def open(self, user: str = "bob", *, host: str = "hub", activity: bool = True) -> Store:
        client = Client(
            user=user,
            host=host,
            cache_dir=self.folder / f"cache-{user}",
            jobs=2,
            activity=activity,
            now=lambda: self.clock.now,
        )
        return Store.open(str(self.folder / "store"), client=client)

    def copies(self) -> list[Copy]:
        opened = self.open("judge")._opened
        return list(copies.working_copies(opened, CatalogQuery(opened.catalog.sync())))

    def linked(self) -> list[Copy]:
        opened = self.open("judge")._opened
        return list(copies.linked_copies(opened, CatalogQuery(opened.catalog.sync())))

    def said(self) -> list[tuple[str | None, str | None, str]]:
        return sorted((one.user, one.place, one.ref) for one in self.copies())


@pytest.fixture
def team(tmp_path: Path) -> Team:
    made = Team(tmp_path, Clock())
    client = Client(user="alice", host="hub", cache_dir=tmp_path / "cache-alice", activity=False)
    with Store.create(str(tmp_path / "store"), client=client) as store:
        (tmp_path / "cmr").mkdir()
        (tmp_path / "cmr" / "a.txt").write_text("1")
        (tmp_path / "cmr" / "large.bin").write_bytes(os.urandom(300_000))
        store.add(tmp_path / "cmr")
    return made


def test_pull_tells_who_has_which_version_where(team: Team) -> None:
    folder = team.folder / "mine"
    team.open().pull("cmr", dest=folder)
    (copy,) = team.copies()
    assert copy == Copy(
        id=marker.read(folder).id,
        ref="cmr@v1",
        name="cmr",
        version=1,
        user="bob",
        host="hub",
        path=str(folder),
        linked=False,
        partial=False,
        pulled_at=NOON.replace(microsecond=0),
        last_seen=NOON.replace(microsecond=0),
        last_pull=LastPull("cmr@v1", NOON.replace(microsecond=0)),
    )


def test_the_same_copy_stays_one_when_it_moves_on(team: Team) -> None:
    folder = team.folder / "mine"
    team.open().pull("cmr", dest=folder, patterns=["a.txt"])
    assert team.copies()[0].partial
    before = team.copies()[0].id
    (folder / "a.txt").write_text("2")
    team.clock.now += timedelta(hours=1)
    team.open().add(folder)
    (copy,) = team.copies()
    assert (copy.id, copy.ref, copy.pulled_at, copy.partial) == (before, "cmr@v2", None, True)
    team.clock.now += timedelta(hours=1)
    team.open().pull("cmr@v1", dest=folder)
    (copy,) = team.copies()
    assert (copy.id, copy.ref) == (before, "cmr@v1")
    assert copy.pulled_at == team.clock.now.replace(microsecond=0)


def test_looking_at_it_is_noted_once_a_day(team: Team) -> None:
    folder = team.folder / "mine"
    team.open().pull("cmr", dest=folder)
    pulled_at = team.copies()[0].pulled_at
    for hours, seen in ((3, 0), (30, 30), (40, 30), (54, 54)):
        team.clock.now = NOON + timedelta(hours=hours)
        if hours == 54:
            team.open().pull("cmr", dest=folder)
        else:
            team.open().status([folder])
        (copy,) = team.copies()
        assert copy.last_seen == (NOON + timedelta(hours=seen)).replace(microsecond=0)
        assert copy.pulled_at == pulled_at


def test_a_dry_run_registers_nothing(team: Team) -> None:
    team.open().pull("cmr", dest=team.folder / "mine", dry_run=True)
    team.open().add(team.folder / "cmr", dry_run=True)
    assert team.copies() == []


def test_the_folder_that_was_saved_is_one_too(team: Team) -> None:
    team.open("alice").add(team.folder / "cmr")
    assert team.said() == [("alice", f"hub:{team.folder / 'cmr'}", "cmr@v1")]
    assert team.copies()[0].pulled_at is None


def test_a_moved_folder_keeps_its_name(team: Team) -> None:
    team.open().pull("cmr", dest=team.folder / "mine")
    before = team.copies()[0].id
    (team.folder / "mine").rename(team.folder / "moved")
    team.open().status([team.folder / "moved"])
    (copy,) = team.copies()
    assert (copy.id, copy.path) == (before, str(team.folder / "moved"))
    # The same folder, as another machine shows it.
    (team.folder / "elsewhere").symlink_to(team.folder, target_is_directory=True)
    team.open(host="gpu02").status([team.folder / "elsewhere" / "moved"])
    (copy,) = team.copies()
    assert (copy.id, copy.place) == (before, f"gpu02:{team.folder}/elsewhere/moved")


def test_a_copied_folder_does_not_pretend_to_be_the_original(team: Team) -> None:
    team.open().pull("cmr", dest=team.folder / "mine")
    shutil.copytree(team.folder / "mine", team.folder / "copied")
    for _ in range(2):
        team.open().status([team.folder / "copied"])
        assert team.said() == [
            ("bob", f"hub:{team.folder}/copied", "cmr@v1"),
            ("bob", f"hub:{team.folder}/mine", "cmr@v1"),
        ]
    by_path = {copy.path: copy for copy in team.copies()}
    copied, mine = by_path[str(team.folder / "copied")], by_path[str(team.folder / "mine")]
    assert copied.id != mine.id
    assert copied.pulled_at is None, "nobody pulled there"
    # From now on it has an id of its own, also when the original is gone and it moves there.
    (team.folder / "copied" / "a.txt").write_text("2")
    team.open().add(team.folder / "copied")
    assert marker.read(team.folder / "copied").id == copied.id
    assert {copy.id for copy in team.copies()} == {copied.id, mine.id}


def test_somebody_elses_folder_is_left_to_them(team: Team) -> None:
    team.open().pull("cmr", dest=team.folder / "mine")
    team.open("eve").status([team.folder / "mine"])
    team.open("eve").pull("cmr", dest=team.folder / "mine")
    assert team.said() == [("bob", f"hub:{team.folder}/mine", "cmr@v1")]
    (team.folder / "mine" / "a.txt").write_text("2")
    team.open("eve").add(team.folder / "mine")
    assert team.said() == [("eve", f"hub:{team.folder}/mine", "cmr@v2")]


def test_who_opts_out_is_not_registered_and_is_taken_back(team: Team) -> None:
    team.open(activity=False).pull("cmr", dest=team.folder / "hidden")
    assert team.copies() == []
    team.open().pull("cmr", dest=team.folder / "mine")
    assert len(team.copies()) == 1
    team.open(activity=False).status([team.folder / "mine"])
    assert team.copies() == []
    assert list((team.folder / "store" / "copies").iterdir()) == []
    team.open().status([team.folder / "mine"])
    assert len(team.copies()) == 1


def test_links_are_registered_without_who_and_where_by_who_opts_out(team: Team) -> None:
    team.open(activity=False).pull("cmr", dest=team.folder / "links", link=LinkMode.SYMLINK)
    assert team.copies() == []
    (copy,) = team.linked()
    assert (copy.ref, copy.user, copy.host, copy.path) == ("cmr@v1", None, None, None)
    (file,) = (team.folder / "store" / "copies").iterdir()
    assert b"bob" not in file.read_bytes()
    assert str(team.folder).encode() not in file.read_bytes()


def test_links_are_registered_before_there_is_one(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = team.open()
    registered: list[bool] = []
    backend = type(store._opened.backend)
    replace_ = backend.replace

    def watched(self: object, key: str, data: bytes) -> None:
        registered.append((team.folder / "links" / "large.bin").is_symlink())
        replace_(self, key, data)  # type: ignore[arg-type]

    monkeypatch.setattr(backend, "replace", watched)
    assert store.pull("cmr", dest=team.folder / "links", link=LinkMode.SYMLINK).linked == 1
    assert registered == [False]
    assert [copy.path for copy in team.linked()] == [str(team.folder / "links")]


def test_where_it_cannot_be_registered_only_links_are_worth_a_warning(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(self: object, key: str, data: bytes) -> None:
        raise StorageDenied("cannot write to /shared/datacat")

    store = team.open()
    monkeypatch.setattr(type(store._opened.backend), "replace", denied)
    heard: list[Event] = []
    result = store.pull("cmr", dest=team.folder / "mine", listener=heard.append)
    assert result.warnings == ()
    (noted,) = [event for event in heard if isinstance(event, Noted)]
    assert "cannot write to /shared/datacat" in noted.message
    assert store.status([team.folder / "mine"])[0].state == "unchanged"
    assert store.add(team.folder / "mine").created is False
    linked = store.pull("cmr", dest=team.folder / "links", link=LinkMode.SYMLINK)
    assert linked.linked == 1
    (warning,) = linked.warnings
    assert "garbage collection may break them: cannot write to /shared/datacat" in warning
    assert team.copies() == []


@pytest.mark.parametrize("field", ["id", "host", "path", "inode"])
def test_a_marker_that_says_nothing_sensible_harms_nobody(team: Team, field: str) -> None:
    """Markers travel with folders: they may come from anybody, or from an older datacat."""
    folder = team.folder / "mine"
    team.open().pull("cmr", dest=folder)
    (original,) = team.copies()
    odd = {"id": "../../store", "host": "", "path": "\0" * 10, "inode": -1}
    marker.write(folder, replace(marker.read(folder), **{"inode": 0, field: odd[field]}))
    team.open().status([folder])
    assert all(copy.path == str(folder) for copy in team.copies())
    assert sorted(p.name for p in (team.folder / "store").iterdir() if "json" in p.name) == [
        "store.json"
    ]
    same = field == "inode"
    assert (team.copies()[0].id == original.id) is same


def test_a_copy_of_another_store_is_not_registered_here(team: Team, tmp_path: Path) -> None:
    team.open().pull("cmr", dest=team.folder / "mine")
    client = Client(user="bob", host="hub", cache_dir=tmp_path / "cache-bob")
    with Store.create(str(tmp_path / "other"), client=client) as other:
        other.status([team.folder / "mine"])
        assert list((tmp_path / "other" / "copies").iterdir()) == []
