"""Logins of this machine, and a shared folder with the homes of those who use it."""

from __future__ import annotations

import grp
import os
import pwd
import shutil
import stat
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.faults.killable import Killable
from tests.forked import Ended
from tests.trees import Tree, content, file, link, read_tree, without_times, write_tree

TOOLS = ("useradd", "userdel", "groupadd", "groupdel")
LARGE = 300_000

needs_logins = [
    pytest.mark.users,
    pytest.mark.skipif(
        not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs root, to make users"
    ),
    pytest.mark.skipif(
        any(shutil.which(tool) is None for tool in TOOLS), reason=f"needs {', '.join(TOOLS)}"
    ),
]


@dataclass(frozen=True)
class Logins:
    """Users of this machine: three of one team, and one who is not in it."""

    group: str
    alice: str
    bob: str
    carol: str
    eve: str

    @property
    def team(self) -> tuple[str, ...]:
        return (self.alice, self.bob, self.carol)


def administer(*command: str) -> None:
    """Run a tool that changes the users; another test may hold its lock for a moment."""
    for _ in range(100):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if "lock" not in done.stderr:
            break
        time.sleep(0.1)
    assert done.returncode == 0, done.stderr


@contextmanager
def new_logins() -> Iterator[Logins]:
    """Made for as long as the block runs."""
    mark = f"{os.getpid() % 100_000:x}{os.urandom(2).hex()}"
    made = Logins(*(f"dc{name}{mark}" for name in ("t", "a", "b", "c", "e")))
    try:
        administer("groupadd", made.group)
        for login in made.team:
            administer("useradd", "--no-create-home", "--user-group", "-G", made.group, login)
        administer("useradd", "--no-create-home", "--user-group", made.eve)
        yield made
    finally:
        for login in (*made.team, made.eve):
            if login in {user.pw_name for user in pwd.getpwall()}:
                administer("userdel", login)
        for group in (made.group, *made.team, made.eve):
            if group in {entry.gr_name for entry in grp.getgrall()}:
                administer("groupdel", group)


class Machine:
    """A shared folder, and homes that nobody else can look into."""

    def __init__(self, folder: Path, logins: Logins) -> None:
        self.folder = folder
        self.logins = logins
        self.shared = folder / "shared"
        self.shared.mkdir()
        os.chown(self.shared, -1, grp.getgrnam(logins.group).gr_gid)
        self.shared.chmod(0o2775)
        self.store = self.shared / "datacat"
        self.people: dict[str, Killable] = {}

    def person(self, name: str) -> Killable:
        """Their commands; the first one makes their home."""
        if name not in self.people:
            login = getattr(self.logins, name)
            environment = {"DATACAT_STORE": str(self.store)}
            self.people[name] = Killable(self._home(name), environment, login=login)
        return self.people[name]

    def _home(self, name: str) -> Path:
        home = self.folder / name
        if not home.exists():
            home.mkdir()
            give(home, getattr(self.logins, name))
            home.chmod(0o700)
        return home

    def run(self, name: str, *arguments: str, umask: int = 0o022, code: int = 0) -> Ended:
        return self.person(name).run(*arguments, umask=umask, code=code)

    def write(self, name: str, folder: str, tree: Tree) -> Path:
        """A folder in somebody's home, which belongs to them."""
        top = write_tree(self._home(name) / folder, tree)
        give(top, getattr(self.logins, name))
        return top

    def read(self, name: str, folder: str) -> dict[str, object]:
        return dict(without_times(read_tree(self.folder / name / folder, store=self.store)))


def give(top: Path, login: str) -> None:
    entry = pwd.getpwnam(login)
    for path in (top, *top.rglob("*")):
        os.chown(path, entry.pw_uid, entry.pw_gid, follow_symlinks=False)


TREE: Tree = {
    "small.txt": file(b"hello"),
    "empty.txt": file(b""),
    "run.sh": file(b"#!/bin/sh\n", executable=True),
    "large.bin": file(content(LARGE, 1)),
    "link": link("small.txt"),
}


def check_store(machine: Machine) -> None:
    """Every folder 02775, every file 0444, all of the team's group, none of root's."""
    team = grp.getgrnam(machine.logins.group).gr_gid
    members = {pwd.getpwnam(login).pw_uid for login in machine.logins.team}
    for path in (machine.store, *machine.store.rglob("*")):
        status = path.lstat()
        expected = 0o2775 if stat.S_ISDIR(status.st_mode) else 0o444
        assert stat.S_IMODE(status.st_mode) == expected, f"{path} {status.st_mode:o}"
        assert status.st_gid == team, path
        assert status.st_uid in members, path
    assert list((machine.store / "tmp").iterdir()) == []


def snapshot(top: Path) -> dict[str, tuple[int, int, int]]:
    return {
        str(path): (path.lstat().st_mode, path.lstat().st_size, path.lstat().st_mtime_ns)
        for path in (top, *top.rglob("*"))
    }
