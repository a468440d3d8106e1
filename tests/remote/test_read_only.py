"""Stores that can be read and not written to: behind a web server, and wherever fsspec reaches."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pytest

from datacat import layout
from datacat.backend import Backend, open_backend
from datacat.errors import NoStore, StorageDenied, StorageError, StorageMissing
from datacat.model import CheckState
from datacat.opened import Client
from datacat.store import Store
from tests.remote.test_store import content
from tests.servers.cutter import Silenced
from tests.servers.ftp import ftp_server
from tests.servers.web import WebServer
from tests.trees import read_tree

Clients = Callable[..., Client]

ODD = "a [b] #é%20"
SIZES = {"packs/aa/x y+%é#.pack": 100_000, "whole/bb/z": 10, "segments/empty": 0}


@pytest.fixture
def web(tmp_path: Path) -> Iterator[WebServer]:
    (tmp_path / "www").mkdir()
    with WebServer(tmp_path / "www").running() as server:
        yield server


@pytest.fixture(params=["ranges", "plain", "endless", "ftp"])
def place(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, Path]]:
    """The URL of a folder with an odd name, and that folder."""
    if request.param == "ftp":
        with ftp_server(tmp_path_factory) as (url, served):
            name = uuid.uuid4().hex
            yield f"{url}/{name}", served / name
        return
    web: WebServer = request.getfixturevalue("web")
    web.plain, web.endless = request.param == "plain", request.param == "endless"
    yield f"{web.url}/{quote(ODD)}", web.folder / ODD


@pytest.mark.parametrize("place", ["ranges", "ftp"], indirect=True)
def test_what_people_do_with_a_store_that_they_can_read(
    place: tuple[str, Path], source: Path, client: Clients, tmp_path: Path
) -> None:
    url, folder = place
    with Store.create(str(folder), client=client("alice")) as here:
        here.add(source)
        (source / "labels.csv").write_text("edited")
        here.add(source, message="second")
    before = read_tree(folder)
    with Store.open(url, client=client("alice", host="laptop")) as there:
        assert [version.ref for version in there.log("cmr")] == ["cmr@v2", "cmr@v1"]
        assert there.show("cmr").version.message == "second"
        there.pull("cmr", dest=tmp_path / "copy")
        assert content(tmp_path / "copy") == content(source)
        assert all(found.ok for found in there.verify(["cmr@v1"]))
        with Store.create(str(tmp_path / "mine"), client=client("bob")) as mine:
            there.copy(["cmr"], to=mine)
            assert mine.show("cmr").version.hash == there.show("cmr").version.hash
        (tmp_path / "copy" / "labels.csv").write_text("mine")
        for attempt in (
            lambda: there.add(tmp_path / "copy"),
            lambda: there.edit("cmr", tags=["x"]),
            lambda: there.alias("cmr@v1", "gold"),
        ):
            with pytest.raises(StorageDenied, match="can only be read: ") as caught:
                attempt()
            assert (caught.value.kind, caught.value.exit_code) == ("read_only_store", 4)
        found = there.doctor()
        assert found.ok, [check for check in found.checks if check.state is CheckState.FAIL]
        assert any("you can read, but not save" in check.message for check in found.checks)
    assert read_tree(folder) == before
    with pytest.raises(StorageDenied) as caught:
        Store.create(f"{url}-new", client=client())
    assert caught.value.kind == "read_only_store"


def test_reading_is_that_of_the_folder(place: tuple[str, Path]) -> None:
    url, folder = place
    folder.mkdir()
    here, there = open_backend(str(folder)), open_backend(url)
    here.initialise(layout.directories(), group=None, shared=True)
    for key, size in SIZES.items():
        here.write(key, os.urandom(size))

    def look(backend: Backend, key: str) -> list[object]:
        ranges = [(0, 10), (5, 5), (90_000, 20_000), (100_000, 1), (200_000, 7), (0, 0)]
        return [
            backend.read(key),
            backend.read(key, limit_bytes=17),
            *(backend.read_range(key, offset, length) for offset, length in ranges),
        ]

    for key, size in SIZES.items():
        assert look(there, key) == look(here, key)
        found = there.stat(key)
        assert found is not None
        assert found.size_bytes == size
    for missing in ("packs/aa/none.pack", "nowhere/x"):
        assert there.stat(missing) is None
        for read in (there.read, lambda key: there.read_range(key, 0, 5)):
            with pytest.raises(StorageMissing):
                read(missing)


def test_ctrl_c_when_a_call_hangs(
    tmp_path_factory: pytest.TempPathFactory, source: Path, client: Clients, tmp_path: Path
) -> None:
    """The library below blocks a thread, which the process does not wait for."""
    with ftp_server(tmp_path_factory) as (url, served):
        name = uuid.uuid4().hex
        with Store.create(str(served / name), client=client()) as store:
            store.add(source)
        with Silenced(urlsplit(url).port or 0, after=b"RETR").running() as silenced:
            place = f"ftp://127.0.0.1:{silenced.port}"
            running = subprocess.Popen(
                [sys.executable, "-m", "datacat", "-s", f"{place}/{name}", "ls"],
                env={
                    "PATH": os.defpath,
                    "HOME": str(tmp_path),
                    "PYTHONPATH": os.pathsep.join(sys.path),
                },
                stderr=subprocess.PIPE,
                stdout=subprocess.PIPE,
            )
            assert silenced.silent.wait(60)
            asked = time.monotonic()
            running.terminate()
            _, err = running.communicate(timeout=60)
            assert time.monotonic() - asked < 2
    assert (running.returncode, err) == (130, b"Stopped.\n")


def test_listings_where_there_are_some(
    tmp_path_factory: pytest.TempPathFactory, web: WebServer
) -> None:
    with ftp_server(tmp_path_factory) as (url, served):
        name = uuid.uuid4().hex
        here, there = open_backend(str(served / name)), open_backend(f"{url}/{name}")
        here.initialise(layout.directories(), group=None, shared=True)
        for number in range(30):
            here.write(f"packs/{number % 4:02d}/{number}.pack", b"x" * number)
        for prefix, after in (("", ""), ("packs/", ""), ("packs/01/", ""), ("", "packs/02/6.pack")):
            wanted = [(s.key, s.size_bytes) for s in here.keys(prefix, after=after)]
            assert [(s.key, s.size_bytes) for s in there.keys(prefix, after=after)] == wanted
        assert list(there.keys("packs/none/")) == []
    with pytest.raises(StorageDenied, match="cannot be listed") as caught:
        next(open_backend(f"{web.url}/x").keys("packs/"))
    assert caught.value.kind == "not_listed"


def test_what_a_web_server_answers(
    web: WebServer, source: Path, client: Clients, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("datacat.backend.bridge.Bridge.sleep", lambda self, seconds: None)
    url = f"{web.url}/store"
    with pytest.raises(NoStore) as nothing:
        Store.open(url, client=client())
    assert nothing.value.kind == "not_a_store"
    with Store.create(str(web.folder / "store"), client=client()) as here:
        here.add(source)
    failed: set[str] = set()

    def once(request: Any) -> int | None:
        first = request.path not in failed
        failed.add(request.path)
        return 503 if first else None

    web.choose = once
    with Store.open(url, client=client("bob")) as there:
        assert there.ls().datasets_total == 1
        # A refusal is never taken for the end of the log.
        web.choose = lambda request: 403 if "/log/" in request.path else None
        with pytest.raises(StorageDenied, match="answered 403"):
            there.ls()
        web.choose = lambda request: 500
        with pytest.raises(StorageError, match="answered 500"):
            there.ls()
    # What answers every name with a page has no store, and none that could be made.
    web.choose = lambda request: None
    (web.folder / "login" / "store.json").mkdir(parents=True)  # the server makes a page of it
    with pytest.raises(StorageDenied, match="answers with a web page"):
        Store.open(f"{web.url}/login", client=client())
    with pytest.raises(NoStore, match="cannot be reached") as away:
        Store.open("http://127.0.0.1:1/x", client=client())
    assert away.value.kind == "store_unreachable"


def test_other_spellings_and_places_that_nobody_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    for url, says in (
        ("gcs://b/x", "Say gs://"),
        ("s3a://b/x", "Say s3://"),
        ("abfs://c/x", "Say az://"),
        ("gopher://h/x", "newer datacat"),
        ("datacat://cmr/x", ""),
        ("zip::https://h/a.zip", ""),
    ):
        with pytest.raises(NoStore) as caught:
            open_backend(url.replace("zip::", "zip://x::"))
        assert caught.value.kind == "unsupported_store"
        assert says in str(caught.value.hint)
    monkeypatch.setitem(sys.modules, "smbprotocol", None)
    monkeypatch.setitem(sys.modules, "smbclient", None)
    monkeypatch.delitem(sys.modules, "fsspec.implementations.smb", raising=False)
    with pytest.raises(NoStore) as missing:
        open_backend("smb://host/share/x")
    assert missing.value.kind == "missing_extra"
    assert "pip install smb" in missing.value.commands[0]
