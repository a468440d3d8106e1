"""What a person does with a store in a container of Azure."""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from datacat.backend import open_backend
from datacat.errors import NoStore, StorageDenied, StorageError
from datacat.opened import Client
from datacat.store import Store
from tests.servers.azurite import ACCOUNT, CONTAINER, KEY, AzureServer

Clients = Callable[..., Client]


@pytest.fixture
def place(azure: AzureServer) -> str:
    return f"az://{CONTAINER}/{uuid.uuid4().hex}"


def test_a_large_file_goes_in_parts_and_comes_back(
    place: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("datacat.backend.uploads.PART_BYTES", 1 << 20)
    data = random.Random(1).randbytes(5_500_000)
    (tmp_path / "large").write_bytes(data)
    backend = open_backend(place)
    backend.write_file("whole/aa/x", tmp_path / "large")
    assert backend.read("whole/aa/x") == data
    backend.write_file("whole/aa/x", tmp_path / "large")  # the same again is done
    (tmp_path / "large").write_bytes(data[::-1])
    with pytest.raises(StorageError) as caught:
        backend.write_file("whole/aa/x", tmp_path / "large")
    assert caught.value.kind == "key_exists"
    assert backend.read("whole/aa/x") == data


def test_who_is_not_let_in(
    place: str, azure: AzureServer, client: Clients, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(NoStore) as missing:
        Store.create("az://no-such-container/x", client=client())
    assert missing.value.kind == "no_such_bucket"
    wrong = azure.connection_string.replace(KEY, "Y2FuYXJ5")
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", wrong)
    with pytest.raises(StorageDenied) as denied:
        Store.open(place, client=client())
    # Azure says AuthenticationFailed; Azurite has one word for everything it refuses.
    assert denied.value.kind in {"bad_credentials", "storage_denied"}
    assert "Y2FuYXJ5" not in f"{denied.value} {denied.value.hint}"
    monkeypatch.delenv("AZURE_STORAGE_CONNECTION_STRING")
    with pytest.raises(NoStore) as nobody:
        Store.open(place, client=client())
    assert nobody.value.kind == "no_credentials"


def test_nobody_answers(
    place: str, azure: AzureServer, client: Clients, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("datacat.backend.bridge.Bridge.sleep", lambda self, seconds: None)
    away = azure.connection_string.replace(azure.endpoint, f"http://127.0.0.1:1/{ACCOUNT}")
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", away)
    with pytest.raises(NoStore, match="cannot be reached") as caught:
        Store.open(place, client=client())
    assert caught.value.kind == "store_unreachable"
