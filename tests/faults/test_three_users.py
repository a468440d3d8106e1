"""Three of one team with umasks that differ save, remove, collect and verify in one store. What
keeps one of them out is named by `doctor`, and the command that it prints mends it."""

from __future__ import annotations

import grp
import json
import os
import pwd
import shlex
import stat
import subprocess
from pathlib import Path

import pytest

from tests.faults.machine import Machine, check_store, needs_logins
from tests.trees import content, file, without_times

pytestmark = needs_logins

UMASKS = {"alice": 0o077, "bob": 0o022, "carol": 0o002}
TEAM = tuple(UMASKS)


def run(machine: Machine, name: str, *arguments: str, code: int = 0) -> str:
    """A command of somebody, with the umask that is theirs; returns what it said."""
    ended = machine.run(name, *arguments, umask=UMASKS.get(name, 0o022), code=code)
    return ended.out + ended.err


def new_store(machine: Machine) -> None:
    group = machine.logins.group
    run(machine, "alice", "init", str(machine.store), "--group", group, "--yes")


def test_each_saves_removes_collects_and_verifies_what_the_others_did(machine: Machine) -> None:
    new_store(machine)
    shared = file(content(20_000, 7))
    trees = {}
    for turn, name in enumerate(TEAM):
        trees[name] = {"same.bin": shared, "own.bin": file(content(300_000, 2 * turn + 1))}
        machine.write(name, name, trees[name])
        run(machine, name, "add", name)
        check_store(machine)
    for turn, name in enumerate(TEAM):
        other = TEAM[(turn + 1) % 3]
        machine.write(
            name, "old", {"old.bin": file(content(9_000, 101 + turn)), "same.bin": shared}
        )
        run(machine, name, "add", "old", "--name", f"old-{name}")
        # What another one saved goes only with force; then it is anybody's to collect.
        assert f"old-{name}" in run(machine, other, "rm", f"old-{name}", "--yes", code=6)
        run(machine, other, "rm", f"old-{name}", "--yes", "--force")
        third = TEAM[(turn + 2) % 3]
        run(machine, third, "gc", "--older-than", "0d", "--yes")
        check_store(machine)
    for name in TEAM:
        run(machine, name, "verify", "--all")
        for owner in TEAM:
            run(machine, name, "pull", owner, "-d", f"copy-{owner}")
            assert machine.read(name, f"copy-{owner}") == without_times(trees[owner])
    assert list((machine.store / "whole").rglob("*-*")), "nothing was kept"


def problems(machine: Machine, name: str, code: int) -> list[dict[str, str]]:
    """The checks of somebody's doctor that fail."""
    found = json.loads(machine.run(name, "--json", "doctor", code=code).out)["checks"]
    return [check for check in found if check["state"] == "fail"]


def command_in(fix: str) -> str:
    """What can be pasted into a terminal: it follows who should do it."""
    return fix.partition(":  ")[2]


DAMAGE = {
    "folder-closed": ("packs", 0o2755),
    "folder-without-setgid": ("manifests", 0o775),
    "folder-of-ones-own": ("segments", 0o700),
}


@pytest.mark.parametrize("how", DAMAGE)
def test_the_doctors_command_mends_what_keeps_others_out(machine: Machine, how: str) -> None:
    new_store(machine)
    machine.write("alice", "cmr", {"a.txt": file(b"1")})
    run(machine, "alice", "add", "cmr")
    folder, mode = DAMAGE[how]
    (machine.store / folder).chmod(mode)
    found = json.loads(machine.run("bob", "--json", "doctor", code=None).out)["checks"]
    named = [check for check in found if folder in f"{check['message']} {check.get('fix') or ''}"]
    assert named, found
    for check in named:
        as_alice(machine, command_in(check["fix"]))
    assert problems(machine, "bob", 0) == []
    check_store(machine)
    machine.write("bob", "labels", {"b.txt": file(b"2")})
    run(machine, "bob", "add", "labels")


def as_alice(machine: Machine, line: str) -> None:
    """Paste a command into a shell of hers."""
    entry = pwd.getpwnam(machine.logins.alice)
    team = grp.getgrnam(machine.logins.group).gr_gid
    subprocess.run(
        ["sh", "-c", line],
        check=True,
        user=entry.pw_uid,
        group=entry.pw_gid,
        extra_groups=[team],
        cwd=machine.folder / "alice",
    )
    assert shlex.split(line)


def test_files_whose_owner_is_nobody(machine: Machine) -> None:
    """As on an NFS server that makes root a nobody, or gives all files to one user."""
    new_store(machine)
    machine.write("alice", "cmr", {"a.txt": file(b"1"), "large.bin": file(content(300_000, 1))})
    run(machine, "alice", "add", "cmr")
    for path in (machine.store, *machine.store.rglob("*")):
        mode = stat.S_IMODE(path.lstat().st_mode)
        os.chown(path, 65534, -1)
        path.chmod(mode)  # chown takes setgid away
    for name in ("bob", "alice"):
        run(machine, name, "pull", "cmr", "-d", "copy")
        machine.write(name, name, {"b.txt": file(name.encode())})
        run(machine, name, "add", name)
        run(machine, name, "rm", name, "--yes")
        run(machine, name, "gc", "--older-than", "0d", "--yes")
        run(machine, name, "verify", "--all")
        assert problems(machine, name, 0) == []
    assert Path(machine.store / "tmp").is_dir()
