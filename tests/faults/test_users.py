"""Several users of one machine share a store: who is in its group can, who is not is told so."""

from __future__ import annotations

import base64
import json
import os
import random
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from datacat.model import LinkMode

pytestmark = [
    pytest.mark.users,
    pytest.mark.skipif(
        not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs root, to become other users"
    ),
]

GROUP = 61_000
PROGRAM = Path(__file__).with_name("as_user.py")


@dataclass(frozen=True)
class User:
    """A user of the machine, with a home of their own."""

    name: str
    uid: int
    groups: tuple[int, ...]
    home: Path
    cache: Path | None = None
    """Where the disposable files of this user lie; in the home by default."""

    def do(self, *steps: list[Any], umask: str = "022") -> list[dict[str, Any]]:
        """Run steps as this user."""
        asked = {
            "user": self.name,
            "uid": self.uid,
            "gid": self.uid,
            "groups": list(self.groups),
            "umask": umask,
            "home": str(self.home),
            "cache": str(self.cache or self.home / "cache"),
            "steps": steps,
        }
        done = subprocess.run(
            [sys.executable, str(PROGRAM)],
            input=json.dumps(asked),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        results: list[dict[str, Any]] = json.loads(done.stdout)
        return results


@pytest.fixture
def drive() -> Iterator[Path]:
    """A shared drive: a folder that belongs to the group and hands its group on."""
    folder = Path(tempfile.mkdtemp(prefix="datacat-users-"))
    folder.chmod(0o755)
    shared = folder / "shared"
    shared.mkdir()
    os.chown(shared, 0, GROUP)
    shared.chmod(0o2775)
    yield folder
    shutil.rmtree(folder)


def user(drive: Path, name: str, uid: int, *groups: int) -> User:
    home = drive / name
    home.mkdir()
    os.chown(home, uid, uid)
    return User(name, uid, groups, home)


@pytest.mark.parametrize("umask", ["077", "022", "002"])
def test_a_second_user_joins_lists_pulls_and_adds(drive: Path, umask: str) -> None:
    alice = user(drive, "alice", 61_001, GROUP)
    bob = user(drive, "bob", 61_002, GROUP)
    store = str(drive / "shared" / "store")
    large = base64.b85encode(random.Random(1).randbytes(400_000)).decode()  # is kept whole
    made = alice.do(
        ["create", store],
        ["write", f"{alice.home}/cmr/small.txt", "one"],
        ["write", f"{alice.home}/cmr/large.txt", large],
        ["add", store, f"{alice.home}/cmr"],
        umask=umask,
    )
    assert made[-1] == {"ok": "cmr@v1"}

    other = {"077": "002", "022": "077", "002": "022"}[umask]
    done = bob.do(
        ["ls", store],
        ["pull", store, "cmr", f"{bob.home}/cmr"],
        ["status", store, f"{bob.home}/cmr"],
        ["write", f"{bob.home}/cmr/small.txt", "two"],
        ["add", store, f"{bob.home}/cmr"],
        ["look", store],
        umask=other,
    )
    assert [result.get("ok") for result in done] == [
        ["cmr@v1"],
        [2, 0],
        "unchanged",
        None,
        "cmr@v2",
        True,
    ]
    back = alice.do(["pull", store, "cmr@v2", f"{alice.home}/back"], ["look", store], umask=umask)
    assert back == [{"ok": [2, 0]}, {"ok": True}]
    assert (alice.home / "back" / "small.txt").read_text() == "two"
    assert (alice.home / "back" / "large.txt").read_text() == large
    assert_modes(Path(store))


@pytest.mark.parametrize("umask", ["077", "002"])
def test_several_users_share_one_cache(drive: Path, umask: str) -> None:
    """A `cache_dir` on the shared drive: what one has fetched, the others need not fetch."""
    cache = drive / "shared" / "cache"
    alice = replace(user(drive, "alice", 61_001, GROUP), cache=cache)
    bob = replace(user(drive, "bob", 61_002, GROUP), cache=cache)
    store = str(drive / "shared" / "store")
    large = base64.b85encode(random.Random(1).randbytes(400_000)).decode()
    other = {"077": "002", "022": "077", "002": "022"}[umask]
    made = alice.do(
        ["create", store],
        ["write", f"{alice.home}/cmr/small.txt", "one"],
        ["write", f"{alice.home}/cmr/large.txt", large],
        ["add", store, f"{alice.home}/cmr"],
        ["ls", store],
        ["look", store],
        umask=umask,
    )
    assert all("ok" in result for result in made), made
    for number, (person, mask) in enumerate([(bob, other), (alice, umask), (bob, umask)]):
        done = person.do(
            ["ls", store],
            ["pull", store, "cmr", f"{person.home}/{number}"],
            ["write", f"{person.home}/{number}/new.txt", person.name + large],
            ["add", store, f"{person.home}/{number}"],
            ["look", store],
            umask=mask,
        )
        assert all("ok" in result for result in done), done


def assert_modes(store: Path) -> None:
    """Folders that the group may write to and that hand it on; files that nobody may change."""
    for folder, names, files in os.walk(store):
        for name in [*names, *files]:
            status = os.lstat(os.path.join(folder, name))
            expected = 0o2775 if stat.S_ISDIR(status.st_mode) else 0o444
            assert stat.S_IMODE(status.st_mode) == expected, f"{folder}/{name}"
            assert status.st_gid == GROUP, f"{folder}/{name}"


def test_someone_outside_of_the_group_may_look_and_is_told_why_not_more(drive: Path) -> None:
    alice = user(drive, "alice", 61_001, GROUP)
    carol = user(drive, "carol", 61_003)
    store = str(drive / "shared" / "store")
    alice.do(
        ["create", store],
        ["write", f"{alice.home}/cmr/small.txt", "one"],
        ["add", store, f"{alice.home}/cmr"],
    )
    before = sorted(path for path in Path(store).rglob("*"))
    looked = carol.do(
        ["ls", store],
        ["pull", store, "cmr", f"{carol.home}/cmr"],
        ["status", store, f"{carol.home}/cmr"],
        ["look", store],
        ["write", f"{carol.home}/cmr/small.txt", "mine"],
        ["add", store, f"{carol.home}/cmr"],
    )
    assert [result.get("ok") for result in looked[:4]] == [["cmr@v1"], [1, 0], "unchanged", True]
    refused = looked[-1]
    assert (refused["kind"], refused["exit"]) == ("storage_denied", 4)
    assert "store" in refused["message"]
    assert sorted(path for path in Path(store).rglob("*")) == before


def test_someone_who_may_not_enter_is_told_so(drive: Path) -> None:
    alice = user(drive, "alice", 61_001, GROUP)
    carol = user(drive, "carol", 61_003)
    store = str(drive / "shared" / "store")
    alice.do(["create", store])
    (drive / "shared").chmod(0o2770)
    (result,) = carol.do(["ls", store])
    assert result["exit"] == 4
    assert "shared" in result["message"]


def test_hard_links_to_anothers_containers_work_or_say_why_not(drive: Path) -> None:
    alice = user(drive, "alice", 61_001, GROUP)
    bob = user(drive, "bob", 61_002, GROUP)
    store = str(drive / "shared" / "store")
    large = base64.b85encode(random.Random(1).randbytes(400_000)).decode()  # is kept whole
    alice.do(
        ["create", store],
        ["write", f"{alice.home}/cmr/large.txt", large],
        ["add", store, f"{alice.home}/cmr"],
    )
    (result,) = bob.do(["pull", store, "cmr", f"{bob.home}/cmr", LinkMode.HARDLINK.value])
    protected = Path("/proc/sys/fs/protected_hardlinks")
    if protected.exists() and protected.read_text().strip() == "1":
        # The kernel lets nobody link to files that they neither own nor may write.
        assert (result.get("kind"), result.get("exit")) == ("link_not_supported", 1)
        assert not (bob.home / "cmr" / "large.txt").exists()
    else:
        assert result == {"ok": [1, 1]}
        assert (bob.home / "cmr" / "large.txt").read_text() == large
