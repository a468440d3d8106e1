"""From an address to a backend."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import pytest

from datacat.backend import open_backend
from datacat.errors import NoStore
from tests.contract.conftest import ODD_NAME


def test_a_path_means_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / ODD_NAME
    for address in [str(path), path.as_uri(), "file://localhost" + quote(str(path))]:
        backend = open_backend(address)
        assert backend.url == str(path)
        assert backend.path_of("x") == path / "x"
    assert not path.exists()
    monkeypatch.chdir(tmp_path)
    for name in ["~", "a%20b", "#x?y", "memory:x"]:
        assert open_backend(name).url == str(tmp_path / name)
    backend = open_backend("relative")
    monkeypatch.chdir("/")
    assert backend.path_of("x") == tmp_path / "relative" / "x"


def test_memory_has_a_name(request: pytest.FixtureRequest) -> None:
    open_backend("memory://test-open").write("x", b"1")
    assert open_backend("memory://test-open").read("x") == b"1"
    assert open_backend("memory://test-open-2").stat("x") is None
    assert open_backend("MEMORY://test-open").url == "memory://test-open"


@pytest.mark.parametrize("address", ["s3://key:pass@bucket/x?token=pass", "sftp://me:pass@host/x"])
def test_what_is_not_supported_says_so_without_secrets(address: str) -> None:
    with pytest.raises(NoStore, match="not supported by this version") as caught:
        open_backend(address)
    assert caught.value.kind == "unsupported_store"
    shown = f"{caught.value} {caught.value.hint} {caught.value.commands}"
    assert address.split(":", maxsplit=1)[0] in shown
    assert "pass" not in shown


def test_another_machine_is_not_this_one() -> None:
    with pytest.raises(NoStore, match="of this machine"):
        open_backend("file://server/share")


@pytest.mark.parametrize("address", ["", "a\0b"])
def test_no_path_at_all(address: str) -> None:
    with pytest.raises(NoStore):
        open_backend(address)
