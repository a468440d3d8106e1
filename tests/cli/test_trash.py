"""`rm`, `restore` and `ls --trash` in a pipe and on a terminal."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Person


@pytest.fixture
def cmr(alice: Person, store: Path) -> Path:
    """alice's dataset cmr with two versions."""
    folder = alice.make("cmr", {"labels.csv": "id,v\n1,2\n"})
    alice.run("add", str(folder))
    (folder / "more.csv").write_text("x")
    alice.run("add", str(folder))
    return folder


def test_one_version_goes_without_a_question(alice: Person, cmr: Path) -> None:
    done = alice.run("rm", "cmr@v1")
    assert done.out == "cmr@v1\n"
    assert done.err.startswith("cmr@v1 is in the trash until 20")
    assert "Undo:  datacat restore cmr@v1\nNo space is freed before datacat gc.\n" in done.err
    listed = alice.run("ls", "--trash")
    header, row = listed.out.splitlines()
    assert header.split("\t") == ["VERSION", "SIZE", "REMOVED", "BY", "UNTIL", "MESSAGE"]
    assert row.split("\t")[:2] == ["cmr@v1", "9"]
    assert "1 version of 1 dataset in the trash." in listed.err
    assert alice.run("-q", "ls", "--trash").out == "cmr@v1\n"
    (dataset,) = alice.run("--json", "ls", "--trash").json
    assert [v["ref"] for v in dataset["version_list"]] == ["cmr@v1"]
    assert dataset["version_list"][0]["trashed_by"] == "alice"
    back = alice.run("restore", "cmr@v1")
    assert (back.out, back.err) == ("cmr@v1\n", "cmr@v1 is back.\n")
    assert alice.run("restore", "cmr@v1").err == "cmr@v1 is not in the trash.\n"
    assert alice.run("ls", "--trash").err == "The trash is empty.\n"


def test_a_dataset_in_a_script_needs_a_yes(alice: Person, cmr: Path) -> None:
    refused = alice.run("rm", "cmr", code=6)
    assert refused.out == ""
    assert "cmr would go with all versions" in refused.err
    assert "datacat rm cmr --yes" in refused.err
    assert alice.run("--json", "rm", "cmr", code=6).json["error"]["code"] == "needs_yes"
    looked = alice.run("rm", "cmr", "-n")
    assert (
        "Would move cmr (2 versions, 19 B) to the trash.\n  in use: nobody    used by: nothing\n"
        in looked.err
    )
    assert looked.err.endswith("Nothing was moved (dry run).\n")
    assert looked.out == ""
    document = alice.run("--json", "rm", "cmr", "--yes").json
    assert document["trashed"] == ["cmr@v1", "cmr@v2"]
    assert document["frees_bytes"] > 0
    gone = alice.run("pull", "cmr", code=3)
    assert "datacat restore cmr" in gone.err
    assert json.loads(alice.run("--json", "restore", "cmr").out)["restored"] == ["cmr@v1", "cmr@v2"]


def test_a_dataset_on_a_terminal_is_asked_for(alice: Person, cmr: Path) -> None:
    with alice.on_terminal("rm", "cmr") as terminal:
        terminal.wait_for("Move cmr (2 versions, 19 B) to the trash? Can be undone for 30 days.")
        terminal.wait_for("[y/N]")
        terminal.type("n\n")
        assert terminal.finish() == 0
    assert alice.run("-q", "ls").out == "cmr\n"
    with alice.on_terminal("rm", "cmr") as terminal:
        terminal.wait_for("[y/N]")
        terminal.type("y\n")
        assert terminal.finish() == 0
    assert alice.run("-q", "ls").out == ""


def test_options_that_exclude_each_other(alice: Person, cmr: Path) -> None:
    assert alice.run("ls", "--trash", "--tree", code=2).out == ""
