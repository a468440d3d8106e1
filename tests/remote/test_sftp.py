"""What a person does with a store on a server that they reach by SSH."""

from __future__ import annotations

import os
import pwd
import shutil
import stat
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from datacat.backend import open_backend
from datacat.errors import DatacatError, NoStore, NotFound, StorageDenied, StorageError
from datacat.opened import Client
from datacat.store import Store
from tests.remote.test_store import content
from tests.servers.cutter import Cutter
from tests.servers.sshd import SshServer, ssh_server_without_links

asyncssh = pytest.importorskip("asyncssh")
Clients = Callable[..., Client]


@pytest.fixture
def place(sshd: SshServer, tmp_path: Path) -> str:
    return f"sftp://hub{tmp_path}/store"


@pytest.fixture
def home(sshd: SshServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of this test's own, to be changed."""
    folder = tmp_path / "home"
    shutil.copytree(sshd.home, folder)
    monkeypatch.setenv("HOME", str(folder))
    return folder


def test_two_people_share_a_folder_over_there(
    place: str, client: Clients, source: Path, tmp_path: Path
) -> None:
    expected = content(source)
    with Store.create(place, client=client("alice")) as alice:
        alice.add(source)
        assert alice.url == place
    with Store.open(place, client=client("bob")) as bob:
        bob.pull("cmr", dest=tmp_path / "copy")
        assert content(tmp_path / "copy") == expected
        with (tmp_path / "copy" / "scan.bin").open("r+b") as file:
            file.write(b"edited")
        assert bob.add(tmp_path / "copy").version.ref == "cmr@v2"
        assert all(found.ok for found in bob.verify())
        assert (bob.du().free_bytes or 0) > 0
    # Whoever works on that machine itself opens the same store by its path.
    with Store.open(str(tmp_path / "store"), client=client("carol")) as carol:
        carol.pull("cmr@v1", dest=tmp_path / "local")
        assert content(tmp_path / "local") == expected
    for path in (tmp_path / "store").rglob("*"):
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode == (0o2775 if path.is_dir() else 0o444) or "copies" in path.parts, path
    assert not list((tmp_path / "store" / "tmp").iterdir())


def test_a_private_store_is_private(place: str, client: Clients, tmp_path: Path) -> None:
    Store.create(place, client=client(), shared=False).close()
    assert stat.S_IMODE((tmp_path / "store" / "packs").stat().st_mode) == 0o700


def test_a_path_in_ones_home(home: Path, client: Clients) -> None:
    name = f"datacat-test-{uuid.uuid4().hex}"
    Store.create(f"sftp://hub/~/{name}", client=client(), name="mine").close()
    there = Path(pwd.getpwuid(os.getuid()).pw_dir)
    try:
        assert Store.open(f"sftp://hub/~/{name}", client=client()).info.name == "mine"
        assert (there / name / "store.json").is_file()
    finally:
        shutil.rmtree(there / name, ignore_errors=True)


def test_a_server_that_nobody_vouched_for(place: str, client: Clients, home: Path) -> None:
    (home / ".ssh" / "known_hosts").unlink()
    with pytest.raises(NoStore) as caught:
        Store.open(place, client=client())
    assert caught.value.kind == "host_key_unknown"
    assert caught.value.commands == ("ssh hub",)


def test_a_server_that_shows_another_key(place: str, client: Clients, home: Path) -> None:
    other = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode().split()[1]
    known = home / ".ssh" / "known_hosts"
    known.write_text(known.read_text().split()[0] + f" ssh-ed25519 {other}\n")
    with pytest.raises(NoStore) as caught:
        Store.open(place, client=client())
    assert caught.value.kind == "host_key_changed"


def test_somebody_whom_the_server_does_not_know(place: str, client: Clients, home: Path) -> None:
    asyncssh.generate_private_key("ssh-ed25519").write_private_key(
        str(home / ".ssh" / "id_ed25519")
    )
    with pytest.raises(StorageDenied, match="does not let you in") as caught:
        Store.open(place, client=client())
    assert caught.value.kind == "bad_credentials"


def test_nobody_answers(
    home: Path, client: Clients, monkeypatch: pytest.MonkeyPatch, sshd: SshServer
) -> None:
    monkeypatch.setattr("datacat.backend.bridge.Bridge.sleep", lambda self, seconds: None)
    with pytest.raises(NoStore) as caught:
        Store.open("sftp://127.0.0.1:1/store", client=client())
    assert caught.value.kind == "store_unreachable"


def test_places_that_are_no_store(place: str, client: Clients, tmp_path: Path) -> None:
    with pytest.raises(NoStore) as none:
        Store.open(place, client=client())
    assert none.value.kind == "not_a_store"
    with pytest.raises(NotFound, match="the folder above it does not exist"):
        Store.create(f"{place}/too/deep", client=client())
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "cat.jpg").write_bytes(b"miau")
    with pytest.raises(DatacatError) as taken:
        Store.create(place, client=client())
    assert taken.value.kind == "not_empty"


def test_a_drive_that_is_away_over_there_is_no_empty_store(
    place: str, client: Clients, source: Path, tmp_path: Path
) -> None:
    with Store.create(place, client=client()) as store:
        store.add(source)
        (tmp_path / "store").rename(tmp_path / "away")
        (tmp_path / "store").mkdir()
        with pytest.raises(NoStore) as caught:
            store.ls()
        assert caught.value.kind == "store_unreachable"


def test_a_server_without_hard_links_is_only_read(
    sshd: SshServer,
    client: Clients,
    source: Path,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Store.create(str(tmp_path / "store"), client=client()).add(source)
    with ssh_server_without_links(tmp_path_factory) as poor:
        monkeypatch.setenv("HOME", str(poor.home))
        with pytest.raises(NoStore, match="exactly one of several writers") as refused:
            Store.create(f"sftp://hub{tmp_path}/other", client=client())
        assert refused.value.kind == "no_atomic_create"
        with Store.open(f"sftp://hub{tmp_path}/store", client=client("bob")) as bob:
            bob.pull("cmr", dest=tmp_path / "copy")
            assert content(tmp_path / "copy") == content(source)
            (source / "labels.csv").write_text("changed")
            with pytest.raises(StorageError, match="no hard links") as caught:
                bob.add(source, force=True)
            assert caught.value.kind == "no_atomic_create"


def test_a_connection_that_breaks_again_and_again(
    sshd: SshServer,
    home: Path,
    client: Clients,
    source: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("datacat.backend.bridge.Bridge.sleep", lambda self, seconds: None)
    expected = content(source)
    Store.create(f"sftp://hub{tmp_path}/store", client=client()).close()
    with Cutter(sshd.port).running() as cutter:
        known = home / ".ssh" / "known_hosts"
        known.write_text(f"[127.0.0.1]:{cutter.port} {known.read_text().split(' ', 1)[1]}")
        url = f"sftp://127.0.0.1:{cutter.port}{tmp_path}/store"
        # In the greeting, at the first calls, and at different places of the uploads.
        cutter.after = [500, 4_000, 300_000, 900_000, 2_000_000, 2_500_000]
        with Store.open(url, client=client("bob", jobs=1)) as bob:
            assert bob.add(source).version.ref == "cmr@v1"
        assert cutter.cuts >= 5
        cutter.after = [3_000, 5_000]
        with Store.open(url, client=client("dana")) as dana:
            dana.pull("cmr", dest=tmp_path / "copy")
            assert content(tmp_path / "copy") == expected
            assert [version.ref for version in dana.log("cmr")] == ["cmr@v1"]


@pytest.mark.parametrize("address", ["sftp://hub:70000/x", "sftp://hub:ssh/x"])
def test_a_port_that_is_none(address: str) -> None:
    with pytest.raises(DatacatError) as caught:
        open_backend(address)
    assert caught.value.kind == "bad_store_url"
