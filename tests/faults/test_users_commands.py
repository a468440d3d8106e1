"""Commands of several logins of one machine: who may do what, and what each is told."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import stat
from pathlib import Path

import pytest

from tests.faults.machine import (
    LARGE,
    TREE,
    Machine,
    check_store,
    give,
    needs_logins,
    snapshot,
)
from tests.trees import content, file, without_times, write_tree

pytestmark = needs_logins


@pytest.mark.parametrize("umask", [0o077, 0o022, 0o002], ids=oct)
def test_two_of_a_team_share_a_store(machine: Machine, umask: int) -> None:
    machine.write("alice", "cmr", TREE)
    group = machine.logins.group
    machine.run("alice", "init", str(machine.store), "--group", group, "--yes", umask=umask)
    machine.run("alice", "add", "cmr", "-m", "first", umask=umask)
    check_store(machine)

    joined = machine.run("bob", "init", str(machine.store), "--yes", umask=umask)
    assert "1 dataset" in joined.err
    assert "cmr@v1" in machine.run("bob", "ls", "--json").out
    machine.run("bob", "pull", "cmr", umask=umask)
    assert machine.read("bob", "cmr") == without_times(TREE)
    for path in (machine.folder / "bob/cmr").rglob("*"):
        if not path.is_symlink() and ".datacat" not in path.parts:
            full = 0o777 if path.is_dir() or path.name == "run.sh" else 0o666
            assert stat.S_IMODE(path.stat().st_mode) == full & ~umask, path

    edit = {"bob.txt": file(b"bob"), "bob.bin": file(content(LARGE, 3))}
    machine.write("bob", "cmr", edit)
    machine.run("bob", "add", "cmr", "-m", "second", umask=umask)
    machine.write("bob", "labels", {"x.csv": file(content(5_000, 2))})
    machine.run("bob", "add", "labels", umask=umask)
    check_store(machine)

    machine.run("alice", "pull", "cmr", "-d", "from-bob", umask=umask)
    assert machine.read("alice", "from-bob") == without_times({**TREE, **edit})
    machine.run("alice", "pull", "labels", umask=umask)
    machine.run("alice", "verify", "--all")
    machine.write("alice", "labels", {"y.csv": file(b"1")})
    machine.run("alice", "add", "labels", umask=umask)
    check_store(machine)
    versions = machine.run("bob", "log", "labels", "--json").out
    assert '"labels@v2"' in versions
    assert machine.logins.group not in versions


def test_a_folder_that_one_may_not_enter(machine: Machine) -> None:
    machine.write("alice", "cmr", TREE)
    machine.run("alice", "init", str(machine.store), "--group", machine.logins.group, "--yes")
    machine.run("alice", "add", "cmr")
    machine.shared.chmod(0o2770)
    before = snapshot(machine.store)
    machine.write("eve", "mine", {"x": file(b"1")})
    for command in (
        ["ls"],
        ["pull", "cmr"],
        ["show", "cmr"],
        ["du"],
        ["add", "mine"],
        ["verify", "--all"],
        ["status", "mine"],
        ["init", str(machine.store), "--yes"],
    ):
        failed = machine.run("eve", *command, code=4)
        assert failed.out == ""
        assert failed.err.startswith("Error: "), failed
        assert str(machine.shared) in failed.err
        assert machine.logins.group in failed.err, "whose it is"
        assert f"usermod -aG {machine.logins.group} {machine.logins.eve}" in failed.err
    assert snapshot(machine.store) == before
    assert machine.read("eve", "mine") == {"x": file(b"1")}
    assert not (machine.folder / "eve" / "cmr").exists()


def test_who_may_only_read(machine: Machine) -> None:
    machine.write("alice", "cmr", TREE)
    machine.run("alice", "init", str(machine.store), "--group", machine.logins.group, "--yes")
    machine.run("alice", "add", "cmr")
    before = snapshot(machine.store)

    machine.run("eve", "pull", "cmr")
    assert machine.read("eve", "cmr") == without_times(TREE)
    machine.run("eve", "pull", "cmr", "-d", "linked", "--link", "symlink")
    assert machine.read("eve", "linked") == without_times(TREE)
    for command in (
        ["ls"],
        ["show", "cmr"],
        ["du"],
        ["log"],
        ["log", "cmr"],
        ["status", "cmr"],
        ["status", "cmr", "--hash"],
        ["diff", "cmr"],
        ["verify", "--all"],
        ["verify", "cmr@v1"],
        ["pull", "cmr"],
    ):
        machine.run("eve", *command)
    machine.write("eve", "cmr", {"small.txt": file(b"changed"), "new.bin": file(content(LARGE, 5))})
    mine = machine.read("eve", "cmr")
    assert "small.txt" in machine.run("eve", "status", "cmr", "--json").out
    for command in (["add", "cmr"], ["add", "cmr", "--name", "other"]):
        failed = machine.run("eve", *command, code=4)
        assert failed.err.startswith(f"Error: cannot write to {machine.store}")
        assert f"it belongs to group '{machine.logins.group}'" in failed.err
        assert f"usermod -aG {machine.logins.group} {machine.logins.eve}" in failed.err
    assert machine.read("eve", "cmr") == mine
    assert snapshot(machine.store) == before
    assert machine.run("alice", "verify", "--all")
    # The copy still knows what it is, and what was changed in it.
    assert '"ref": "cmr@v1"' in machine.run("eve", "status", "cmr", "--json").out


def copies_in(machine: Machine) -> list[dict[str, object]]:
    folder = machine.store / "copies"
    return sorted(
        (json.loads(file.read_bytes()) for file in folder.iterdir()),
        key=lambda one: (str(one["user"]), str(one["path"])),
    )


@pytest.mark.parametrize("sticky", [False, True], ids=["2775", "3775"])
def test_everybody_registers_their_own_copies(machine: Machine, sticky: bool) -> None:
    """Also where nobody may replace what another one wrote, and whatever the umask is."""
    machine.write("alice", "cmr", TREE)
    group = machine.logins.group
    machine.run("alice", "init", str(machine.store), "--group", group, "--yes", umask=0o077)
    if sticky:
        (machine.store / "copies").chmod(0o3775)
    machine.run("alice", "add", "cmr", umask=0o077)
    machine.run("bob", "pull", "cmr", umask=0o077)
    machine.write("bob", "cmr", {"more.txt": file(b"more")})
    machine.run("bob", "add", "cmr", umask=0o077)
    machine.run("alice", "pull", "cmr", "-d", "cmr", umask=0o077)
    assert [(one["path"], one["version"]) for one in copies_in(machine)] == [
        (str(machine.folder / "alice/cmr"), 2),
        (str(machine.folder / "bob/cmr"), 2),
    ]
    modes = {stat.S_IMODE(path.stat().st_mode) for path in (machine.store / "copies").iterdir()}
    assert modes == {0o444}
    for name in ("alice", "bob", "eve"):
        in_use = json.loads(machine.run(name, "--json", "show", "cmr").out)["in_use"]
        assert len(in_use) == 2, name


def test_who_may_only_read_is_told_about_links_only(machine: Machine) -> None:
    machine.write("alice", "cmr", TREE)
    machine.run("alice", "init", str(machine.store), "--group", machine.logins.group, "--yes")
    machine.run("alice", "add", "cmr")
    before = snapshot(machine.store)
    assert "warning" not in machine.run("eve", "pull", "cmr").err
    noted = machine.run("eve", "-v", "status", "cmr").err
    assert f"/cmr is not registered in the store: cannot write to {machine.store}" in noted
    linked = machine.run("eve", "pull", "cmr", "-d", "links", "--link", "symlink")
    assert "warning: the store does not know of these links" in linked.err
    assert machine.read("eve", "links") == without_times(TREE)
    assert snapshot(machine.store) == before


def test_hard_links_to_what_others_own(machine: Machine) -> None:
    """Linux lets only owners make them (protected_hardlinks): the rest are told what to do."""
    machine.write("alice", "cmr", TREE)
    machine.run("alice", "init", str(machine.store), "--group", machine.logins.group, "--yes")
    machine.run("alice", "add", "cmr")

    machine.run("alice", "pull", "cmr", "-d", "own", "--link", "hardlink")
    assert (machine.folder / "alice/own/large.bin").stat().st_nlink == 2
    assert machine.read("alice", "own") == without_times(TREE)

    protected = Path("/proc/sys/fs/protected_hardlinks")
    if not protected.exists() or protected.read_text().strip() != "1":
        pytest.skip("this machine lets anybody make hard links")
    failed = machine.run("bob", "pull", "cmr", "--link", "hardlink", code=1)
    assert failed.err.startswith("Error: cannot hard link from the store")
    assert "--link symlink" in failed.err
    assert not (machine.folder / "bob/cmr/large.bin").exists()
    check_store(machine)
    machine.run("bob", "pull", "cmr", "--link", "symlink")
    assert machine.read("bob", "cmr") == without_times(TREE)
    machine.run("bob", "pull", "cmr", "-d", "copied")
    assert machine.read("bob", "copied") == without_times(TREE)
    check_store(machine)


def test_a_folder_that_belongs_to_somebody_else(machine: Machine) -> None:
    """A folder that one may read but not write is saved all the same, and stays as it is."""
    machine.run("alice", "init", str(machine.store), "--group", machine.logins.group, "--yes")
    shared = write_tree(machine.shared / "results", TREE)
    give(shared, machine.logins.alice)
    for path in (shared, *shared.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.name == "run.sh" else 0o644)
    before = snapshot(shared)
    machine.run("bob", "add", str(shared))
    assert snapshot(shared) == before
    machine.run("alice", "pull", "results", "-d", "copy")
    assert machine.read("alice", "copy") == without_times(TREE)
    refused = machine.run("bob", "pull", "results", "-d", str(shared), "--force", code=4)
    assert refused.err.startswith(f"Error: cannot use {shared}/.datacat: permission denied")
    (shared / "small.txt").chmod(0o600)
    failed = machine.run("bob", "add", str(shared), "--name", "again", "--new", code=1)
    assert "small.txt" in failed.err
    assert "ermission denied" in failed.err
    check_store(machine)


def diagnosis(
    machine: Machine, name: str, *options: str, code: int = 0
) -> dict[str, dict[str, str]]:
    """What somebody's doctor says, by check; of several with one id the first."""
    found = json.loads(machine.run(name, "--json", "doctor", *options, code=code).out)
    return {check["id"]: check for check in reversed(found["checks"])}


@pytest.mark.parametrize("umask", [0o077, 0o002], ids=oct)
def test_what_the_doctor_tells_each_of_them(machine: Machine, umask: int) -> None:
    group, store = machine.logins.group, machine.store
    machine.write("alice", "cmr", TREE)
    machine.run("alice", "init", str(store), "--group", group, "--yes", umask=umask)
    machine.run("alice", "add", "cmr", umask=umask)
    before = snapshot(store)
    for name in ("alice", "bob"):
        found = diagnosis(machine, name)
        assert {check["state"] for check in found.values()} <= {"ok", "note"}, found
        assert found["access"]["message"].endswith(f"new files belong to group '{group}'")
        assert found["group"]["state"] == "ok"
    assert set(snapshot(store)) == set(before)

    reading = diagnosis(machine, "eve")
    assert reading["access"]["state"] == "note"
    assert "you can read, but not save: cannot write to" in reading["access"]["message"]
    assert f"usermod -aG {group} {machine.logins.eve}" in reading["access"]["fix"]
    assert "atomic" not in reading
    assert reading["log"]["state"] == "ok"
    assert "symlink yes" in reading["links"]["message"]

    machine.shared.chmod(0o2770)
    away = diagnosis(machine, "eve", code=1)
    assert away["store"]["state"] == "fail"
    assert f"usermod -aG {group} {machine.logins.eve}" in away["store"]["fix"]
    assert set(away) == {"versions", "store", "identity", "cache"}


def test_what_one_keeps_from_the_others(machine: Machine) -> None:
    """A folder and a file that only alice may use: bob is told, and what alice has to do."""
    group, store = machine.logins.group, machine.store
    machine.write("alice", "cmr", TREE)
    machine.run("alice", "init", str(store), "--group", group, "--yes")
    machine.run("alice", "add", "cmr")
    (store / "packs" / "00").chmod(0o2755)
    (manifest,) = (path for path in (store / "manifests").rglob("*.parquet"))
    manifest.chmod(0o400)
    os.chown(manifest, -1, pwd.getpwnam(machine.logins.alice).pw_gid)
    found = diagnosis(machine, "bob", code=1)
    assert found["access"]["state"] == "fail"
    assert "1 folder of the store, for example packs/00/" in found["access"]["message"]
    assert f"ask '{machine.logins.alice}', its owner" in found["access"]["fix"]
    said = json.loads(machine.run("bob", "--json", "doctor", code=1).out)["checks"]
    messages = [check["message"] for check in said if check["id"] == "group"]
    assert messages == [
        f"1 folder (for example packs/00) cannot be written to by group '{group}'",
        f"1 file (for example {manifest.relative_to(store)}) cannot be read by group '{group}'",
    ]


def test_mending_touches_only_what_is_ones_own(machine: Machine) -> None:
    group, store = machine.logins.group, machine.store
    machine.write("alice", "cmr", TREE)
    machine.run("alice", "init", str(store), "--group", group, "--yes")
    machine.run("alice", "add", "cmr")
    machine.run("bob", "pull", "cmr")
    for name in ("alice", "bob"):
        left = store / "tmp" / name
        left.write_bytes(b"x")
        give(left, getattr(machine.logins, name))
        os.utime(left, (1_600_000_000, 1_600_000_000))
        shutil.rmtree(machine.folder / name / "cmr")
        (machine.folder / name / "something").touch()
    fixed = diagnosis(machine, "bob", "--fix")
    assert "removed 1 abandoned file" in fixed["temporary"]["message"]
    assert [path.name for path in (store / "tmp").iterdir()] == ["alice"]
    assert [one["path"] for one in copies_in(machine)] == [str(machine.folder / "alice/cmr")]
    told = diagnosis(machine, "bob")["temporary"]
    assert (told["state"], told["fix"]) == ("note", "their owners run:  datacat doctor --fix")
    diagnosis(machine, "alice", "--fix")
    assert copies_in(machine) == []
    assert list((store / "tmp").iterdir()) == []
