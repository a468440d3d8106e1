"""What `doctor` finds, that it mends only what is safe, and that nothing stops it."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pytest

from datacat import layout
from datacat.backend import Capabilities, Stat
from datacat.backend.memory import MemoryBackend
from datacat.copies import Registration, register
from datacat.create import create_store
from datacat.errors import StorageDenied
from datacat.maintenance.doctor import Subject, examine, mounts, place, team
from datacat.model import Check, CheckState, Diagnosis, LinkMode, Parameters
from datacat.opened import Client
from datacat.store import Store

posix_only = pytest.mark.skipif(os.name == "nt", reason="modes and owners of POSIX")
WEEKS_AGO = time.time() - 30 * 86_400


@pytest.fixture
def client(tmp_path: Path) -> Client:
    return Client(user="bob", host="hub", cache_dir=tmp_path / "cache", program="datacat 1.2.3")


@pytest.fixture
def root(tmp_path: Path, client: Client) -> Path:
    """A healthy store with cmr@v1 and cmr@v2, and a folder `here` beside it."""
    (tmp_path / "here").mkdir()
    with Store.create(str(tmp_path / "store"), client=replace(client, activity=False)) as store:
        folder = tmp_path / "cmr"
        folder.mkdir()
        for text in ("1", "2"):
            (folder / "a.txt").write_text(text)
            (folder / "large.bin").write_bytes(os.urandom(300_000))
            store.add(folder)
    return tmp_path / "store"


@pytest.fixture
def look(root: Path, client: Client) -> Callable[..., Diagnosis]:
    def run(*, fix: bool = False, **changes: object) -> Diagnosis:
        subject = Subject(url=str(root), client=client, folder=root.parent / "here")
        return examine(replace(subject, **changes), fix=fix)  # type: ignore[arg-type]

    return run


def of(found: Diagnosis, check_id: str) -> list[Check]:
    return [check for check in found.checks if check.id == check_id]


def one(found: Diagnosis, check_id: str) -> Check:
    (check,) = of(found, check_id)
    return check


def listing(top: Path) -> dict[str, tuple[int, int]]:
    return {
        str(path): (path.lstat().st_mode, path.lstat().st_size) for path in (top, *top.rglob("*"))
    }


def test_a_healthy_store(look: Callable[..., Diagnosis], root: Path) -> None:
    before = listing(root.parent)
    found = look()
    assert found.ok
    assert [check.id for check in found.checks if check.state is not CheckState.OK] == []
    assert [check.id for check in found.checks] == [
        *("versions", "store", "access", "group", "atomic", "clock", "log", "links", "disk"),
        *("identity", "cache"),
    ]
    assert one(found, "versions").message.startswith("datacat 1.2.3, Python 3.")
    assert "format 1" in one(found, "store").message
    assert "up to record 3; the last 3 checked" in one(found, "log").message
    after = listing(root.parent)
    cache = str(root.parent / "cache")
    assert {p: v for p, v in after.items() if not p.startswith(cache)} == {
        p: v for p, v in before.items() if not p.startswith(cache)
    }, "what was written was removed"


# A store that cannot be opened


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda root: root.rename(root.with_name("away")), "is not reachable"),
        (lambda root: (root / "store.json").unlink(), "is not a datacat store"),
        (lambda root: rewrite(root / "store.json", b"{"), "store.json of"),
        (lambda root: rewrite(root / "store.json", b'{"format": 99}'), "has format 99"),
    ],
)
def test_a_store_that_cannot_be_opened(
    look: Callable[..., Diagnosis], root: Path, spoil: Callable[[Path], object], said: str
) -> None:
    spoil(root)
    found = look()
    assert not found.ok
    assert one(found, "store").state is CheckState.FAIL
    assert said in one(found, "store").message
    assert [check.id for check in found.checks] == ["versions", "store", "identity", "cache"]


def rewrite(path: Path, data: bytes) -> None:
    path.chmod(0o644)
    path.write_bytes(data)


def test_a_kind_of_store_that_is_not_known_shows_no_password(
    look: Callable[..., Diagnosis],
) -> None:
    found = look(url="gopher://bob:hunter2@hole/x")
    assert one(found, "store").state is CheckState.FAIL
    assert "hunter2" not in repr(found)


def test_a_personal_store_is_not_made_by_looking(
    look: Callable[..., Diagnosis], tmp_path: Path
) -> None:
    found = look(url=str(tmp_path / "personal"), personal=True)
    assert found.ok
    assert "a personal one will be made" in one(found, "store").message
    assert not (tmp_path / "personal").exists()


class Odd(MemoryBackend):
    """A backend in memory whose calls do what a test wants."""

    on_read: Callable[[], None] = staticmethod(lambda: None)
    on_write: Callable[[], None] = staticmethod(lambda: None)
    on_keys: Callable[[], None] = staticmethod(lambda: None)
    atomic = True

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(atomic_create=self.atomic, local=False)

    def read(self, key: str, *, limit_bytes: int | None = None) -> bytes:
        self.on_read()
        return super().read(key, limit_bytes=limit_bytes)

    def write(self, key: str, data: bytes | bytearray | memoryview) -> None:
        self.on_write()
        super().write(key, data)

    def keys(self, prefix: str, *, after: str = "") -> Iterator[Stat]:
        self.on_keys()
        return super().keys(prefix, after=after)


@pytest.fixture
def odd(client: Client) -> Odd:
    backend = Odd("odd")
    create_store(
        backend,
        client=client,
        name="odd",
        description="",
        group=None,
        parameters=Parameters(),
        link=LinkMode.COPY,
        shared=True,
        trash_days=30,
    )
    return backend


def test_a_store_that_is_no_folder(odd: Odd, look: Callable[..., Diagnosis]) -> None:
    found = look(backend=odd)
    assert found.ok
    assert [check.id for check in found.checks] == [
        *("versions", "store", "access", "atomic", "clock", "log", "identity", "cache")
    ]
    assert list(odd.keys(layout.TEMPORARY)) == [], "the probe was removed"


def test_a_drive_that_never_answers(odd: Odd, client: Client, tmp_path: Path) -> None:
    answered = threading.Event()
    odd.on_read = answered.wait  # type: ignore[assignment]
    began = time.monotonic()
    subject = Subject(url="/mnt/away", client=client, folder=tmp_path, backend=odd)
    try:
        found = examine(subject, deadline_seconds=0.3)
    finally:
        answered.set()
    assert time.monotonic() - began < 20
    assert one(found, "store").message == "store: no answer within 0.3 s (/mnt/away)"
    assert [check.id for check in found.checks] == ["versions", "store", "identity", "cache"]


def test_a_drive_that_stops_answering(odd: Odd, client: Client, tmp_path: Path) -> None:
    answered = threading.Event()
    odd.on_write = answered.wait  # type: ignore[assignment]
    subject = Subject(url="/mnt/away", client=client, folder=tmp_path, backend=odd)
    try:
        found = examine(subject, deadline_seconds=0.1)
    finally:
        answered.set()
    states = [(check.id, check.state.value) for check in found.checks]
    assert states == [
        ("versions", "ok"),
        ("store", "ok"),
        ("access", "fail"),
        ("identity", "ok"),
        ("cache", "ok"),
    ]


def test_each_check_stands_for_itself(odd: Odd, look: Callable[..., Diagnosis]) -> None:
    def broken() -> None:
        raise RuntimeError("a bug\nof ours")

    def denied() -> None:
        raise StorageDenied("no", hint="Ask an admin.", commands=["usermod -aG imaging bob"])

    odd.on_keys, odd.on_write = broken, denied
    odd.atomic = False
    found = look(backend=odd)
    access = one(found, "access")
    assert (access.state, access.message) == (CheckState.NOTE, "you can read, but not save: no")
    assert access.fix == "Ask an admin.     usermod -aG imaging bob"
    assert of(found, "atomic") == [], "who may not write does not try"
    odd.on_write = broken
    access = one(look(backend=odd), "access")
    assert access.state is CheckState.FAIL
    assert access.message == "unexpected RuntimeError: a bug of ours (a bug in datacat)"
    odd.on_write = lambda: None
    found = look(backend=odd)
    assert one(found, "access").state is CheckState.OK
    assert one(found, "log").message.startswith("unexpected RuntimeError")
    assert one(found, "cache").state is CheckState.OK


def test_a_drive_without_atomic_create(odd: Odd, look: Callable[..., Diagnosis]) -> None:
    odd.atomic = False
    check = one(look(backend=odd), "atomic")
    assert check.state is CheckState.FAIL
    assert "the store can only be read" in check.message


# Permissions


@posix_only
def test_modes_that_keep_teammates_out_and_the_command_that_mends_them(
    look: Callable[..., Diagnosis], root: Path
) -> None:
    (root / "packs" / "3a").chmod(0o2755)
    (root / "segments").chmod(0o2700)
    whole = next(path for path in (root / "whole").rglob("*") if path.is_file())
    whole.chmod(0o400)
    found = look()
    assert not found.ok
    folders, files = of(found, "group")
    assert folders.message.startswith("2 folders (for example segments) cannot be written to")
    assert files.message.startswith(
        f"1 file (for example {whole.relative_to(root)}) cannot be read by group '"
    )
    for check in (folders, files):
        assert check.fix is not None
        assert check.fix.startswith("as their owner:  chgrp -R ")
        subprocess.run(["sh", "-c", check.fix.partition(":  ")[2]], check=True)
    assert one(look(), "group").state is CheckState.OK
    assert stat.S_IMODE((root / "packs" / "3a").stat().st_mode) == 0o2775


@posix_only
def test_folders_that_do_not_hand_on_their_group(
    look: Callable[..., Diagnosis], root: Path
) -> None:
    (root / "copies").chmod(0o0775)
    found = look()
    check = one(found, "group")
    assert (found.ok, check.state) == (True, CheckState.NOTE)
    assert "1 folder (for example copies)" in check.message
    assert check.fix is not None
    subprocess.run(["sh", "-c", check.fix.partition(":  ")[2]], check=True)
    assert one(look(), "group").state is CheckState.OK


@posix_only
def test_what_lies_beside_the_store_is_none_of_ours(
    look: Callable[..., Diagnosis], root: Path
) -> None:
    (root / "lost+found").mkdir(mode=0o700)
    (root / "lost+found" / "x").write_text("x")
    (root / "lost+found" / "x").chmod(0o600)
    (root / "tmp" / "being-written").write_text("x")
    (root / "tmp" / "being-written").chmod(0o600)
    assert one(look(), "group").state is CheckState.OK


@posix_only
def test_a_private_store_has_no_team(tmp_path: Path, client: Client) -> None:
    (tmp_path / "here").mkdir()
    with Store.create(str(tmp_path / "own"), client=client, shared=False):
        found = examine(Subject(url=str(tmp_path / "own"), client=client, folder=tmp_path / "here"))
    assert of(found, "group") == []
    assert one(found, "access").message == "you can read and write"


# The log


def test_a_damaged_record_is_named(look: Callable[..., Diagnosis], root: Path) -> None:
    assert look().ok
    record = root / layout.log_record(2)
    data = record.read_bytes()
    rewrite(record, data.replace(b'"cmr"', b'"cmx"'))
    check = one(look(), "log")
    assert check.state is CheckState.FAIL
    assert layout.log_record(2) in check.message
    rewrite(record, data)
    assert look().ok
    record.unlink()
    assert one(look(), "log").state is CheckState.FAIL


def test_only_the_newest_records_are_read_again(
    look: Callable[..., Diagnosis], root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    look()
    monkeypatch.setattr(team, "RECORDS_CHECKED", 1)
    assert "up to record 3; the last 1 checked" in one(look(), "log").message


# The machine


@pytest.mark.parametrize(
    ("user", "given", "state"),
    [
        ("jovyan", True, CheckState.NOTE),
        ("jovyan", False, CheckState.NOTE),
        ("root", False, CheckState.NOTE),
        ("root", True, CheckState.OK),
        ("bob", False, CheckState.OK),
    ],
)
def test_who_we_are(
    look: Callable[..., Diagnosis], client: Client, user: str, given: bool, state: CheckState
) -> None:
    found = look(client=replace(client, user=user), user_given=given)
    assert one(found, "identity").state is state
    if user == "jovyan":
        assert one(found, "identity").message == "you are 'jovyan', like everyone on this hub"
        assert one(found, "identity").fix == "set your name:  datacat config set user NAME"


def test_a_cache_that_cannot_be_used(
    look: Callable[..., Diagnosis], client: Client, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way")
    found = look(client=replace(client, cache_dir=tmp_path / "file" / "cache"))
    assert one(found, "cache").state is CheckState.FAIL
    assert "datacat config set cache_dir" in (one(found, "cache").fix or "")
    assert one(found, "access").state is CheckState.OK, "the store is looked at all the same"


def test_a_cache_on_a_network_drive(
    look: Callable[..., Diagnosis], monkeypatch: pytest.MonkeyPatch
) -> None:
    from datacat.maintenance.doctor import machine

    monkeypatch.setattr(machine, "file_system_of", lambda path: "nfs4")
    check = one(look(), "cache")
    assert check.state is CheckState.NOTE
    assert "network drive (nfs4)" in check.message


def test_settings_that_are_odd(look: Callable[..., Diagnosis]) -> None:
    found = look(warnings=("unknown setting 'usr' in /home/bob/x.toml",))
    assert found.ok
    assert one(found, "settings").message == "unknown setting 'usr' in /home/bob/x.toml"


class Usage(NamedTuple):
    total: int
    used: int
    free: int


GB = 1_000_000_000


@pytest.mark.parametrize(
    ("used", "free", "state"),
    [
        (899, 101, CheckState.OK),
        (901, 99, CheckState.NOTE),
        (971, 29, CheckState.FAIL),
        (980_000, 20_000, CheckState.OK),
        (0, 0, CheckState.OK),
    ],
)
def test_room_on_the_disk(
    look: Callable[..., Diagnosis],
    monkeypatch: pytest.MonkeyPatch,
    used: int,
    free: int,
    state: CheckState,
) -> None:
    usage = Usage((used + free) * GB, used * GB, free * GB)
    monkeypatch.setattr(place.shutil, "disk_usage", lambda path: usage)  # type: ignore[attr-defined]
    check = one(look(), "disk")
    assert check.state is state
    assert ("datacat gc" in (check.fix or "")) is (state is not CheckState.OK)


@pytest.mark.parametrize(
    ("ahead", "said"), [(3_700, "62 min behind"), (-20, "20 s ahead of"), (90_000, "25 h behind")]
)
def test_clocks_that_differ(
    look: Callable[..., Diagnosis], monkeypatch: pytest.MonkeyPatch, ahead: int, said: str
) -> None:
    monkeypatch.setattr(place, "time_there", lambda backend: time.time() + ahead)
    check = one(look(), "clock")
    assert check.state is CheckState.NOTE
    assert f"the clock of this machine is {said} the store's" in check.message


def test_links_from_a_folder_that_cannot_be_written_to(
    look: Callable[..., Diagnosis], tmp_path: Path
) -> None:
    check = one(look(folder=tmp_path / "nowhere"), "links")
    assert check.state is CheckState.NOTE
    assert "no such file or directory" in check.message


def test_links_to_another_disk(
    look: Callable[..., Diagnosis], monkeypatch: pytest.MonkeyPatch
) -> None:
    def other_disk(*_: object, **__: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(place.os, "link", other_disk)  # type: ignore[attr-defined]
    monkeypatch.setattr(place, "_something_stored", in_place)
    check = one(look(), "links")
    assert "hardlink no (other disk), symlink yes" in check.message


class in_place:
    """The store's own file, so that no link is needed to write a probe."""

    def __init__(self, visit: object, root: Path) -> None:
        self.path = root / "store.json"

    def __enter__(self) -> Path:
        return self.path

    def __exit__(self, *_: object) -> None:
        return None


def test_the_kind_of_a_file_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = tmp_path / "a b" / "deep"
    deep.mkdir(parents=True)
    table = tmp_path / "mounts"
    spaced = str(tmp_path / "a b").replace(" ", "\\040")
    table.write_text(
        "1 1 0:1 / / rw shared:1 - ext4 /dev/a rw\n"
        f"2 1 0:2 / {spaced} rw - nfs4 server:/x rw\n"
        f"3 1 0:3 / {spaced}/dee rw - cifs //x rw\n"
        "nonsense\n4 1 x / / rw - btrfs\n5 1 0:5 / /\n"
    )
    monkeypatch.setattr(mounts, "_MOUNTS", str(table))
    assert mounts.file_system_of(deep) == "nfs4"
    assert mounts.file_system_of(tmp_path) == "ext4"
    assert mounts.file_system_of(tmp_path / "nowhere") is None
    monkeypatch.setattr(mounts, "_MOUNTS", str(tmp_path / "nothing"))
    assert mounts.file_system_of(deep) is None


# What was left behind


def test_abandoned_temporaries(look: Callable[..., Diagnosis], root: Path) -> None:
    for name, age in (("old", WEEKS_AGO), ("new", time.time())):
        (root / "tmp" / name).write_bytes(b"x" * 1_000)
        os.utime(root / "tmp" / name, (age, age))
    check = one(look(), "temporary")
    assert check.state is CheckState.NOTE
    assert check.message.startswith("1 abandoned file, 1.0 kB in tmp/")
    assert check.fix == "remove your own:  datacat doctor --fix"
    assert (root / "tmp" / "old").exists()
    fixed = one(look(fix=True), "temporary")
    assert (fixed.state, fixed.fixed) == (CheckState.OK, True)
    assert fixed.message == "removed 1 abandoned file, 1.0 kB that you left in tmp/"
    assert [path.name for path in (root / "tmp").iterdir()] == ["new"]
    assert of(look(fix=True), "temporary") == []


def test_a_clock_that_is_wrong_abandons_nothing(
    look: Callable[..., Diagnosis], root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ages are counted by the clock of the storage, not by ours."""
    (root / "tmp" / "new").write_bytes(b"x")
    monkeypatch.setattr(time, "time", lambda: 4_000_000_000.0)
    look(fix=True)
    assert (root / "tmp" / "new").exists()


@pytest.fixture
def pulled(root: Path, client: Client) -> Callable[..., Path]:
    def pull(
        name: str, *, link: LinkMode = LinkMode.COPY, host: str = "hub", activity: bool = True
    ) -> Path:
        folder = root.parent / "copies" / name
        folder.parent.mkdir(exist_ok=True)
        (folder.parent / "something").touch()
        who = replace(client, host=host, activity=activity)
        with Store.open(str(root), client=who) as store:
            store.pull("cmr", dest=folder, link=link)
        return folder

    return pull


def registered(root: Path) -> int:
    return len(list((root / "copies").iterdir()))


def test_copies_that_are_gone(
    look: Callable[..., Diagnosis], root: Path, pulled: Callable[..., Path]
) -> None:
    there, gone, elsewhere = pulled("there"), pulled("gone"), pulled("elsewhere", host="gpu02")
    links = pulled("links", link=LinkMode.SYMLINK)
    for folder in (gone, elsewhere, links):
        shutil.rmtree(folder)
    check = one(look(), "copies")
    assert check.state is CheckState.NOTE
    assert check.message.startswith("2 working copies of yours are not seen: ")
    assert str(gone) in check.message
    assert registered(root) == 4
    fixed = one(look(fix=True), "copies")
    assert fixed.fixed
    assert "if you moved one, run 'datacat status' there" in fixed.message
    assert registered(root) == 2, "those that are there, and those of other machines"
    assert there.exists()
    assert of(look(), "copies") == []


def test_copies_that_may_be_on_a_drive_that_is_away(
    look: Callable[..., Diagnosis], root: Path, pulled: Callable[..., Path]
) -> None:
    folder = pulled("mine")
    shutil.rmtree(folder.parent)
    folder.parent.mkdir()
    check = one(look(fix=True), "copies")
    assert check.state is CheckState.NOTE
    assert "is the drive mounted?" in (check.fix or "")
    assert registered(root) == 1


def test_links_that_are_left_stay_registered(
    look: Callable[..., Diagnosis], root: Path, pulled: Callable[..., Path]
) -> None:
    folder = pulled("links", link=LinkMode.SYMLINK)
    shutil.rmtree(folder / ".datacat")
    assert one(look(fix=True), "copies").state is CheckState.NOTE
    assert registered(root) == 1
    copy = pulled("copy")
    shutil.rmtree(copy / ".datacat")
    assert registered(root) == 2
    look(fix=True)
    assert registered(root) == 1, "a copy that is an ordinary folder now is forgotten"


def test_links_of_who_does_not_share_where_are_found_by_their_cache(
    look: Callable[..., Diagnosis], root: Path, pulled: Callable[..., Path], client: Client
) -> None:
    gone = pulled("gone", link=LinkMode.SYMLINK, activity=False)
    pulled("there", link=LinkMode.SYMLINK, activity=False)
    shutil.rmtree(gone)
    somebody = replace(client, user="eve", cache_dir=root.parent / "cache-eve")
    assert of(look(client=somebody), "copies") == [], "nobody else knows where they are"
    assert str(gone) in one(look(), "copies").message
    assert one(look(fix=True), "copies").fixed
    assert registered(root) == 1


def test_links_without_a_folder_are_never_forgotten(
    look: Callable[..., Diagnosis], root: Path, client: Client
) -> None:
    """What `scan --adopt` registers is not a working copy: it has no marker to look for."""
    with Store.open(str(root), client=client) as store:
        moment = client.now().replace(microsecond=0)
        register(
            store._opened,
            Registration(
                id="a" * 32, name="cmr", version=1, linked=True, partial=False, last_seen=moment
            ),
        )
    assert of(look(fix=True), "copies") == []
    assert registered(root) == 1
