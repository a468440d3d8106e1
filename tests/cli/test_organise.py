"""alias, edit and rename from the command line: streams, JSON, exit codes, old names."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Person

Golden = Callable[..., None]
TIME = {r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ": "TIME", r'"hash": "[0-9a-f]+"': '"hash": "HASH"'}


@pytest.fixture
def cmr(alice: Person, store: Path) -> Path:
    folder = alice.make("cmr", {"labels.csv": "id,v\n1,2\n"})
    alice.run("add", str(folder), "-m", "first", "--tag", "mri")
    (folder / "labels.csv").write_text("id,v\n1,3\n")
    alice.run("add", str(folder), "-m", "second")
    return folder


def test_alias(alice: Person, bob: Person, cmr: Path, golden: Golden) -> None:
    first = bob.run("alias", "cmr@v1", "gold")
    assert (first.out, first.err) == ("cmr@v1\n", "cmr@gold → v1\n")
    moved = alice.run("alias", "cmr@v2", "gold")
    assert moved.err == "cmr@gold → v2   (was v1, set by bob just now)\n"
    golden("alias.json", alice.run("--json", "alias", "cmr@v1", "gold").out, hide=TIME)
    golden("aliases.json", alice.run("--json", "alias", "cmr").out, hide=TIME)
    assert alice.run("alias", "cmr").out.splitlines()[0] == "ALIAS\tVERSION\tSET BY\tWHEN"
    assert alice.run("-q", "alias", "-D", "cmr@gold").err == ""
    none = alice.run("alias", "cmr")
    assert none.err == "No aliases. Set one:  datacat alias NAME@v1 WORD\n"
    assert alice.run("alias", "cmr", "v3", code=2).err.startswith("Error: 'v3' cannot be an alias")
    assert alice.run("alias", "cmr@v9", "best", code=3).err.startswith("Error: cmr has no v9;")
    gone = alice.run("--json", "alias", "-D", "cmr@gold", code=3).json["error"]
    assert (gone["code"], gone["try"]) == ("alias_not_found", ["datacat alias cmr"])
    assert alice.run("alias", "-D", "cmr", "gold", code=2).err.startswith(
        "Error: to remove an alias, name it as one word: NAME@gold.\n"
    )


def test_edit(alice: Person, bob: Person, cmr: Path) -> None:
    done = alice.run("edit", "cmr", "--tag", "ukb", "--owner", "dana", "--untag", "mri")
    assert (done.out, done.err) == ("cmr\n", "cmr: owner alice → dana; tags ukb\n")
    refused = bob.run("edit", "cmr@v2", "-m", "mine now", code=6)
    assert refused.err == (
        "Error: cmr@v2 is not yours: it belongs to dana, saved by alice.\n"
        "  You are bob.     Do it anyway:  datacat edit cmr@v2 -m 'mine now' --force\n"
    )
    assert refused.out == ""
    forced = bob.run("edit", "cmr@v2", "-m", "mine now", "--metric", "dice=0.5", "--force")
    assert (forced.out, forced.err) == ("cmr@v2\n", 'cmr@v2: message "mine now"; dice 0.5\n')
    version = alice.run("--json", "edit", "cmr@v2", "--param", "lr=3e-4", "--metric", "dice=null")
    assert version.json == alice.run("--json", "log", "cmr").json[0]
    assert (version.json["params"], version.json["metrics"]) == ({"lr": 3e-4}, {})
    dataset = alice.run("--json", "edit", "cmr", "--description", "MRI")
    assert dataset.json == alice.run("--json", "ls").json[0]
    assert alice.run("edit", "cmr", "--metric", "dice", code=2).err.startswith(
        "Error: --metric 'dice' is not KEY=VALUE"
    )
    assert alice.run("tag", code=2).err == (
        "Error: no command 'tag'.\n"
        "  In datacat that is:  datacat edit --tag (a keyword), or datacat alias (a pointer)\n"
    )


def test_old_names_answer_with_the_new_one(alice: Person, bob: Person, cmr: Path) -> None:
    bob.run("pull", "cmr@v1", "-d", "old")
    done = alice.run("rename", "cmr", "cmr-ukb")
    assert done.out == "cmr-ukb\n"
    assert done.err == (
        "cmr is now cmr-ukb. The old name keeps working: datacat pull cmr@v2 still does.\n"
    )
    note = "cmr is now cmr-ukb\n"
    for arguments in (["show", "cmr@v1"], ["pull", "cmr"], ["ls", "CMR"], ["log", "cmr"]):
        assert bob.run(*arguments).err.startswith(note), arguments
        assert note not in bob.run("-q", *arguments).err
    assert note not in bob.run("ls", "cmr-ukb").err
    assert bob.run("show", "cmr-ukb").err == ""
    (bob.home / "old" / "labels.csv").write_text("id,v\n1,4\n")
    saved = bob.run("add", "old", "--force")
    assert saved.err.startswith(note + "Saved cmr-ukb@v3: ")
    assert saved.out == "cmr-ukb@v3\n"
    assert bob.run("--json", "add", "old").json["renamed"] is None
    assert alice.run("--json", "add", "cmr", "--name", "cmr").json["renamed"] == "cmr"
    assert alice.run("--json", "rename", "cmr", "cmr").json == {
        "old": "cmr-ukb",
        "new": "cmr",
        "changed": True,
    }
    taken = alice.make("echo", {"a": "echo"})
    alice.run("add", str(taken))
    assert alice.run("rename", "echo", "cmr-ukb", code=6).err == (
        "Error: the name cmr-ukb is taken: alice's cmr was called so before.\n"
        "  Every name that a dataset had keeps finding it.     Try:  datacat show cmr\n"
    )
