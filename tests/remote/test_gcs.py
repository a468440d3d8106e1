"""What a person does with a store in a bucket of Google Cloud Storage."""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from datacat.backend import open_backend
from datacat.backend.gcs_rules import aging_rules
from datacat.errors import DatacatError, NoStore, StorageError
from datacat.opened import Client
from datacat.store import Store
from tests.servers.gcs import BUCKET, GcsServer, gcs_server_without_conditions
from tests.servers.proxy import Proxy

Clients = Callable[..., Client]


@pytest.fixture
def place(gcs: GcsServer) -> str:
    return f"gs://{BUCKET}/{uuid.uuid4().hex}"


@pytest.fixture
def between(gcs: GcsServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    """Every request to the server goes through it."""
    with Proxy(gcs.endpoint).running() as proxy:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", proxy.endpoint)
        yield proxy


def test_a_large_file_is_one_upload_and_comes_back(
    place: str, between: Proxy, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("datacat.backend.uploads.PART_BYTES", 1 << 20)
    monkeypatch.setattr("datacat.backend.uploads.STEP_BYTES", 300_000)
    data = random.Random(1).randbytes(5_500_000)
    (tmp_path / "large").write_bytes(data)
    backend = open_backend(place)
    between.choose = lambda method, target: (
        "lost" if between.counted("POST") == 2 else None  # after the two that prove the condition
    )
    backend.write_file("whole/aa/x", tmp_path / "large")
    assert between.counted("POST") == 3
    assert backend.read("whole/aa/x") == data
    backend.write_file("whole/aa/x", tmp_path / "large")  # the same again is done
    (tmp_path / "large").write_bytes(data[::-1])
    with pytest.raises(StorageError) as caught:
        backend.write_file("whole/aa/x", tmp_path / "large")
    assert caught.value.kind == "key_exists"
    assert backend.read("whole/aa/x") == data


@pytest.mark.parametrize(
    ("status", "kind", "says"),
    [
        (401, "credentials_expired", "application-default login"),
        (403, "storage_denied", "storage.objects.create"),
        (404, "no_such_bucket", "datacat makes no buckets"),
        (413, "storage_full", ""),
    ],
)
def test_what_is_refused_in_the_middle_of_an_add(
    place: str, between: Proxy, client: Clients, source: Path, status: int, kind: str, says: str
) -> None:
    with Store.create(place, client=client()) as store:
        between.requests.clear()
        # After the probe: what is uploaded first.
        between.choose = lambda method, target: (
            (status, "x") if method == "POST" and between.counted("POST") >= 2 else None
        )
        with pytest.raises(DatacatError) as caught:
            store.add(source)
        assert caught.value.kind == kind
        assert says in f"{caught.value.hint} {caught.value.commands}"
        between.choose = lambda method, target: None
        assert store.ls().datasets_total == 0
        assert store.add(source).version.ref == "cmr@v1"


def test_who_is_not_let_in(
    place: str, client: Clients, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for attempt in (Store.open, Store.create):
        with pytest.raises(NoStore) as missing:
            attempt("gs://no-such-bucket/x", client=client())
        assert missing.value.kind == "no_such_bucket"
    # Google's own server, and nothing that says who we are.
    monkeypatch.delenv("STORAGE_EMULATOR_HOST")
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "canary.json"))
    with pytest.raises(NoStore) as nobody:
        Store.open(place, client=client())
    assert nobody.value.kind == "no_credentials"
    assert "gcloud auth application-default login" in nobody.value.commands
    assert "canary" not in f"{nobody.value} {nobody.value.hint}"
    (tmp_path / "canary.json").write_text("{}")
    with pytest.raises(NoStore) as unusable:
        Store.open(place, client=client())
    assert unusable.value.kind == "no_credentials"


def test_nobody_answers(place: str, client: Clients, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("datacat.backend.bridge.Bridge.sleep", lambda self, seconds: None)
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", "http://127.0.0.1:1")
    with pytest.raises(NoStore, match="cannot be reached") as caught:
        Store.open(place, client=client())
    assert caught.value.kind == "store_unreachable"


def test_a_server_that_ignores_the_condition_is_refused(
    client: Clients,
    source: Path,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    with gcs_server_without_conditions(tmp_path_factory) as stub:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", stub.endpoint)
        place = f"gs://{BUCKET}/{uuid.uuid4().hex}"
        with pytest.raises(NoStore) as refused:
            Store.create(place, client=client())
        assert refused.value.kind == "no_atomic_create"
        with pytest.raises(StorageError, match="ifGenerationMatch=0") as caught:
            open_backend(place).write("packs/aa/x.pack", b"x")
        assert caught.value.kind == "no_atomic_create"


@pytest.mark.parametrize(
    ("rule", "harms"),
    [
        ({"condition": {"age": 30}}, True),
        ({}, True),
        ({"condition": {"age": 1, "matchesPrefix": ["team/datacat/packs/"]}}, True),
        ({"condition": {"createdBefore": "2027-01-01", "matchesPrefix": ["x", "team"]}}, True),
        ({"condition": {"age": 1, "matchesPrefix": ["photos/"]}}, False),
        ({"condition": {"age": 1, "isLive": False}}, False),
        ({"condition": {"numNewerVersions": 3}}, False),
        ({"condition": {"daysSinceCustomTime": 3}}, False),
        ({"action": {"type": "SetStorageClass"}, "condition": {"age": 3}}, False),
        ({"action": {"type": "AbortIncompleteMultipartUpload"}, "condition": {"age": 7}}, False),
    ],
)
def test_which_rules_harm_a_store(rule: dict[str, object], harms: bool) -> None:
    found = aging_rules([{"action": {"type": "Delete"}, **rule}], "team/datacat/")
    assert bool(found) == harms
