"""What holds for every kind of object store, and one request in ten failing on the way to it."""

from __future__ import annotations

import os
import random
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from datacat.backend import open_backend
from datacat.errors import OutcomeUnknown, Refused, StorageError
from datacat.opened import Client
from datacat.store import Store
from tests.remote.places import place_of
from tests.remote.test_store import content
from tests.servers.azurite import ACCOUNT
from tests.servers.cutter import Cutter
from tests.servers.proxy import Fault, Proxy
from tests.servers.sshd import SshServer

Clients = Callable[..., Client]
BUCKETS = ["s3", "gcs", "azure"]


@pytest.fixture
def url(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> str:
    return place_of(kind, tmp_path, request)


@pytest.mark.parametrize("kind", BUCKETS)
def test_two_people_share_a_store(url: str, client: Clients, source: Path, tmp_path: Path) -> None:
    expected = content(source)
    with Store.create(url, client=client("alice"), name="lab") as alice:
        assert alice.add(source, message="first").version.ref == "cmr@v1"
    with Store.open(url, client=client("bob")) as bob:
        assert bob.info.name == "lab"
        pulled = bob.pull("cmr", dest=tmp_path / "copy")
        assert content(tmp_path / "copy") == expected
        assert pulled.checked
        assert all(found.ok for found in bob.verify())
        with (tmp_path / "copy" / "scan.bin").open("r+b") as file:
            file.seek(1_500_000)
            file.write(b"edited")
        edited = content(tmp_path / "copy")
        saved = bob.add(tmp_path / "copy")
        assert saved.version.ref == "cmr@v2"
        # An edit costs its own chunks, in an object store without being asked.
        assert 0 < saved.version.stored_bytes < 600_000
    with Store.open(url, client=client("alice")) as alice:
        alice.pull("cmr@v2", dest=tmp_path / "again")
        assert content(tmp_path / "again") == edited
        alice.pull("cmr@v1", dest=tmp_path / "first")
        assert content(tmp_path / "first") == expected
        assert alice.du().free_bytes is None
        assert alice.url == url


@pytest.mark.parametrize("kind", BUCKETS)
def test_a_listing_of_many_pages(kind: str, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"datacat.backend.{kind}.PAGE_KEYS", 7)
    backend = open_backend(url)
    keys = sorted(f"packs/{number % 5:02d}/{number}.pack" for number in range(40))
    for key in keys:
        backend.write(key, b"x")
    assert [found.key for found in backend.keys("packs/")] == keys
    assert [found.key for found in backend.keys("", after=keys[20])] == keys[21:]


@pytest.mark.parametrize("kind", [*BUCKETS, "sftp"])
def test_one_request_in_ten_fails(
    kind: str,
    url: str,
    client: Clients,
    tmp_path: Path,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Every acknowledged version is intact, and none is there twice."""
    monkeypatch.setattr("datacat.backend.bridge.Bridge.sleep", lambda self, seconds: None)
    Store.create(url, client=client()).close()
    each = 3 if kind == "sftp" else 4
    acknowledged: dict[int, bytes] = {}
    results: list[list[str]] = []

    def save(place: str, user: str) -> None:
        failures = []
        with Store.open(place, client=client(user)) as store:
            for number in range(each):
                folder = tmp_path / f"{user}-{number}"
                folder.mkdir()
                data = f"{user} {number}".encode() * 50
                (folder / "file").write_bytes(data)
                try:
                    saved = store.add(folder, name="cmr", force=True, new_version=True)
                except (OutcomeUnknown, StorageError, Refused) as error:
                    failures.append(error.kind)
                    continue
                acknowledged[saved.version.number] = data
        results.append(failures)

    with failing(kind, url, tmp_path, request, monkeypatch) as (place, faults):
        workers = [
            threading.Thread(target=save, args=(place, user)) for user in ("alice", "bob", "carol")
        ]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        assert faults() > each * 4
    assert len(acknowledged) >= each * 3 - 3, results
    with Store.open(url, client=client("dana")) as store:
        versions = store.log("cmr")
        for number, data in acknowledged.items():
            store.pull(f"cmr@v{number}", dest=tmp_path / f"v{number}")
            assert (tmp_path / f"v{number}" / "file").read_bytes() == data
        assert all(found.ok for found in store.verify())
        assert len({version.hash for version in versions}) == len(versions)


@contextmanager
def failing(
    kind: str,
    url: str,
    folder: Path,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[tuple[str, Callable[[], int]]]:
    """The URL of the store by a way on which one request in ten fails, and how many did."""
    chance = random.Random(3)
    if kind == "sftp":
        server = request.getfixturevalue("sshd")
        with cut_connections(server, folder, chance, monkeypatch) as cutter:
            yield url.replace("//hub", f"//127.0.0.1:{cutter.port}"), lambda: cutter.cuts
        return
    name, upstream = endpoint_of(kind)
    with Proxy(upstream).running() as proxy:
        given = os.environ[name].replace(upstream, proxy.endpoint)
        faults: list[Fault] = ["reset", "lost", "cut", (500, "InternalError"), (503, "SlowDown")]
        lock = threading.Lock()

        def choose(method: str, target: str) -> Fault:
            with lock:
                if chance.random() >= 0.1:
                    return None
                # The answer of S3 to two who write at once; others give no such answer falsely.
                conflict: list[Fault] = [(409, "ConditionalRequestConflict")]
                return chance.choice(faults + conflict * ((kind, method) == ("s3", "PUT")))

        proxy.choose = choose
        with monkeypatch.context() as patched:
            patched.setenv(name, given)
            yield url, lambda: sum(asked.fault is not None for asked in proxy.requests)


def endpoint_of(kind: str) -> tuple[str, str]:
    """The variable that says where the server is, and what of its value is to be replaced."""
    name = {
        "s3": "AWS_ENDPOINT_URL",
        "gcs": "STORAGE_EMULATOR_HOST",
        "azure": "AZURE_STORAGE_CONNECTION_STRING",
    }[kind]
    value = os.environ[name]
    if kind == "azure":
        value = value.partition("BlobEndpoint=")[2].partition(f"/{ACCOUNT}")[0]
    return name, value


@contextmanager
def cut_connections(
    server: SshServer, folder: Path, chance: random.Random, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Cutter]:
    """Each connection breaks, while it is made or some requests later."""
    with Cutter(server.port).running() as cutter, monkeypatch.context() as patched:
        cutter.after = [chance.randrange(500, 30_000) for _ in range(1_000)]
        home = folder / "home"
        shutil.copytree(server.home, home)
        known = home / ".ssh" / "known_hosts"
        known.write_text(f"[127.0.0.1]:{cutter.port} {known.read_text().split(' ', 1)[1]}")
        patched.setenv("HOME", str(home))
        yield cutter
