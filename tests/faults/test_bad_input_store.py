"""Stores that are not there, not stores, too new or going away; names that nobody has."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from datacat.errors import Corrupt, DatacatError, InvalidInput, NoStore, NotFound
from datacat.store import Store
from datacat.transfer import packing
from tests.faults.situation import (
    client,
    content,
    everything,
    make_store,
    nothing_changes,
    run,
    write,
)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = make_store(tmp_path)
    made.add(write(tmp_path / "cmr", {"a/1": "1", "labels.csv": "x,y\n1,2\n"}), message="first")
    return made


def opened(folder: Path, tmp_path: Path) -> Store:
    return Store.open(str(folder), client=client(tmp_path / "cache"))


# What is no store


def test_a_store_of_a_newer_format(store: Store, tmp_path: Path) -> None:
    file = Path(store.url) / "store.json"
    document = json.loads(file.read_bytes())
    file.chmod(0o644)
    file.write_text(json.dumps({**document, "format": 2, "parameters": "unknown"}))
    before = everything(Path(store.url))
    for command in ("ls", "pull cmr", "add .", "verify --all"):
        done = run(*command.split(), store=Path(store.url), home=tmp_path / "h")
        assert done.code == 4
        assert "has format 2; this datacat reads format 1" in done.err
        assert "pip install --upgrade datacat" in done.err
    assert everything(Path(store.url)) == before


def test_a_record_of_a_newer_client(store: Store, tmp_path: Path) -> None:
    from hashlib import sha256

    from xxhash import xxh3_64_hexdigest

    log = Path(store.url) / "catalog" / "log" / "0000000"
    last = sorted(log.iterdir())[-1]
    record = json.loads(last.read_bytes())
    record.pop("check")
    seq = int(last.stem) + 1
    record |= {
        "seq": seq,
        "txid": "ab" * 16,
        "prev": sha256(last.read_bytes()).hexdigest(),
        "op": "dataset.encrypt",
        "crit": ["encryption"],
    }
    rest = json.dumps(record, separators=(",", ":"))[1:].encode() + b"\n"
    check = xxh3_64_hexdigest(rest).encode()
    (log / f"{seq:020}.json").write_bytes(b'{"check":"' + check + b'",' + rest)
    with nothing_changes(store=Path(store.url)):
        for command in ("ls", "pull cmr", "add ."):
            done = run(*command.split(), store=Path(store.url), home=tmp_path / "h")
            assert (done.code, done.out) == (4, "")
            assert "encryption" in done.err
            assert "pip install --upgrade datacat" in done.err


NOT_OURS = {
    "empty": b"",
    "text": b"hello",
    "not-utf8": b"\xff\xfe",
    "list": b"[]",
    "other": b'{"name":"something else"}',
    "no-id": b'{"format":1}',
    "bool": b'{"format":true}',
    "infinite": b'{"format":1e999}',
    "zero": b'{"format":0}',
    "deep": b"[" * 60_000,
    "huge": b'{"format":1,"id":"' + b"a" * 100_000 + b'"}',
}


@pytest.mark.parametrize("data", NOT_OURS.values(), ids=NOT_OURS)
def test_a_store_file_that_is_not_ours(tmp_path: Path, data: bytes) -> None:
    place = write(tmp_path / "place", {"store.json": data})
    before = content(place)
    with pytest.raises((NoStore, Corrupt), match=str(place)) as caught:
        opened(place, tmp_path)
    assert caught.value.kind in {"not_a_store", "store_file_damaged"}
    assert caught.value.exit_code in {4, 5}
    assert content(place) == before


def test_places_that_are_no_store_at_all(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("x")
    (tmp_path / "dir-as-file" / "store.json").mkdir(parents=True)
    (tmp_path / "fifo").mkdir()
    os.mkfifo(tmp_path / "fifo" / "store.json")
    for name in ("empty", "file", "dir-as-file", "fifo", "missing", "file/below"):
        place = tmp_path / name
        done = run("ls", store=place, home=tmp_path / "h")
        # A FIFO gives no bytes, as a file that was cut to nothing does; it never makes one wait.
        assert done.code == (5 if name == "fifo" else 4)
        assert str(place) in done.err
    assert "datacat init" in run("ls", store=tmp_path / "empty", home=tmp_path / "h").err


# A drive that goes away


def test_the_drive_is_away(store: Store, tmp_path: Path) -> None:
    place, away = Path(store.url), tmp_path / "away"
    copy = tmp_path / "copy"
    store.pull("cmr", dest=copy)
    place.rename(away)
    before = everything(copy)
    calls: list[Callable[[], object]] = [
        store.ls,
        lambda: store.pull("cmr", dest=copy),
        lambda: store.pull("cmr", dest=tmp_path / "new"),
        lambda: store.add(copy),
        lambda: store.show("cmr"),
        store.log,
        store.du,
        lambda: store.verify(everything=True),
    ]
    for call in calls:
        with pytest.raises(NoStore, match="not reachable") as caught:
            call()
        assert caught.value.kind == "store_unreachable"
    # An unmounted drive leaves its empty mount point.
    place.mkdir()
    for call in calls:
        with pytest.raises(NoStore):
            call()
    assert os.listdir(place) == []
    assert everything(copy) == before
    assert not (tmp_path / "new").exists()
    done = run("pull", "cmr", store=tmp_path / "gone", home=tmp_path / "h")
    assert (done.code, done.out) == (4, "")
    assert "Is the drive mounted" in done.err
    place.rmdir()
    away.rename(place)
    assert [d.name for d in store.ls().datasets] == ["cmr"]


@pytest.mark.parametrize("size", [5_000, 6 << 20], ids=["small", "large"])
def test_the_drive_goes_away_during_add(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    place, away = Path(store.url), tmp_path / "away"
    source = write(tmp_path / "new", {"f": os.urandom(size)})
    finish = packing.Packing.finish

    def finishing(self: Any, *how: Any, **options: Any) -> None:
        place.rename(away)
        finish(self, *how, **options)

    with monkeypatch.context() as patched:
        patched.setattr(packing.Packing, "finish", finishing)
        with pytest.raises((NoStore, DatacatError)) as caught:
            store.add(source)
    assert caught.value.exit_code in {1, 4}
    assert str(place) in str(caught.value)
    assert not place.exists()
    away.rename(place)
    assert [d.name for d in store.ls().datasets] == ["cmr"]
    assert store.add(source).version.ref == "new@v1"
    assert [r.ok for r in store.verify(everything=True)] == [True]


# Names that nobody has


def test_unknown_names_say_what_was_meant(store: Store, tmp_path: Path) -> None:
    for ref, kind, named in [
        ("crm", "dataset_not_found", "crm"),
        ("cmr@v7", "version_not_found", "v7"),
        ("cmr@gold", "version_not_found", "gold"),
        ("cmr@deadbeef", "version_not_found", "deadbeef"),
    ]:
        with nothing_changes(store=Path(store.url)), pytest.raises(NotFound, match=named) as caught:
            store.pull(ref, dest=tmp_path / "copy")
        assert caught.value.kind == kind
        assert caught.value.commands
    assert not (tmp_path / "copy").exists()
    where = {"store": Path(store.url), "home": tmp_path / "h"}
    done = run("pull", "crm", **where)
    assert done.code == 3
    assert "Did you mean 'cmr'?" in done.err
    done = run("pull", "cmr@v7", **where)
    assert done.code == 3
    assert "its only version is v1" in done.err
    done = run("pull", "cmr", "label.csv", **where)
    assert done.code == 3
    assert "did you mean 'labels.csv'" in done.err.lower()
    assert list((tmp_path / "h").iterdir()) in ([], [tmp_path / "h" / ".cache"])


HOSTILE = [
    "'; drop table versions; --",
    "x\"; attach '/tmp/x' as y; --",
    "$(touch pwned)",
    "`touch pwned`",
    "a;touch pwned",
    "../../etc/passwd",
    "x\0y",
    "x\ny",
    "x" * 65,
    "",
    " ",
    ".hidden",
    "-rf",
    "ΑΒΓ",
    "%s%n",
    "\ud800",
]


@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
def test_names_with_sql_or_shell_in_them(store: Store, tmp_path: Path, name: str) -> None:
    source = tmp_path / "cmr"
    with nothing_changes(store=Path(store.url)):
        with pytest.raises(InvalidInput):
            store.add(source, name=name, new=True)
        for call in (store.pull, store.show, store.versions, store.log, store.files):
            with pytest.raises((InvalidInput, NotFound)):
                list(call(name))  # type: ignore[call-overload]
        with pytest.raises((InvalidInput, NotFound)):
            store.add(source, new_version=True, alias=name or " ")
        with pytest.raises(InvalidInput):
            store.add(source, new_version=True, tags=[name])
    try:
        assert len(store.ls(name).datasets) == (0 if name.strip() else 1)
    except InvalidInput as error:
        assert error.kind == "bad_text"  # noqa: PT017
    assert not (tmp_path / "pwned").exists()
    assert [d.name for d in store.ls().datasets] == ["cmr"]


def test_messages_and_users_are_only_text(store: Store, tmp_path: Path) -> None:
    message = "'); drop table x; -- $(id) \x1b[31m [/red] :smile: %s {0}"
    write(tmp_path / "cmr", {"more": "1"})
    store.add(tmp_path / "cmr", message=message, description="';--")
    assert store.show("cmr").version.message == message
    done = run("log", "cmr", store=Path(store.url), home=tmp_path / "h")
    assert done.code == 0
    assert "\x1b" not in done.out
    assert "[/red] :smile: %s {0}" in done.out
    assert store.log(user="' or '1'='1") == []
    assert store.ls(owner="' or '1'='1").datasets == ()
    assert store.ls("c%r").datasets == ()
    assert store.ls("c_r").datasets == ()
