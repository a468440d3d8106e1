"""`lineage` and `add --from` from the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Person

Golden = Callable[..., None]
VARIES = {
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ": "TIME",
    r'"hash": "[0-9a-f]+"': '"hash": "HASH"',
}


@pytest.fixture
def team(alice: Person, bob: Person, store: Path) -> None:
    """Labels on cmr@v1, and a network from cmr@v2 and the labels."""
    cmr = alice.make("cmr", {"a.txt": "1"})
    alice.run("add", str(cmr))
    labels = bob.make("labels", {"l.csv": "x"})
    bob.run("add", str(labels), "--from", "CMR@1")
    (cmr / "a.txt").write_text("2")
    alice.run("add", str(cmr))
    bob.make("unet", {"w.bin": "w"})
    bob.run("add", "unet", "--from", "cmr", "--from", "./labels", "--from", "cmr@v2")


def test_lineage(alice: Person, team: None, golden: Golden) -> None:
    shown = alice.run("--json", "lineage", "unet")
    golden("lineage.json", json.dumps(shown.json, indent=1) + "\n", hide=VARIES)
    with alice.on_terminal("--color", "never", "lineage", "unet") as terminal:
        assert terminal.finish() == 0
    assert terminal.text.splitlines() == [
        "unet@v1   bob, just now",
        "└ made from",
        "   ├ cmr@v2      alice, just now",
        "   └ labels@v1   bob, just now",
        "      └ cmr@v1   alice, just now   ! an older cmr than above; v2 is newer",
    ]
    lines = alice.run("lineage", "cmr@v1", "--down").out.splitlines()
    assert [line.split("\t")[:4] for line in lines] == [
        ["DIRECTION", "FROM", "TO", "BY"],
        ["down", "cmr@v1", "labels@v1", "bob"],
        ["down", "labels@v1", "unet@v1", "bob"],
    ]
    assert alice.run("lineage", "cmr@v1", "--up").err == (
        "What cmr@v1 was made from is not recorded  (datacat add --from does it).\n"
    )
    assert alice.run("lineage", "cmr@v1", "--depth", "1").err == "There is more beyond --depth.\n"
    assert alice.run("lineage", "crm", code=3).err.startswith("Error: no dataset named 'crm'")
    assert alice.run("lineage", "cmr@v7", code=3).err.startswith("Error: cmr has no v7;")
    assert alice.run("lineage", "cmr", "--depth", "0", code=2).out == ""


def test_unknown_sources(bob: Person, team: None) -> None:
    (bob.home / "unet" / "w.bin").write_text("w2")
    for source, exit_code, text in (
        ("nobody", 3, "no dataset named 'nobody'"),
        ("cmr@v9", 3, "cmr has no v9; versions are v1, v2"),
        ("./nowhere", 3, "./nowhere does not exist"),
        (".", 2, ". is not a working copy of this store"),
        ("unet@v2", 3, "unet has no v2; its only version is v1"),
    ):
        failed = bob.run("add", "unet", "--from", source, code=exit_code)
        assert text in failed.err
    assert len(bob.run("log", "unet").out.splitlines()) == 2
