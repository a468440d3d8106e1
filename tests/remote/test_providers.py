"""Adding from where no folder is: a bucket, a web server, an SSH server, whatever fsspec knows."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
import time
import urllib.request
import uuid
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from datacat.errors import Cancelled, DatacatError, Failed, InvalidInput, NotFound, StorageDenied
from datacat.model import AddResult
from datacat.opened import Client
from datacat.progress import Advanced, Event, StopSignal
from datacat.store import Store
from tests.remote.test_store import content
from tests.servers.gcs import BUCKET as GCS_BUCKET
from tests.servers.gcs import GcsServer
from tests.servers.proxy import Fault, Proxy
from tests.servers.s3 import BUCKET, S3Server
from tests.servers.sshd import SshServer
from tests.servers.web import WebServer

Clients = Callable[..., Client]

ODD = [
    "a+b.bin",
    "50%25.bin",
    "n#1.bin",
    "who?.bin",
    "with space.bin",
    "é.bin",
    "sub é+%/x=1&y.bin",
]


@pytest.fixture
def team(tmp_path: Path, client: Clients) -> Iterator[Store]:
    with Store.create(str(tmp_path / "store"), client=client()) as store:
        yield store


@pytest.fixture
def raw(s3: S3Server) -> Any:
    """The bucket, as another program writes to it."""
    from botocore.session import Session

    client = Session().create_client("s3", region_name="us-east-1", endpoint_url=s3.endpoint)
    yield client
    client.close()


@pytest.fixture
def bucket(s3: S3Server, raw: Any) -> str:
    """The URL of a folder in the bucket with small files under odd names, and a larger one."""
    prefix = uuid.uuid4().hex
    for number, name in enumerate(ODD):
        put(raw, f"s3://{BUCKET}/{prefix}/{name}", f"{number} ".encode() * 2_000)
    put(raw, f"s3://{BUCKET}/{prefix}/scan.bin", random.Random(4).randbytes(21 << 20))
    put(raw, f"s3://{BUCKET}/{prefix}/empty", b"")
    put(raw, f"s3://{BUCKET}/{prefix}/.ipynb_checkpoints/x.bin", b"never data")
    put(raw, f"s3://{BUCKET}/{prefix}-other/not.bin", b"a sibling whose name begins the same")
    return f"s3://{BUCKET}/{prefix}"


def put(raw: Any, url: str, data: bytes) -> None:
    raw.put_object(Bucket=BUCKET, Key=url.removeprefix(f"s3://{BUCKET}/"), Body=data)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What the web server and the SSH server serve."""
    folder = tmp_path / "over there" / "cmr"
    (folder / "sub é+%").mkdir(parents=True)
    for number, name in enumerate(ODD):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(f"{number} ".encode() * 2_000)
    (folder / "scan.bin").write_bytes(random.Random(5).randbytes(9 << 20))
    (folder / "empty").touch()
    for path in folder.rglob("*"):
        os.utime(path, (1_600_000_000, 1_600_000_000))
    return folder


@pytest.fixture
def web(folder: Path) -> Iterator[WebServer]:
    with WebServer(folder.parent).running() as server:
        yield server


class Reads:
    """A listener that counts what was read."""

    def __init__(self) -> None:
        self.bytes = 0

    def __call__(self, event: Event) -> None:
        if isinstance(event, Advanced):
            self.bytes += event.bytes


def pulled(store: Store, result: AddResult, tmp_path: Path) -> dict[str, bytes | str]:
    dest = tmp_path / uuid.uuid4().hex
    store.pull(result.version.ref, dest=dest)
    return content(dest)


# A bucket


def test_a_folder_of_a_bucket(
    bucket: str, raw: Any, proxy: Proxy, team: Store, tmp_path: Path, client: Clients
) -> None:
    first = team.add(bucket, name="cmr")
    assert first.version.ref == "cmr@v1"
    assert first.version.added_from == bucket == team.show("cmr").version.added_from
    there = pulled(team, first, tmp_path)
    assert sorted(there) == sorted([*ODD, "scan.bin", "empty"])
    assert there["who?.bin"] == b"3 " * 2_000
    assert there["scan.bin"] == random.Random(4).randbytes(21 << 20)
    assert first.skipped_count == 1
    # Unchanged: one listing says so, and nothing is read.
    proxy.requests.clear()
    again = team.add(bucket, name="cmr")
    assert (again.created, again.version.ref) == (False, "cmr@v1")
    assert [r.method for r in proxy.requests] == ["HEAD", "GET"]
    assert "list-type=2" in proxy.requests[1].target
    # One file changed: only that is read, by its ETag, though its size is as before.
    put(raw, f"{bucket}/a+b.bin", b"9 " * 2_000)
    proxy.requests.clear()
    edited = team.add(bucket, name="cmr")
    assert edited.version.changes.modified == 1
    assert proxy.counted("GET", "a%2Bb.bin") == 1 == proxy.counted("GET", "bin")
    # The same content, from a folder, is the same version.
    team.pull("cmr@v2", dest=tmp_path / "copy")
    with Store.open(team.url, client=client("bob")) as bob:
        assert not bob.add(tmp_path / "copy", name="cmr").created


def test_one_object_into_a_bucket(
    bucket: str, url: str, client: Clients, tmp_path: Path, s3: S3Server
) -> None:
    with Store.create(url, client=client()) as store:
        saved = store.add(f"{bucket}/scan.bin")
        assert saved.version.ref == "scan@v1"
        assert saved.version.files == 1
        assert pulled(store, saved, tmp_path) == {"scan.bin": random.Random(4).randbytes(21 << 20)}
        with pytest.raises(NotFound) as caught:
            store.add(f"{bucket}/nothing")
        assert caught.value.kind == "path_not_found"


@pytest.mark.parametrize("times", [1, 100])
def test_an_object_that_changes_while_it_is_read(
    bucket: str, raw: Any, proxy: Proxy, team: Store, tmp_path: Path, times: int
) -> None:
    changes = 0
    newest = b""

    def choose(method: str, target: str) -> Fault:
        nonlocal changes, newest
        if method == "GET" and "scan.bin" in target and changes < times:
            changes += 1
            newest = random.Random(changes).randbytes(21 << 20)
            put(raw, f"{bucket}/scan.bin", newest)
        return None

    proxy.choose = choose
    if times == 1:
        saved = team.add(bucket, name="cmr")
        # Never half of the one and half of the other.
        assert pulled(team, saved, tmp_path)["scan.bin"] == newest
    else:
        with pytest.raises(Failed, match=r"scan\.bin changed while it was being read") as caught:
            team.add(bucket, name="cmr")
        assert caught.value.kind == "file_changed"
        assert team.ls().datasets_total == 0


def test_a_bucket_that_fails_now_and_then(
    bucket: str, proxy: Proxy, team: Store, tmp_path: Path
) -> None:
    chance, lock = random.Random(6), threading.Lock()
    faults: list[Fault] = ["reset", "lost", "cut", (500, "InternalError"), (503, "SlowDown")]

    def choose(method: str, target: str) -> Fault:
        with lock:
            return chance.choice(faults) if chance.random() < 0.2 else None

    proxy.choose = choose
    saved = team.add(bucket, name="cmr")
    assert len(pulled(team, saved, tmp_path)) == len(ODD) + 2


@pytest.mark.parametrize(
    ("answer", "kind", "exit_code"),
    [
        ((403, "AccessDenied"), "storage_denied", 4),
        ((400, "ExpiredToken"), "credentials_expired", 4),
        ((404, "NoSuchBucket"), "no_such_bucket", 4),
        ((503, "SlowDown"), "provider_unreachable", 1),
    ],
)
def test_what_a_bucket_refuses_is_said_in_words(
    bucket: str,
    proxy: Proxy,
    team: Store,
    monkeypatch: pytest.MonkeyPatch,
    answer: tuple[int, str],
    kind: str,
    exit_code: int,
) -> None:
    monkeypatch.setattr("datacat.providers.base.pause_seconds", lambda attempt, random: 0.0)
    proxy.choose = lambda method, target: answer if "scan.bin" in target else None
    with pytest.raises(DatacatError) as caught:
        team.add(bucket, name="cmr")
    assert (caught.value.kind, caught.value.exit_code) == (kind, exit_code)
    assert not any("store_options" in command for command in caught.value.commands)
    assert team.ls().datasets_total == 0


def test_no_credentials_for_a_bucket(
    bucket: str, team: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(StorageDenied) as caught:
        team.add(bucket)
    assert caught.value.kind == "no_credentials"
    with pytest.raises(InvalidInput) as told:
        team.add("s3://AKIA:canary-secret@bucket/x")
    assert told.value.kind == "secret_in_url"
    assert "canary" not in str(told.value)


def test_what_hangs_is_given_up_when_told_so(bucket: str, proxy: Proxy, team: Store) -> None:
    proxy.choose = lambda method, target: "hang" if "scan.bin" in target else None
    stop = StopSignal()

    def interrupt() -> None:
        proxy.hanging.wait(60)
        stop.set()

    helper = threading.Thread(target=interrupt)
    helper.start()
    with pytest.raises(Cancelled):
        team.add(bucket, stop=stop)
    helper.join()


# A bucket of Google's


@pytest.fixture
def google(gcs: GcsServer) -> Callable[[str, bytes], None]:
    """Writes to the bucket as another program does."""

    def put(key: str, data: bytes) -> None:
        query = f"uploadType=media&name={quote(key, safe='')}"
        request = urllib.request.Request(
            f"{gcs.endpoint}/upload/storage/v1/b/{GCS_BUCKET}/o?{query}", data
        )
        urllib.request.urlopen(request, timeout=20).close()

    return put


def test_a_folder_of_a_bucket_of_google(
    gcs: GcsServer,
    google: Callable[[str, bytes], None],
    team: Store,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    prefix = uuid.uuid4().hex
    expected: dict[str, bytes | str] = {
        name: f"{number} ".encode() * 2_000 for number, name in enumerate(ODD)
    }
    expected |= {"scan.bin": random.Random(4).randbytes(21 << 20), "empty": b""}
    for name, data in expected.items():
        google(f"{prefix}/{name}", bytes(data))  # type: ignore[arg-type]
    google(f"{prefix}/folder/", b"")
    google(f"{prefix}-other/not.bin", b"a sibling whose name begins the same")
    with Proxy(gcs.endpoint).running() as proxy:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", proxy.endpoint)
        place = f"gs://{GCS_BUCKET}/{prefix}"
        first = team.add(place, name="cmr")
        assert first.version.added_from == place
        assert pulled(team, first, tmp_path) == expected
        # Unchanged: one listing says so, and nothing is read.
        proxy.requests.clear()
        assert not team.add(place, name="cmr").created
        assert not [r for r in proxy.requests if "alt=media" in r.target]
        google(f"{prefix}/a+b.bin", bytes(expected["a+b.bin"])[::-1])  # type: ignore[arg-type]
        proxy.requests.clear()
        assert team.add(place, name="cmr").version.changes.modified == 1
        assert proxy.counted("GET", "alt=media") == 1 == proxy.counted("GET", "a%2Bb.bin")
        # One that changes while it is read is read again, and all of it is of one state.
        newest = random.Random(5).randbytes(21 << 20)
        proxy.choose = lambda method, target: (
            google(f"{prefix}/scan.bin", newest)
            if "scan.bin" in target and not proxy.counted("GET", "scan.bin")
            else None
        )
        proxy.requests.clear()
        google(f"{prefix}/scan.bin", random.Random(6).randbytes(21 << 20))
        saved = team.add(f"{place}/scan.bin", name="scan")
        assert pulled(team, saved, tmp_path) == {"scan.bin": newest}
        with pytest.raises(NotFound):
            team.add(f"{place}/nothing")
        with pytest.raises(StorageDenied) as missing:
            team.add("gs://no-such-bucket/x")
        assert missing.value.kind == "no_such_bucket"
        proxy.choose = lambda method, target: (401, "x")
        with pytest.raises(StorageDenied) as expired:
            team.add(place)
        assert expired.value.kind == "credentials_expired"


# A web server


def test_a_folder_of_a_web_server(
    web: WebServer, folder: Path, team: Store, tmp_path: Path
) -> None:
    expected = content(folder)
    first = team.add(f"{web.url}/cmr/")
    assert first.version.ref == "cmr@v1"
    assert pulled(team, first, tmp_path) == expected
    web.asked.clear()
    assert not team.add(f"{web.url}/cmr").created  # sent on to the name with a slash
    assert not web.read(".bin")
    assert pulled(team, team.add(f"{web.url}/cmr/sub%20%C3%A9+%25/"), tmp_path) == {
        "x=1&y.bin": expected["sub é+%/x=1&y.bin"]
    }
    # Its time and size are those of before, only its ETag is not.
    (folder / "new").write_bytes((folder / "a+b.bin").read_bytes()[::-1])
    os.utime(folder / "new", (1_600_000_001, 1_600_000_001))
    os.replace(folder / "new", folder / "a+b.bin")
    web.asked.clear()
    assert team.add(f"{web.url}/cmr/", name="cmr").version.changes.modified == 1
    assert [asked.target for asked in web.read(".bin")] == ["/data/cmr/a+b.bin"]


@pytest.mark.parametrize("kind", ["ranges", "plain", "endless"])
def test_one_file_of_a_web_server(
    web: WebServer, folder: Path, team: Store, tmp_path: Path, kind: str
) -> None:
    web.plain, web.endless = kind == "plain", kind == "endless"
    for name in ("scan.bin", "a+b.bin", "empty"):
        saved = team.add(f"{web.url}/cmr/{name}", name=f"from-{name[0]}")
        assert pulled(team, saved, tmp_path) == {name: (folder / name).read_bytes()}
    reads = Reads()
    assert not team.add(f"{web.url}/cmr/scan.bin", name="from-s", listener=reads).created
    # Nothing tells two states apart where there is neither an ETag nor a time.
    assert reads.bytes == (0 if kind == "ranges" else 9 << 20)


def test_a_token_stays_where_it_was_typed(
    web: WebServer, team: Store, tmp_path: Path, client: Clients
) -> None:
    web.token = "canary-0123"
    saved = team.add(f"{web.url}/cmr/scan.bin?token=canary-0123#x")
    assert saved.version.added_from == f"{web.url}/cmr/scan.bin"
    with pytest.raises(StorageDenied) as caught:
        team.add(f"{web.url}/cmr/scan.bin?token=canary-wrong")
    assert caught.value.kind == "provider_denied"
    assert "canary" not in f"{caught.value} {caught.value.hint} {caught.value.__cause__}"
    url = f"{web.url}/cmr/scan.bin?token=canary-0123"
    done = subprocess.run(
        [sys.executable, "-m", "datacat", "-s", team.url, "--debug", "add", url, "--name", "other"],
        capture_output=True,
        env={**os.environ, "DATACAT_CACHE_DIR": str(tmp_path / "elsewhere")},
        check=False,
    )
    assert done.returncode == 0
    assert b"Nothing to add: this is exactly scan@v1" in done.stderr
    assert b"canary" not in done.stdout + done.stderr
    for place in (tmp_path / "store", client().cache_dir, tmp_path / "elsewhere"):
        for path in place.rglob("*"):
            assert not path.is_file() or b"canary" not in path.read_bytes(), path


def test_what_a_web_server_answers(
    web: WebServer, team: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("datacat.providers.base.pause_seconds", lambda attempt, random: 0.0)
    failed: set[str] = set()

    def once(request: Any) -> int | None:
        first = request.path not in failed
        failed.add(request.path)
        return 503 if first else None

    web.choose = once
    assert team.add(f"{web.url}/cmr/", name="busy").created
    web.choose = lambda request: 429
    with pytest.raises(Failed, match="429") as caught:
        team.add(f"{web.url}/cmr/scan.bin", name="x")
    assert caught.value.kind == "provider_unreachable"
    web.choose = lambda request: None
    with pytest.raises(NotFound):
        team.add(f"{web.url}/cmr/nothing")
    with pytest.raises(Failed) as unlisted:
        team.add(f"{web.url}/cmr/scan.bin/")
    assert unlisted.value.kind in ("provider_not_listed", "path_not_found")
    with pytest.raises(Failed) as nobody:
        team.add("http://127.0.0.1:1/x")
    assert nobody.value.kind == "provider_unreachable"


def test_what_is_left_out_there_too(web: WebServer, folder: Path, team: Store) -> None:
    (folder / ".datacatignore").write_text("*.bin\n!scan.bin\n")
    saved = team.add(f"{web.url}/cmr/")
    files = [file.path for file in team.files(saved.version.ref)]
    assert sorted(files) == [".datacatignore", "empty", "scan.bin"]


# An SSH server


def test_a_folder_of_an_ssh_server(
    sshd: SshServer, folder: Path, team: Store, tmp_path: Path
) -> None:
    (folder / "run.sh").write_text("#!/bin/sh\n")
    (folder / "run.sh").chmod(0o755)
    later = time.time() + 3600
    os.utime(folder / "run.sh", (later, later))
    (folder / "link").symlink_to("scan.bin")
    (folder / "nothing in it").mkdir()
    saved = team.add(f"sftp://hub{folder}")
    dest = tmp_path / "copy"
    team.pull("cmr", dest=dest)
    assert content(dest) == content(folder)
    assert os.access(dest / "run.sh", os.X_OK)
    assert (dest / "nothing in it").is_dir()
    # A folder of this machine with the same is the same version.
    assert team.add(folder, name="cmr").version.hash == saved.version.hash
    reads = Reads()
    assert not team.add(f"sftp://hub{folder}", listener=reads).created
    assert reads.bytes == 10  # the script is too new to be trusted by its time
    with (folder / "scan.bin").open("r+b") as file:
        file.write(b"edited")
    assert team.add(f"sftp://hub{folder}").version.changes.modified == 1
    with pytest.raises(NotFound):
        team.add(f"sftp://hub{folder}/nothing")
    with pytest.raises(InvalidInput) as caught:
        team.add("sftp://bob:canary@hub/x")
    assert caught.value.kind == "secret_in_url"


# Whatever fsspec knows


def test_inside_of_an_archive_on_a_web_server(
    web: WebServer, folder: Path, team: Store, tmp_path: Path
) -> None:
    with zipfile.ZipFile(folder.parent / "all.zip", "w") as archive:
        for name in ("scan.bin", "sub é+%/x=1&y.bin"):
            archive.write(folder / name, name)
    saved = team.add(f"zip://::{web.url}/all.zip", name="zipped")
    assert pulled(team, saved, tmp_path) == {
        name: (folder / name).read_bytes() for name in ("scan.bin", "sub é+%/x=1&y.bin")
    }
    assert saved.version.added_from == f"zip://::{web.url}/all.zip"


def test_a_file_system_of_somebody_else(team: Store, tmp_path: Path) -> None:
    import fsspec

    memory = fsspec.filesystem("memory")
    root = f"/{uuid.uuid4().hex}"
    memory.pipe({f"{root}/a/x.bin": b"1" * 100, f"{root}/y.bin": os.urandom(5 << 20)})
    saved = team.add(f"memory:/{root}", name="mem")
    assert pulled(team, saved, tmp_path) == {
        "a/x.bin": memory.cat(f"{root}/a/x.bin"),
        "y.bin": memory.cat(f"{root}/y.bin"),
    }
    with pytest.raises(InvalidInput) as unknown:
        team.add("gopher://host/x")
    assert unknown.value.kind == "unsupported_provider"


@pytest.mark.parametrize(
    ("url", "package", "extra"),
    [
        ("s3://bucket/x", "s3fs", "datacat[s3]"),
        ("https://host/x?token=canary", "aiohttp", "datacat[http]"),
        ("sftp://host/x", "asyncssh", "datacat[sftp]"),
        ("gs://bucket/x", "gcsfs", "datacat[gcs]"),
        ("hf://datasets/org/name", "huggingface_hub", "datacat[hf]"),
    ],
)
def test_a_package_that_is_missing(
    team: Store, monkeypatch: pytest.MonkeyPatch, url: str, package: str, extra: str
) -> None:
    for name in [name for name in sys.modules if name.startswith("datacat.providers.")]:
        if name.rpartition(".")[2] in ("s3", "gcs", "http", "sftp", "other"):
            monkeypatch.delitem(sys.modules, name)
    for name in ("s3", "gcs_errors", "gcs_requests"):
        monkeypatch.delitem(sys.modules, f"datacat.backend.{name}", raising=False)
    monkeypatch.delitem(sys.modules, "datacat.backend.sftp_session", raising=False)
    for name in [name for name in sys.modules if name.startswith(f"{package}.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(Failed) as caught:
        team.add(url)
    assert caught.value.kind == "provider_needs_package"
    assert extra in caught.value.commands[0]
    assert "canary" not in str(caught.value)
