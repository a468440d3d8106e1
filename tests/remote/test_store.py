"""What a person does with a store, done with one in a bucket."""

from __future__ import annotations

import hashlib
import os
import random
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

import datacat
from datacat import layout
from datacat.backend import open_backend
from datacat.catalog.remembered import Remembered
from datacat.errors import (
    Cancelled,
    Corrupt,
    DatacatError,
    Failed,
    NoStore,
    Refused,
    StorageDenied,
    StorageError,
)
from datacat.filesystem import DatacatFileSystem
from datacat.model import LinkMode
from datacat.opened import Client
from datacat.store import Store
from tests.conftest import make_client
from tests.servers.proxy import Fault, Proxy
from tests.servers.s3 import BUCKET, SECRET, S3Server

Clients = Callable[..., Client]


def content(folder: Path) -> dict[str, bytes | str]:
    """Every file below a folder, without what datacat keeps there."""
    found: dict[str, bytes | str] = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if name.startswith(".datacat") or (path.is_dir() and not path.is_symlink()):
            continue
        found[name] = os.readlink(path) if path.is_symlink() else path.read_bytes()
    return found


def test_two_stores_in_one_bucket_are_apart(url: str, client: Clients, source: Path) -> None:
    first = Store.create(url, client=client())
    second = Store.create(f"{url}2", client=client())
    first.add(source)
    assert second.ls().datasets_total == 0
    assert first.info.id != second.info.id


def test_a_bucket_that_holds_something_else_is_no_store(url: str, client: Clients) -> None:
    raw = open_backend(f"{url}/photos")
    raw.write("2026/cat.jpg", b"miau")
    with pytest.raises(NoStore) as caught:
        Store.open(url, client=client())
    assert caught.value.kind == "not_a_store"
    with pytest.raises(Failed, match="is not empty and not a store") as taken:
        Store.create(url, client=client())
    assert taken.value.kind == "not_empty"
    assert "photos/2026/cat.jpg" in str(taken.value.hint)
    assert raw.stat("2026/cat.jpg") is not None


def test_links_need_a_folder(url: str, client: Clients, source: Path, tmp_path: Path) -> None:
    with pytest.raises(Refused) as caught:
        Store.create(url, client=client(), link=LinkMode.SYMLINK)
    assert caught.value.kind == "no_links"
    Store.create(url, client=client()).add(source)
    store = Store.open(url, client=client(), link=LinkMode.SYMLINK)  # a setting is a preference
    with pytest.raises(Refused, match="not in this machine's file system"):
        store.pull("cmr", dest=tmp_path / "copy", link=LinkMode.HARDLINK)
    assert not (tmp_path / "copy").exists()
    assert store.pull("cmr", dest=tmp_path / "copy").linked == 0


def test_a_large_file_goes_in_parts_and_comes_back(
    url: str, proxy: Proxy, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("datacat.backend.uploads.PART_BYTES", 6 << 20)
    data = random.Random(1).randbytes(20 << 20)
    (tmp_path / "large").write_bytes(data)
    backend = open_backend(url)
    backend.write_file("whole/aa/x", tmp_path / "large")
    assert proxy.counted("PUT", "partNumber=") == 4
    assert backend.read("whole/aa/x") == data
    # The same again under the same name is done; something else is refused.
    backend.write_file("whole/aa/x", tmp_path / "large")
    (tmp_path / "large").write_bytes(data[::-1])
    with pytest.raises(StorageError) as caught:
        backend.write_file("whole/aa/x", tmp_path / "large")
    assert caught.value.kind == "key_exists"
    assert backend.read("whole/aa/x") == data


# A server that fails


@pytest.mark.parametrize("fault", ["reset", "lost", (503, "SlowDown"), (500, "InternalError")])
def test_an_upload_in_parts_survives_every_fault(
    url: str, proxy: Proxy, fault: Fault, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Every kind of request of it fails once: begin, each part, complete."""
    monkeypatch.setattr("datacat.backend.uploads.PART_BYTES", 6 << 20)
    failed: set[tuple[str, str]] = set()

    def choose(method: str, target: str) -> Fault:
        step = (method, re.sub("uploadId=[^&]*", "", target))
        if "whole/aa/x" not in target or method == "GET" or step in failed:
            return None
        failed.add(step)
        return fault

    proxy.choose = choose
    data = random.Random(2).randbytes(20 << 20)
    (tmp_path / "large").write_bytes(data)
    open_backend(url).write_file("whole/aa/x", tmp_path / "large")
    assert len(failed) >= 6
    assert open_backend(url).read("whole/aa/x") == data


def test_403_is_never_absence(url: str, proxy: Proxy, client: Clients, source: Path) -> None:
    """Without the right to list, S3 answers 403 for a key that is not there."""
    with Store.create(url, client=client()) as store:
        store.add(source)
        proxy.choose = lambda method, target: (
            (403, "AccessDenied") if method in ("GET", "HEAD") and "/log/" in target else None
        )
        with pytest.raises(StorageDenied, match="not permitted: GetObject") as caught:
            store.ls()
        assert "s3:ListBucket" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ((400, "ExpiredToken"), "credentials_expired"),
        ((403, "RequestTimeTooSkewed"), "clock_skew"),
        ((403, "InvalidAccessKeyId"), "bad_credentials"),
        ((404, "NoSuchBucket"), "no_such_bucket"),
        ((301, "PermanentRedirect"), "bad_store_options"),
        ((507, "InsufficientStorage"), "storage_full"),
        ((501, "NotImplemented"), "no_atomic_create"),
        ((403, "AccessDenied"), "storage_denied"),
    ],
)
def test_what_a_server_refuses_is_said_in_words(
    url: str, proxy: Proxy, client: Clients, source: Path, answer: tuple[int, str], kind: str
) -> None:
    with Store.create(url, client=client()) as store:
        proxy.choose = lambda method, target: answer if "/packs/" in target else None
        with pytest.raises(DatacatError) as caught:
            store.add(source)
        assert caught.value.kind == kind
        proxy.choose = lambda method, target: None
        assert store.ls().datasets_total == 0
        assert store.add(source).version.ref == "cmr@v1"


def test_a_server_that_ignores_the_condition_is_refused(
    url: str, proxy: Proxy, client: Clients, source: Path
) -> None:
    Store.create(url, client=client()).close()
    # It says yes to whatever is asked of the probe.
    proxy.choose = lambda method, target: (200, "") if "tmp/probe" in target else None
    with pytest.raises(NoStore) as refused:
        Store.create(f"{url}2", client=client())
    assert refused.value.kind == "no_atomic_create"
    with Store.open(url, client=client()) as store:
        with pytest.raises(StorageError, match="If-None-Match") as caught:
            store.add(source)
        assert caught.value.kind == "no_atomic_create"
        assert store.ls().datasets_total == 0  # it can be read all the same
    assert not proxy.counted("PUT", "/packs/")


def test_a_container_that_vanished_is_damage(
    url: str, client: Clients, source: Path, tmp_path: Path
) -> None:
    with Store.create(url, client=client()) as store:
        store.add(source)
        raw = open_backend(url)
        for found in list(raw.keys("packs/")):
            raw.delete(found.key)
        with pytest.raises(Corrupt):
            store.pull("cmr", dest=tmp_path / "copy")
        assert not all(found.ok for found in store.verify())


# A server that is not there


def test_nobody_answers(s3: S3Server, client: Clients, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("datacat.backend.bridge.Bridge.sleep", lambda self, seconds: None)
    with pytest.raises(NoStore, match="cannot be reached") as caught:
        Store.open(f"s3://{BUCKET}/x", client=client(), options={"endpoint": "http://127.0.0.1:1"})
    assert caught.value.kind == "store_unreachable"


@pytest.mark.parametrize("profile", [None, "nobody"])
def test_no_credentials(
    s3: S3Server, client: Clients, monkeypatch: pytest.MonkeyPatch, profile: str | None
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    options = {"profile": profile} if profile else {}
    with pytest.raises(NoStore) as caught:
        Store.open(f"s3://{BUCKET}/x", client=client(), options=options)
    assert caught.value.kind == ("bad_store_options" if profile else "no_credentials")


def test_a_bucket_that_is_not_there(s3: S3Server, client: Clients) -> None:
    for attempt in (Store.open, Store.create):
        with pytest.raises(NoStore) as caught:
            attempt("s3://no-such-bucket/x", client=client())
        assert caught.value.kind == "no_such_bucket"


def test_what_hangs_is_given_up_when_told_so(
    url: str, proxy: Proxy, client: Clients, source: Path
) -> None:
    store = Store.create(url, client=client())
    proxy.choose = lambda method, target: "hang" if "/packs/" in target else None

    def interrupt() -> None:
        proxy.hanging.wait(60)
        store.interrupt()

    helper = threading.Thread(target=interrupt)
    helper.start()
    with pytest.raises(Cancelled):
        store.add(source)
    helper.join()
    with pytest.raises(Cancelled):
        store.ls()


@pytest.mark.parametrize("verb", ["add", "ls"])
def test_ctrl_c_ends_a_command_that_hangs(
    url: str, proxy: Proxy, s3: S3Server, client: Clients, source: Path, tmp_path: Path, verb: str
) -> None:
    import signal

    Store.create(url, client=client()).close()
    place = "/packs/" if verb == "add" else "/log/"
    proxy.choose = lambda method, target: "hang" if place in target else None
    command = [sys.executable, "-m", "datacat", "--store", url]
    command += ["add", str(source)] if verb == "add" else ["ls"]
    running = subprocess.Popen(
        command,
        env={
            **s3.environment,
            "AWS_ENDPOINT_URL": proxy.endpoint,
            "PATH": os.defpath,
            "HOME": str(tmp_path),
            "PYTHONPATH": os.pathsep.join(sys.path),
        },
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert proxy.hanging.wait(60)
    asked = time.monotonic()
    running.send_signal(signal.SIGINT)
    _, err = running.communicate(timeout=60)
    assert time.monotonic() - asked < 2
    assert running.returncode == 130
    assert err.decode().strip() in (
        "Stopped.",
        "Stopping… (nothing was saved; run the same command to continue)",
    )


# Secrets


def test_secrets_are_never_kept_or_shown(
    url: str, proxy: Proxy, s3: S3Server, source: Path, tmp_path: Path
) -> None:
    """Not in the store, in the cache, in the settings, in what is printed, also with --debug."""
    canary, session = "canary-in-a-url", "canary-session-token"
    home = tmp_path / "home"
    home.mkdir()
    environment = {
        **s3.environment,
        "AWS_ENDPOINT_URL": proxy.endpoint,
        "PATH": os.defpath,
        "HOME": str(home),
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    printed = b""

    def datacat(*arguments: str, **more: str) -> int:
        nonlocal printed
        done = subprocess.run(
            [sys.executable, "-m", "datacat", "--debug", "--no-input", *arguments],
            env={**environment, **more},
            capture_output=True,
            timeout=120,
            check=False,
        )
        printed += done.stdout + done.stderr
        return done.returncode

    assert datacat("init", url) == 0
    assert datacat("add", str(source)) == 0
    assert datacat("config") == 0
    endpoint = proxy.endpoint.replace("http://", f"http://me:{canary}@")
    secret_url = url.replace("s3://", f"s3://key:{canary}@")
    assert datacat("ls", AWS_SECRET_ACCESS_KEY="canary-wrong-secret") == 4
    assert datacat("ls", AWS_ENDPOINT_URL="http://me:canary-endpoint@127.0.0.1:1") == 4
    assert datacat("ls", AWS_SESSION_TOKEN=session) in (0, 4)
    assert datacat("ls", "--store", secret_url) == 2
    assert datacat("ls", DATACAT_STORE=f"{url}?token={canary}") == 2
    assert datacat("init", secret_url) == 2
    assert datacat("config", "set", "store", secret_url) == 2
    assert datacat("config", "set", "store_options.endpoint", endpoint) == 2
    assert datacat("config", "set", "store_options.secret_key", canary) == 2
    proxy.choose = lambda method, target: (500, "InternalError") if "/log/" in target else None
    assert datacat("ls") != 0
    proxy.choose = lambda method, target: None
    kept = [path.read_bytes() for path in home.rglob("*") if path.is_file()]
    backend = open_backend(url)
    kept += [backend.read(found.key) for found in backend.keys("")]
    assert len(kept) > 8
    for secret in (SECRET, "canary"):
        assert secret.encode() not in printed, printed.decode()[-3000:]
        assert not any(secret.encode() in data for data in kept)
    assert b"s3://" in printed


# What is remembered


def test_a_store_that_was_made_anew_is_never_written_to_by_mistake(
    url: str, client: Clients, source: Path, tmp_path: Path
) -> None:
    """Its log would have a gap, and a record of another store in it."""
    with Store.create(url, client=client()) as store:
        store.add(source)
        store.ls()
    raw = open_backend(url)
    first = raw.read(layout.STORE)
    for found in list(raw.keys("")):
        raw.delete(found.key)
    Store.create(url, client=client("bob"), name="second").close()
    (source / "labels.csv").write_text("changed")
    with Store.open(url, client=client()) as late:
        with pytest.raises(NoStore) as caught:
            late.add(source, force=True)
        assert caught.value.kind == "store_replaced"
    for look in (lambda store: store.pull("cmr", dest=tmp_path / "copy"), Store.verify):
        Remembered(raw, tmp_path / "cache-alice-hub").note(first)
        with Store.open(url, client=client()) as late:
            with pytest.raises(NoStore) as caught:
                look(late)
            assert caught.value.kind == "store_replaced", "and not: all is damaged"
    assert raw.stat(layout.log_record(2)) is None
    assert raw.stat(layout.log_record(3)) is None
    other = tmp_path / "other"
    other.mkdir()
    (other / "file").write_text("x")
    with Store.open(url, client=client()) as again:
        assert again.info.name == "second"
        assert again.add(other).version.ref == "other@v1"


# Requests


def test_few_requests(url: str, proxy: Proxy, client: Clients, tmp_path: Path) -> None:
    """No request for each small file, no listing on the usual path, and little read for a part."""
    folder = tmp_path / "many"
    folder.mkdir()
    chance = random.Random(4)
    for number in range(2_000):
        (folder / f"{number:04d}.bin").write_bytes(chance.randbytes(10_240))
    with Store.create(url, client=client("alice")) as alice:
        alice.ls()
        proxy.requests.clear()
        alice.add(folder)
        assert proxy.counted("PUT", "/packs/") <= 3
        assert proxy.counted("PUT") <= 8
        assert proxy.counted("GET", "list-type") == 0
        alice.ls()
        proxy.requests.clear()
        alice.ls()
        assert [request.method for request in proxy.requests] == ["GET"]
        # A command of its own asks for nothing else: what the store is, it knows.
        proxy.requests.clear()
        Store.open(url, client=client("alice")).ls()
        assert [request.method for request in proxy.requests] == ["GET"]
    with Store.open(url, client=client("bob")) as bob:
        bob.ls()
        proxy.requests.clear()
        bob.pull("many", patterns=["0003.bin", "0999.bin", "1500.bin"], dest=tmp_path / "three")
        assert len(list((tmp_path / "three").glob("*.bin"))) == 3
        data = sum(r.received for r in proxy.requests if "/packs/" in r.target)
        assert data <= 2_000 * 10_240 // 100
        assert sum(request.received for request in proxy.requests) < 2_000 * 10_240 // 20
        assert proxy.counted("GET", "list-type") == 0
        proxy.requests.clear()
        bob.pull("many", dest=tmp_path / "all")
        assert proxy.counted("GET", "/packs/") <= 12
        assert (tmp_path / "all" / "0042.bin").read_bytes() == (folder / "0042.bin").read_bytes()


def test_what_is_sent_is_signed_by_its_digest(
    url: str, proxy: Proxy, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Small, larger, and in parts: who changes a body on its way does not have its signature."""
    monkeypatch.setattr("datacat.backend.uploads.PART_BYTES", 6 << 20)
    stated: list[tuple[str | None, str, int]] = []

    def look(headers: Mapping[str, str], body: bytes) -> None:
        found = hashlib.sha256(body).hexdigest()
        stated.append((headers.get("x-amz-content-sha256"), found, len(body)))

    proxy.look = look
    data = random.Random(5).randbytes(15 << 20)
    (tmp_path / "large").write_bytes(data)
    backend = open_backend(url)
    backend.write("packs/aa/x", b"small")
    backend.write("packs/aa/y", data[:200_000])
    backend.write_file("whole/aa/x", tmp_path / "large")
    assert {5, 200_000, 5 << 20} <= {size for _, _, size in stated}
    assert all(given == found for given, found, _ in stated)
    assert backend.read("whole/aa/x") == data


def test_a_team_shares_what_was_fetched(
    url: str, proxy: Proxy, source: Path, tmp_path: Path
) -> None:
    """In a folder like that of a store; what somebody else put there is compared first."""
    team = tmp_path / "team"
    team.mkdir()
    team.chmod(0o2775)
    with Store.create(url, client=make_client(tmp_path, "alice")) as store:
        store.add(source)
    expected = (source / "scan.bin").read_bytes()

    def fetched(user: str) -> tuple[Path, int]:
        DatacatFileSystem.clear_instance_cache()
        client = Client(user, "hub", team, jobs=2)
        with Store.open(url, client=client) as store:
            version = datacat.open("cmr@v1", store=store)
            proxy.requests.clear()
            path = version["scan.bin"].path
        assert path.read_bytes() == expected
        return path, proxy.counted("GET", "/packs/") + proxy.counted("GET", "/whole/")

    path, asked = fetched("alice")
    assert asked
    assert path.is_relative_to(team)
    assert fetched("bob") == (path, 0)
    if os.getuid() == 0:
        os.chown(path, 61_001, -1)
        assert fetched("bob") == (path, 0)
        was = path.stat()
        with path.open("r+b") as file:
            file.write(expected[::-1])
        os.utime(path, ns=(was.st_atime_ns, was.st_mtime_ns))
        assert fetched("bob")[1] > 0, "the same file, with other content"
        path.unlink()
        path.write_bytes(expected[::-1])
        os.chown(path, 61_001, -1)
        assert fetched("bob")[1] > 0
        os.chown(team / "users" / "0", 61_001, -1)
        with pytest.raises(StorageDenied, match="belongs to somebody else"):
            fetched("bob")
