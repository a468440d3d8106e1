"""The daily commands in a pipe: what they print, their JSON, and their exit codes."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Person

Golden = Callable[..., None]

VARIES = {
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ": "TIME",
    r'"hash": "[0-9a-f]+"': '"hash": "HASH"',
    r'"seconds": [0-9.]+': '"seconds": 0',
    r'"(stored_bytes|new_bytes)": \d+': r'"\1": N',
    r'"host": "[^"]*"': '"host": "HOST"',
    r'"path": "/.*/home/': '"path": "/home/',
}
VERSION_KEYS = {
    *("ref", "name", "version", "hash", "aliases", "message", "author", "created_at", "files"),
    *("bytes", "new_bytes", "base", "sources", "params", "metrics", "code"),
}
DATASET_KEYS = {
    *("name", "description", "owner", "tags", "latest", "versions", "aliases", "files", "bytes"),
    *("created_at", "updated_at", "in_use_by"),
}


@pytest.fixture
def cmr(alice: Person, store: Path) -> Path:
    """alice's dataset cmr@v1."""
    folder = alice.make("cmr", {"labels.csv": "id,v\n1,2\n2,3\n", "sub-1/a.bin": b"\0" * 1000})
    alice.run("add", str(folder), "-m", "first import", "--tag", "cardiac", "--description", "MRI")
    return folder


def test_add_then_add_again(alice: Person, store: Path) -> None:
    folder = alice.make("cmr", {"a.txt": "hello", ".DS_Store": "x", "b/.DS_Store": "y"})
    first = alice.run("add", str(folder), "-m", "first")
    assert first.out == "cmr@v1\n"
    lines = first.err.splitlines()
    assert lines[0] == "Saved cmr@v1: 1 file, 5 B."
    assert lines[1].startswith("  skipped 2: .DS_Store (2)")
    assert lines[-1] == "Teammates run:  datacat pull cmr"
    again = alice.run("add", str(folder))
    assert again.out == "cmr@v1\n"
    assert again.err.startswith("Nothing to add: this is exactly cmr@v1 (alice, just now).")
    (folder / "c.txt").write_text("more")
    (folder / "a.txt").write_text("other")
    third = alice.run("add", str(folder))
    assert third.err.startswith("Saved cmr@v2: 1 added, 1 changed, 0 removed. ")
    assert "See it:  datacat diff cmr@v1 cmr@v2\n" in third.err


def test_add_as_json(alice: Person, store: Path, golden: Golden) -> None:
    folder = alice.make("cmr", {"a.txt": "hello"})
    done = alice.run(
        "--json", "add", str(folder), "-m", "first", "--tag", "x", "--param", "lr=3e-4"
    )
    golden("add.json", json.dumps(done.json, indent=1) + "\n", hide=VARIES)
    assert done.err == ""
    assert set(done.json) >= VERSION_KEYS
    assert (done.json["created"], done.json["skipped"]) == (True, 0)
    assert alice.run("--json", "add", str(folder)).json["created"] is False


def test_several_paths_are_saved_one_by_one(alice: Person, store: Path) -> None:
    alice.make("one", {"a": "1"})
    alice.make("two", {"b": "2"})
    done = alice.run("add", "one", "two")
    assert done.out == "one@v1\ntwo@v1\n"
    refs = [v["ref"] for v in alice.run("--json", "add", "one", "two").json]
    assert refs == ["one@v1", "two@v1"]


def test_values_and_files_of_values(alice: Person, store: Path) -> None:
    folder = alice.make("run", {"model.bin": b"weights"})
    (alice.home / "p.json").write_text('{"opt": {"name": "adam", "beta": [1, 2]}, "lr": 1}')
    (alice.home / "m.toml").write_text("dice = 0.9\nwhen = 2026-01-01\nbad = nan\n")
    done = alice.run(
        *("--json", "add", str(folder), "--params", "p.json", "--metrics", "m.toml"),
        *("--param", "lr=3e-4", "--param", "aug=true", "--param", "note=a=b", "--param", "n=null"),
        *("--param", "nan=NaN", "--param", "list=[1]", "--metric", "epochs=80"),
    )
    assert done.json["params"] == {
        "opt.name": "adam",
        "opt.beta": "[1, 2]",
        "lr": 0.0003,
        "aug": True,
        "note": "a=b",
        "n": None,
        "nan": "NaN",
        "list": "[1]",
    }
    assert done.json["metrics"] == {
        "dice": 0.9,
        "when": "2026-01-01",
        "bad": "nan",
        "epochs": 80,
    }
    for name, text in (("x.json", "{"), ("x.toml", "= 1"), ("x.json", "[1]")):
        (alice.home / name).write_text(text)
        assert alice.run("add", str(folder), "--params", name, code=2).err.startswith("Error: ")
    assert alice.run("add", str(folder), "--params", "none.json", code=3).out == ""


def test_the_commit_of_the_code_is_kept_without_credentials(alice: Person, store: Path) -> None:
    folder = alice.make("code", {"train.py": "x = 1\n", "out/model.bin": b"w"})
    environment = {**alice.environment, "PATH": os.environ["PATH"]}
    for command in (
        "git init -q .",
        "git add train.py",
        "git -c user.name=a -c user.email=a@b commit -q -m one",
        "git remote add origin https://alice:secret@git.example.org/team/seg.git?token=x",
    ):
        subprocess.run(command.split(), cwd=folder, env=environment, check=True)
    (folder / "train.py").write_text("x = 2\n")
    who = Person(alice.name, alice.home, {"PATH": os.environ["PATH"]})
    code = who.run("--json", "add", "out", "--name", "m", cwd=folder).json["code"]
    assert code["repo"] == "https://git.example.org/team/seg.git"
    assert len(code["commit"]) == 40
    assert code["dirty"] is True
    assert (
        "secret" not in (store / "catalog").read_text() if (store / "catalog").is_file() else True
    )
    alice.make("plain", {"x": "1"})
    assert alice.run("--json", "add", "plain").json["code"] is None


def test_a_dry_run_changes_nothing(alice: Person, store: Path) -> None:
    folder = alice.make("cmr", {"a": "1"})
    done = alice.run("add", "-n", str(folder))
    assert done.err.startswith("Would save cmr@v1: 1 file, 1 B")
    assert "Nothing was saved (dry run).\n" in done.err
    assert alice.run("ls", "--json").json == []


def test_pull(bob: Person, cmr: Path) -> None:
    done = bob.run("pull", "cmr")
    assert done.out == f"{bob.home / 'cmr'}\n"
    assert done.err == "cmr@v1 is in ./cmr  (2 files, 1.0 kB, checked)\n"
    assert (bob.home / "cmr" / "labels.csv").read_bytes() == (cmr / "labels.csv").read_bytes()
    assert bob.run("pull", "cmr").err == "cmr@v1 is already in ./cmr, unchanged.\n"
    part = bob.run("pull", "cmr@v1", "*.csv", "-d", "part")
    assert part.err == "1 of 2 files from cmr@v1 is in ./part  (13 B, checked)\n"
    assert bob.run("-q", "pull", "cmr", "-d", "quiet").err == ""


def test_pull_as_json(bob: Person, cmr: Path, golden: Golden) -> None:
    done = bob.run("--json", "pull", "cmr")
    text = json.dumps(done.json, indent=1).replace(str(bob.home), "HOME")
    golden("pull.json", text + "\n")
    assert done.err == ""


def test_pull_as_links(bob: Person, alice: Person, store: Path) -> None:
    folder = alice.make("big", {"big.bin": os.urandom(400_000)})
    alice.run("add", str(folder))
    for arguments in (["pull", "--link", "big"], ["pull", "big", "--link", "-d", "again"]):
        assert "as read-only links into the store" in bob.run(*arguments).err
    assert (bob.home / "big" / "big.bin").is_symlink()
    assert (bob.home / "again" / "big.bin").is_symlink()
    assert bob.run("pull", "big", "--link", "copy", "-d", "c").err.endswith("checked)\n")
    assert not (bob.home / "c" / "big.bin").is_symlink()


def test_an_update_and_local_edits(alice: Person, bob: Person, cmr: Path) -> None:
    bob.run("pull", "cmr")
    (cmr / "labels.csv").write_text("id,v\n1,9\n")
    (cmr / "new.txt").write_text("n")
    alice.run("add", str(cmr))
    moved = bob.run("pull", "cmr")
    assert moved.err == "./cmr moved from cmr@v1 to cmr@v2: 1 added, 1 replaced.\n"
    (bob.home / "cmr" / "new.txt").write_text("mine")
    (cmr / "new.txt").write_text("n2")
    alice.run("add", str(cmr))
    refused = bob.run("pull", "cmr", code=6)
    assert "nothing was touched" in refused.err
    assert "new.txt" in refused.err
    assert (bob.home / "cmr" / "new.txt").read_text() == "mine"
    assert bob.run("--json", "pull", "cmr", code=6).json["error"]["exit"] == 6
    older = bob.run("add", "cmr", code=6)
    assert "alice saved cmr@v3" in older.err
    assert "--force" in older.err


def test_ls(alice: Person, bob: Person, cmr: Path, golden: Golden) -> None:
    table = bob.run("ls")
    header, row = table.out.splitlines()
    assert header == "NAME\tVERSION\tOWNER\tSIZE\tUPDATED\tDESCRIPTION"
    cells = row.split("\t")
    assert cells[:4] == ["cmr", "v1", "alice", "1013"]
    assert cells[5] == "MRI"
    assert table.err.startswith("1 dataset, 1 version, ")
    found = bob.run("ls", "--json")
    golden("ls.json", json.dumps(found.json, indent=1) + "\n", hide=VARIES)
    assert set(found.json[0]) == DATASET_KEYS
    assert found.err == ""
    assert bob.run("-q", "ls").out == "cmr\n"


def test_ls_finds(alice: Person, bob: Person, cmr: Path) -> None:
    bob.make("heart", {"x": "1"})
    bob.run("add", "heart", "-m", "beats")

    def names(*arguments: str) -> list[str]:
        return sorted(d["name"] for d in bob.run("ls", "--json", *arguments).json)

    def order(key: str, *arguments: str) -> list[str]:
        return [d["name"] for d in bob.run("ls", "--json", "--sort", key, *arguments).json]

    assert names() == ["cmr", "heart"]
    assert names("MR") == ["cmr"]
    assert names("cardiac") == names("--tag", "cardiac") == names("--owner", "alice") == ["cmr"]
    assert names("--mine") == names("BEATS") == ["heart"]
    assert names("--since", "2d") == ["cmr", "heart"]
    assert names("--since", "2999-01-01") == []
    assert order("name:desc") == ["heart", "cmr"]
    assert len(names("--limit", "1")) == 1
    bob.run("pull", "cmr")
    assert order("used", "--limit", "1") == ["cmr"]
    assert order("used:asc", "--limit", "1") == ["heart"]
    missing = bob.run("ls", "hart")
    assert missing.err == "Nothing matches 'hart' among 2 datasets. Did you mean 'heart'?\n"
    assert bob.run("ls", "hart", "--json").json == []


def test_ls_of_an_empty_store(alice: Person, store: Path) -> None:
    done = alice.run("ls")
    assert done.err == f"No datasets yet in {store}.  Add the first:  datacat add ./folder\n"
    assert alice.run("ls", "--json").json == []


def test_files_of_a_version(bob: Person, cmr: Path) -> None:
    lines = bob.run("ls", "--files", "cmr@v1").out.splitlines()
    assert lines[0] == "PATH\tBYTES\tHASH"
    assert [line.split("\t")[:2] for line in lines[1:]] == [
        ["labels.csv", "13"],
        ["sub-1/a.bin", "1000"],
    ]
    found = bob.run("--json", "ls", "--files", "cmr").json
    assert [(f["path"], f["bytes"], len(f["hash"])) for f in found] == [
        ("labels.csv", 13, 64),
        ("sub-1/a.bin", 1000, 64),
    ]
    assert bob.run("ls", "--files", "crm").out == "", "a question about all versions"


def test_tree(alice: Person, cmr: Path) -> None:
    (cmr / "x").write_text("x")
    alice.run("add", str(cmr), "-m", "more")
    lines = alice.run("ls", "--tree").out.splitlines()
    assert lines[0] == "NAME\tVERSION\tWHEN\tBY\tCHANGES\tMESSAGE\tALIASES"
    assert [line.split("\t")[1] for line in lines[1:]] == ["v2", "v1"]
    tree = alice.run("ls", "--tree", "--json").json
    assert [v["ref"] for v in tree[0]["version_list"]] == ["cmr@v2", "cmr@v1"]


def test_show(alice: Person, bob: Person, cmr: Path, golden: Golden) -> None:
    (cmr / "README.md").write_text("# CMR\n")
    alice.run("add", str(cmr), "-m", "say what it is", "--alias", "gold")
    facts = dict(line.split("\t") for line in bob.run("show", "cmr").out.splitlines())
    assert facts["ref"] == "cmr@v2"
    assert facts["bytes"] == "1019"
    assert facts["aliases"] == "gold=v2"
    assert (
        dict(line.split("\t") for line in bob.run("show", "CMR@1").out.splitlines())["ref"]
        == "cmr@v1"
    )
    shown = bob.run("--json", "show", "cmr@gold").json
    assert shown["readme"] == "# CMR\n"
    assert shown["version_list"][0]["ref"] == "cmr@v2"
    assert DATASET_KEYS | {"version_list", "contents", "used_by", "readme"} <= set(shown)
    golden("show.json", json.dumps(shown, indent=1) + "\n", hide=VARIES)


def test_what_does_not_exist(bob: Person, cmr: Path, store: Path, golden: Golden) -> None:
    missing = bob.run("show", "crm", code=3)
    golden("error-dataset.txt", missing.err, hide={str(store): "STORE"})
    found = bob.run("show", "crm", "--json", code=3)
    text = json.dumps(found.json, indent=1) + "\n"
    golden("error-dataset.json", text, hide={str(store): "STORE"})
    assert found.err == ""
    version = bob.run("pull", "cmr@v7", code=3)
    golden("error-version.txt", version.err)
    pattern = bob.run("pull", "cmr", "label.csv", code=3)
    golden("error-pattern.txt", pattern.err)
    assert bob.run("add", "nowhere", code=3).out == ""
    assert bob.run("show", "No Such!", code=2).out == ""


def test_status(alice: Person, bob: Person, cmr: Path) -> None:
    bob.run("pull", "cmr")
    row = bob.run("status").out.splitlines()[1]
    assert row.split("\t")[1:3] == ["cmr@v1", "unchanged"]
    assert bob.run("status", "--exit-code", cwd=bob.home / "cmr" / "sub-1").code == 0
    (bob.home / "cmr" / "labels.csv").write_text("id,v\n")
    (bob.home / "cmr" / "notes.txt").write_text("n")
    entry = bob.run("--json", "status", "cmr").json[0]
    assert (entry["state"], entry["ref"]) == ("changed", "cmr@v1")
    assert {(c["path"], c["change"]) for c in entry["changes"]} == {
        ("labels.csv", "modified"),
        ("notes.txt", "added"),
    }
    assert bob.run("status", "--exit-code", code=1).out
    assert bob.run("status", "nowhere", code=3).out == ""


def test_status_of_a_copy_that_datacat_did_not_make(alice: Person, bob: Person, cmr: Path) -> None:
    bob.make("old", {"labels.csv": "id,v\n1,2\n2,3\n", "sub-1/a.bin": b"\0" * 1000})
    entry = bob.run("--json", "status", "old").json[0]
    assert entry["state"] == "untracked"
    assert entry["identical_to"] == "cmr@v1"


def test_diff(alice: Person, cmr: Path, golden: Golden) -> None:
    (cmr / "labels.csv").write_text("id,v,w\n1,2,3\n2,3,4\n3,4,5\n")
    (cmr / "new.txt").write_text("n")
    alice.run("add", str(cmr))
    found = alice.run("--json", "diff", "cmr@v1", "cmr@v2").json
    golden("diff.json", json.dumps(found, indent=1) + "\n")
    assert (found["added"], found["modified"], found["removed"]) == (1, 1, 0)
    lines = alice.run("diff", "cmr@v1", "cmr@v2").out.splitlines()
    assert lines[0] == "CHANGE\tPATH\tOLD_PATH\tBYTES\tOLD_BYTES\tDETAIL"
    assert alice.run("diff", "cmr@v1", "cmr@v2", "--names").out == "~\tlabels.csv\n+\tnew.txt\n"
    assert alice.run("diff", "cmr@v1", "--exit-code", code=1).out
    assert alice.run("diff", "cmr@v2", "cmr@v2", "--exit-code", "--json").json["changes"] == []
    stat = alice.run("diff", "cmr@v1", "cmr@v2", "--stat").out.splitlines()
    assert stat == ["FOLDER\tADDED\tMODIFIED\tREMOVED\tRENAMED", ".\t1\t1\t0\t0"]


def test_log(alice: Person, bob: Person, cmr: Path) -> None:
    (cmr / "x").write_text("x")
    alice.run("add", str(cmr), "-m", "second", "--metric", "dice=0.9", "--param", "lr=1")
    lines = bob.run("log", "cmr").out.splitlines()
    assert lines[0] == "VERSION\tWHEN\tBY\tCHANGES\tMESSAGE\tALIASES"
    assert [line.split("\t")[0] for line in lines[1:]] == ["v2", "v1"]
    runs = bob.run("log", "cmr", "--metrics").out.splitlines()
    assert runs[0] == "VERSION\tWHEN\tBY\tdice\tlr\tCHANGES\tMESSAGE\tALIASES\tBEST"
    assert [v["ref"] for v in bob.run("--json", "log", "cmr", "--limit", "1").json] == ["cmr@v2"]
    feed = bob.run("--json", "log", "--user", "alice").json
    assert {"at", "user", "host", "action", "ref", "path", "detail"} == set(feed[0])
    assert [(e["action"], e["ref"]) for e in feed[:2]] == [("saved", "cmr@v2"), ("saved", "cmr@v1")]
    assert bob.run("log", "--user", "nobody", "--json").json == []
    assert bob.run("log", "crm", code=3).out == ""


def test_du(alice: Person, store: Path, cmr: Path) -> None:
    alice.run("add", str(alice.make("labels", {"labels.csv": "id,v\n1,2\n2,3\n"})))
    shown = alice.run("du")
    header, *rows = [line.split("\t") for line in shown.out.splitlines()]
    assert header == ["NAME", "VERSIONS", "LOGICAL", "ON DISK", "ONLY HERE"]
    assert [(row[0], row[1], row[2]) for row in rows] == [
        ("cmr", "1", "1013"),
        ("labels", "1", "13"),
    ]
    assert rows[1][4] == "0", "cmr has the same file"
    assert shown.err.splitlines()[-1].startswith("Trash: empty.   Free on disk: ")
    assert alice.run("du", "-q", "CMR").out.splitlines()[1:] == ["\t".join(rows[0])]
    document = alice.run("--json", "du").json
    assert set(document) >= {
        *("on_disk_bytes", "logical_bytes", "saved_bytes", "saved_by", "trash_bytes"),
        *("unused_bytes", "free_bytes", "datasets"),
    }
    files = [path for path in store.rglob("*") if path.is_file()]
    # What is set aside is given back when it is needed: it counts as free.
    on_disk = sum(path.stat().st_size for path in files if path.name != "reserve")
    assert (document["on_disk_bytes"], document["logical_bytes"]) == (on_disk, 1026)
    assert [[str(value) for value in one.values()] for one in document["datasets"]] == rows
    missing = alice.run("du", "cmr", "cmrs", code=3)
    assert missing.out == ""
    assert "Did you mean 'cmr'?" in missing.err
    assert alice.run("--json", "du", "cmr@v1", code=2).json["error"]["code"] == "not_a_dataset"


def test_verify(alice: Person, store: Path) -> None:
    folder = alice.make("big", {"big.bin": os.urandom(400_000), "small.txt": "s"})
    alice.run("add", str(folder))
    good = alice.run("verify", "big@v1")
    assert good.out == "TARGET\tSTATE\tREF\tPATH\tREASON\nbig@v1\tok\t\t\t\n"
    found = alice.run("--json", "verify", "--all").json
    assert (found["ok"], found["damaged"], found["missing"]) == (True, [], [])
    whole = next(p for p in (store / "whole").rglob("*") if p.is_file())
    whole.chmod(0o644)
    with whole.open("r+b") as file:
        file.seek(200_000)
        file.write(b"damage")
    bad = alice.run("verify", "big@v1", code=5)
    assert "big.bin" in bad.out
    found = alice.run("--json", "verify", "big@v1", code=5).json
    assert (found["ok"], [d["path"] for d in found["damaged"]]) == (False, ["big.bin"])


def test_quiet_and_json_say_nothing_else(alice: Person, cmr: Path) -> None:
    for arguments in (
        ["ls"],
        ["show", "cmr"],
        ["log"],
        ["log", "cmr"],
        ["status", str(cmr)],
        ["du"],
    ):
        quiet = alice.run("-q", *arguments)
        assert quiet.err == "", arguments
        document = alice.run("--json", *arguments)
        assert document.err == "", arguments
        json.loads(document.out)
