"""From an address to a backend."""

from __future__ import annotations

import sys
from pathlib import Path
from urllib.parse import quote

import pytest

from datacat.backend import open_backend
from datacat.errors import DatacatError, InvalidInput, NoStore
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


def shown(error: DatacatError) -> str:
    return f"{error} {error.hint} {error.commands}"


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("s3://key:canary@bucket/x?token=canary", "secret_in_url"),
        ("s3://canary@bucket/x", "secret_in_url"),
        ("s3://bucket/x?token=canary", "bad_store_url"),
        ("sftp://me:canary@host/x", "secret_in_url"),
        ("https://me:canary@host/x", "secret_in_url"),
        ("s3:///canary", "bad_store_url"),
        ("s3://bucket/canary//x", "bad_store_url"),
        ("s3://bucket/../canary", "bad_store_url"),
        ("s3://bucket/canary\n", "bad_store_url"),
    ],
)
def test_a_secret_in_an_address_is_refused_and_never_shown(address: str, kind: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        open_backend(address)
    assert caught.value.kind == kind
    assert f"{address.split(':', maxsplit=1)[0]}://" in shown(caught.value)
    assert "canary" not in shown(caught.value)


def test_what_is_not_supported_says_so() -> None:
    with pytest.raises(NoStore, match="gopher://\\) is not supported by this version") as caught:
        open_backend("gopher://host/x")
    assert caught.value.kind == "unsupported_store"


@pytest.mark.parametrize(
    "options",
    [
        {"colour": "red"},
        {"endpoint": "bucket.example.org"},
        {"endpoint": "http://me:canary@example.org"},
        {"anonymous": "perhaps"},
    ],
)
def test_options_that_make_no_sense(options: dict[str, str]) -> None:
    with pytest.raises(InvalidInput) as caught:
        open_backend("s3://bucket/x", options)
    assert "canary" not in shown(caught.value)
    assert open_backend("memory://x", options).url == "memory://x"  # they are not its own


def test_a_missing_package_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "s3fs", None)
    monkeypatch.delitem(sys.modules, "datacat.backend.s3", raising=False)
    with pytest.raises(NoStore) as caught:
        open_backend("s3://bucket/x")
    assert caught.value.kind == "missing_extra"
    assert caught.value.commands == ("pip install 'datacat[s3]'",)


def test_another_machine_is_not_this_one() -> None:
    with pytest.raises(NoStore, match="of this machine"):
        open_backend("file://server/share")


@pytest.mark.parametrize("address", ["", "a\0b"])
def test_no_path_at_all(address: str) -> None:
    with pytest.raises(NoStore):
        open_backend(address)
