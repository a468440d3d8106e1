"""Registering, taking back, and reading what the team registered: over both backends."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from datacat import copies, layout
from datacat.backend import Backend, Stat
from datacat.backend.memory import MemoryBackend
from datacat.catalog.query import CatalogQuery
from datacat.copies import Registration, reading
from datacat.copies.registration import encode
from datacat.errors import StorageDenied, StorageFull, StorageMissing
from datacat.opened import Client, OpenedStore, assemble
from datacat.store import Store

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


@dataclass
class Watched(MemoryBackend):
    """A backend in memory that counts, and fails when told to."""

    reads: list[str] = field(default_factory=list)
    writes: list[str] = field(default_factory=list)
    failing: dict[str, Exception] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__init__("watched")

    def read(self, key: str, *, limit_bytes: int | None = None) -> bytes:
        if key.startswith(layout.COPIES):
            self.reads.append(key)
            if key in self.failing:
                raise self.failing[key]
        return super().read(key, limit_bytes=limit_bytes)

    def replace(self, key: str, data: bytes) -> None:
        if "replace" in self.failing:
            raise self.failing["replace"]
        self.writes.append(key)
        super().replace(key, data)


@pytest.fixture
def backend() -> Watched:
    return Watched()


@pytest.fixture
def opened(backend: Watched, tmp_path: Path) -> Callable[..., OpenedStore]:
    """`opened("bob")`: a store with `cmr` and `labels`, as somebody opened it."""
    from datacat.create import create_store
    from datacat.model import LinkMode, Parameters

    def client(user: str) -> Client:
        return Client(user=user, host="hub", cache_dir=tmp_path / user, jobs=2)

    create_store(
        backend,
        client=client("alice"),
        name="lab",
        description="",
        group=None,
        parameters=Parameters(),
        link=LinkMode.COPY,
        shared=True,
        trash_days=30,
    )
    with Store.on(backend, client=replace(client("alice"), activity=False)) as store:
        for name in ("cmr", "labels"):
            (tmp_path / name).mkdir()
            (tmp_path / name / "a.txt").write_text(name)
            store.add(tmp_path / name)

    def make(user: str = "bob") -> OpenedStore:
        return assemble(backend, client=client(user))

    return make


def query(store: OpenedStore) -> CatalogQuery:
    return CatalogQuery(store.catalog.sync())


def register(store: OpenedStore, of: Registration) -> None:
    copies.register(store, of, folder=of.path)


def copy(number: int = 1, **more: object) -> Registration:
    values = {
        "id": f"{number:032x}",
        "name": "cmr",
        "version": 1,
        "linked": False,
        "partial": False,
        "user": "bob",
        "host": "hub",
        "path": f"/home/bob/{number}",
        "pulled_at": NOON,
        "last_seen": NOON,
        **more,
    }
    return Registration(**values)  # type: ignore[arg-type]


def seen(store: OpenedStore) -> list[tuple[str | None, str]]:
    return [(found.path, found.ref) for found in copies.working_copies(store, query(store))]


def test_who_has_what_those_seen_last_first(opened: Callable[..., OpenedStore]) -> None:
    bob, chen = opened("bob"), opened("chen")
    register(bob, copy(1, last_seen=NOON - timedelta(days=2)))
    register(bob, copy(2, name="labels"))
    register(chen, copy(3, user="chen", last_seen=NOON + timedelta(hours=1)))
    for store in (bob, chen, opened("dana")):
        assert seen(store) == [
            ("/home/bob/3", "cmr@v1"),
            ("/home/bob/2", "labels@v1"),
            ("/home/bob/1", "cmr@v1"),
        ]
    found = copies.working_copies(bob, query(bob))[0]
    assert (found.user, found.host, found.version, found.place) == (
        "chen",
        "hub",
        1,
        "hub:/home/bob/3",
    )


def test_once_a_day_unless_it_changed(backend: Watched, opened: Callable[..., OpenedStore]) -> None:
    store = opened()
    for hours, change, written in (
        (0, {}, 1),
        (0, {}, 1),
        (23, {}, 1),
        (24, {}, 2),
        (25, {"version": 2}, 3),
        (25, {"linked": True}, 4),
        (25, {"linked": True}, 4),
        (-48, {"linked": True}, 5),  # the clock was put right
    ):
        moved = NOON + timedelta(hours=hours)
        register(store, copy(1, last_seen=moved, **change))
        assert len(backend.writes) == written, (hours, change)


def test_without_a_cache_it_is_written_again(
    backend: Watched, opened: Callable[..., OpenedStore], tmp_path: Path
) -> None:
    store = opened()
    (tmp_path / "bob").write_text("in the way of the cache")
    register(store, copy(1))
    register(store, copy(1))
    assert len(backend.writes) == 2


def test_a_folder_that_was_made_anew_is_there_once(
    backend: Watched, opened: Callable[..., OpenedStore]
) -> None:
    bob = opened("bob")
    register(bob, copy(1, path="/home/bob/cmr"))
    register(bob, copy(2, path="/home/bob/cmr", last_seen=NOON + timedelta(days=1)))
    assert [stat.key for stat in backend.keys(layout.COPIES)] == [layout.copy(f"{2:032x}")]
    # From another machine, or with the cache lost, the old one stays; readers do not show it.
    backend.replace(layout.copy(f"{3:032x}"), encode(copy(3, path="/home/bob/cmr", version=9)))
    assert seen(bob) == [("/home/bob/cmr", "cmr@v1")]


def test_taking_back_removes_one_only(backend: Watched, opened: Callable[..., OpenedStore]) -> None:
    store = opened()
    register(store, copy(1))
    register(store, copy(2))
    assert copies.is_remembered(store, copy(1).id)
    copies.withdraw(store, copy(1).id)
    copies.withdraw(store, copy(1).id)
    assert seen(store) == [("/home/bob/2", "cmr@v1")]
    assert not copies.is_remembered(store, copy(1).id)
    register(store, copy(1))
    assert len(seen(store)) == 2


def test_only_what_changed_is_read_again(
    backend: Watched, opened: Callable[..., OpenedStore]
) -> None:
    store = opened()
    for number in range(20):
        register(store, copy(number))
    backend.replace("copies/note.txt", b"not a registration")
    backend.replace(layout.copy("f" * 32), b"damaged")
    assert len(seen(store)) == 20
    assert len(backend.reads) == 21
    assert len(seen(store)) == 20
    assert len(backend.reads) == 21, "also the damaged one is known"
    register(store, copy(3, version=2, last_seen=NOON + timedelta(days=1)))
    assert seen(store)[0] == ("/home/bob/3", "cmr@v2")
    assert len(backend.reads) == 22


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'[["a",1,2,{}]]', b"[[1,1,1,null]]", b"\xff"]
)
def test_a_damaged_cache_is_read_over(opened: Callable[..., OpenedStore], content: bytes) -> None:
    store = opened()
    register(store, copy(1))
    (store.cache / "copies.json").write_bytes(content)
    assert seen(store) == [("/home/bob/1", "cmr@v1")]
    assert seen(store) == [("/home/bob/1", "cmr@v1")]


def test_names_are_those_of_today_and_unknown_ones_are_left_out(
    opened: Callable[..., OpenedStore],
) -> None:
    store = opened()
    register(store, copy(1, name="nothing-here"))
    register(store, copy(2, version=77))
    assert seen(store) == [("/home/bob/2", "cmr@v77")]


def test_what_cannot_be_read_is_no_reason_to_fail(
    backend: Watched, opened: Callable[..., OpenedStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    store = opened()
    for number in (1, 2, 3):
        register(store, copy(number, linked=True))
    backend.failing[copy(1).key] = StorageDenied("no")
    backend.failing[copy(2).key] = StorageMissing("removed meanwhile")
    assert seen(store) == [("/home/bob/3", "cmr@v1")]
    backend.failing.clear()
    assert len(seen(store)) == 3, "a failure is not remembered"

    def denied(prefix: str, *, after: str = "") -> list[Stat]:
        raise StorageDenied("no")

    monkeypatch.setattr(backend, "keys", denied)
    assert seen(store) == []
    with pytest.raises(StorageDenied):
        copies.linked_copies(store, query(store))


def test_links_are_all_there_or_it_fails(
    backend: Watched, opened: Callable[..., OpenedStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Garbage collection relies on it: no limit, no cache, no silence."""
    store = opened()
    monkeypatch.setattr(reading, "COPIES_MAX", 2)
    for number in range(1, 6):
        register(store, copy(number, linked=number != 5))
    hidden = copy(6, linked=True, user=None, host=None, path=None, pulled_at=None)
    register(store, hidden)
    backend.replace(layout.copy("e" * 32), b"damaged")
    # Two that claim the same folder are both kept: one of them may be a lie.
    backend.replace(copy(7).key, encode(copy(7, path="/home/bob/1", linked=True, version=2)))
    assert seen(store) == [("/home/bob/1", "cmr@v2")]
    for _ in range(2):
        found = copies.linked_copies(store, query(store))
        assert sorted((one.ref, one.path or "") for one in found) == [
            ("cmr@v1", ""),
            *[("cmr@v1", f"/home/bob/{number}") for number in (1, 2, 3, 4)],
            ("cmr@v2", "/home/bob/1"),
        ]
    assert "" not in {path for path, _ in seen(store)}, "who does not share it is not shown"
    backend.failing[copy(2).key] = StorageDenied("no")
    with pytest.raises(StorageDenied):
        copies.linked_copies(store, query(store))
    backend.failing[copy(2).key] = StorageMissing("removed meanwhile")
    assert len(copies.linked_copies(store, query(store))) == 5


def test_very_many_are_bounded(
    backend: Watched, opened: Callable[..., OpenedStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    store = opened()
    monkeypatch.setattr(reading, "COPIES_MAX", 50)
    for number in range(500):
        backend.replace(copy(number).key, encode(copy(number)))
    backend.replace(layout.copy("d" * 32), b"x" * 100_000)
    assert sorted(seen(store)) == sorted((f"/home/bob/{n}", "cmr@v1") for n in range(450, 500))
    assert len(backend.reads) == 50
    assert (store.cache / "copies.json").stat().st_size < 50 * 600


def test_pulls_are_the_entries_of_the_feed(opened: Callable[..., OpenedStore]) -> None:
    store = opened()
    register(store, copy(1, pulled_at=NOON - timedelta(days=3)))
    register(store, copy(2, pulled_at=None))
    register(store, copy(3, user="chen", pulled_at=NOON))
    found = copies.pulls(copies.working_copies(store, query(store)))
    assert [(e.at, e.user, e.host, e.action, e.ref, e.path) for e in found] == [
        (NOON, "chen", "hub", "pulled", "cmr@v1", "/home/bob/3"),
        (NOON - timedelta(days=3), "bob", "hub", "pulled", "cmr@v1", "/home/bob/1"),
    ]


def test_a_full_store_is_an_error_of_the_caller(
    backend: Watched, opened: Callable[..., OpenedStore]
) -> None:
    store = opened()
    backend.failing["replace"] = StorageFull("no space left")
    with pytest.raises(StorageFull):
        register(store, copy(1))
    assert not copies.is_remembered(store, copy(1).id), "what is not there is not remembered"


def test_hostile_names_in_the_folder(tmp_path: Path) -> None:
    """On a drive: links, folders, FIFOs and strange names in `copies/` are left alone."""
    url = str(tmp_path / "store")
    client = Client(user="bob", host="hub", cache_dir=tmp_path / "cache", jobs=2)
    with Store.create(url, client=client) as store:
        (tmp_path / "cmr").mkdir()
        (tmp_path / "cmr" / "a.txt").write_text("a")
        store.add(tmp_path / "cmr")
        folder = Path(url, "copies")
        (folder / f"{1:032x}.json").mkdir()
        (folder / f"{2:032x}.json").symlink_to("/etc/passwd")
        os.mkfifo(folder / f"{3:032x}.json")
        (folder / f"{4:032x}.json").write_bytes(b"\0" * 100)
        (folder / "new\nline.json").write_text(json.dumps({}))
        opened: Backend = store._opened.backend
        assert opened.url == url
        found = copies.working_copies(store._opened, query(store._opened))
        assert [one.path for one in found] == [str(tmp_path / "cmr")]
        assert copies.linked_copies(store._opened, query(store._opened)) == ()
