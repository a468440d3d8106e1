"""Who works on what, as the commands tell it: copies in use, the feed, and who opts out."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Person

HOST = socket.gethostname()


@pytest.fixture
def cmr(alice: Person, store: Path) -> Path:
    """alice's dataset cmr@v1, pulled by bob."""
    folder = alice.make("cmr", {"labels.csv": "id,v\n1,2\n2,3\n", "big.bin": os.urandom(300_000)})
    alice.run("add", str(folder), "-m", "first import")
    return folder


def on_screen(person: Person, *arguments: str) -> list[str]:
    """The lines that a command shows on a wide terminal."""
    with person.on_terminal(*arguments, columns=300) as terminal:
        assert terminal.finish() == 0
        return [line.rstrip() for line in terminal.text.splitlines()]


def test_show_and_ls_say_who_has_it(alice: Person, bob: Person, cmr: Path) -> None:
    bob.run("pull", "cmr", "--json")
    shown = [" ".join(line.split()) for line in on_screen(alice, "show", "cmr")]
    (at,) = (number for number, line in enumerate(shown) if line.startswith("in use "))
    assert {line.removeprefix("in use ") for line in shown[at : at + 2]} == {
        f"bob v1 {HOST}:{bob.home}/cmr today",
        f"alice v1 {HOST}:{cmr} today",
    }
    document = alice.run("--json", "show", "cmr").json
    assert document["in_use_by"] == ["alice", "bob"]
    assert {(one["user"], one["path"], one["ref"]) for one in document["in_use"]} == {
        ("alice", str(cmr), "cmr@v1"),
        ("bob", str(bob.home / "cmr"), "cmr@v1"),
    }
    assert [d["in_use_by"] for d in alice.run("--json", "ls").json] == [["alice", "bob"]]
    header, row = (line.split("\t") for line in alice.run("ls", "--wide").out.splitlines())
    assert dict(zip(header, row, strict=True))["IN USE BY"] == "alice, bob"
    (cmr / "more.txt").write_text("more")
    alice.run("add", str(cmr))
    only = alice.run("--json", "show", "cmr@v1").json["in_use"]
    assert [one["user"] for one in only] == ["bob"], "of one version: who has that one"


def test_the_feed_holds_pulls(alice: Person, bob: Person, cmr: Path) -> None:
    bob.run("pull", "cmr")
    feed = alice.run("--json", "log").json
    assert [(e["user"], e["action"], e["ref"]) for e in feed] == [
        ("bob", "pulled", "cmr@v1"),
        ("alice", "saved", "cmr@v1"),
        ("alice", "created", "imaging"),
    ]
    assert (feed[0]["host"], feed[0]["path"]) == (HOST, str(bob.home / "cmr"))
    assert feed[1]["path"] is None
    assert [e["user"] for e in alice.run("--json", "log", "--limit", "1").json] == ["bob"]
    assert [e["ref"] for e in alice.run("--json", "log", "--user", "bob").json] == ["cmr@v1"]
    assert alice.run("--json", "log", "--since", "2999-01-01").json == []
    lines = [line.split() for line in on_screen(alice, "log")]
    assert lines[0][0] == "today"
    assert lines[0][2:] == ["bob", "pulled", "cmr@v1", f"{HOST}:{bob.home}/cmr"]
    # What he pulled is told on, when he saved from that folder.
    (bob.home / "cmr" / "more.txt").write_text("more")
    bob.run("add", "cmr")
    feed = alice.run("--json", "log", "--user", "bob").json
    assert [(e["action"], e["ref"]) for e in feed] == [("saved", "cmr@v2"), ("pulled", "cmr@v1")]
    (held,) = alice.run("--json", "show", "cmr@v2").json["in_use"]
    assert (held["user"], held["ref"], held["pulled_at"]) == ("bob", "cmr@v2", None)


@pytest.mark.parametrize("how", ["environment", "user file", "project file"])
def test_opting_out(
    alice: Person, cmr: Path, person: Callable[..., Person], how: str, store: Path
) -> None:
    quiet = person("quiet", **({"DATACAT_ACTIVITY": "no"} if how == "environment" else {}))
    if how == "user file":
        quiet.run("config", "set", "activity", "false")
    if how == "project file":
        quiet.make(".", {"datacat.toml": "activity = false\n"})
    joined = quiet.run("init", str(store))
    assert "activity" not in joined.err
    quiet.run("pull", "cmr")
    quiet.run("status", "cmr")
    assert alice.run("--json", "show", "cmr").json["in_use_by"] == ["alice"]
    assert {e["user"] for e in alice.run("--json", "log").json} == {"alice"}
    texts = [file.read_text() for file in (store / "copies").iterdir()]
    assert len(texts) == 1
    assert "quiet" not in texts[0]


def test_init_tells_about_it(person: Callable[..., Person], store: Path) -> None:
    joined = person("chen").run("init", str(store))
    assert "or not:  datacat config set activity false" in joined.err


def test_a_folder_that_is_gone_is_not_seen(alice: Person, bob: Person, cmr: Path) -> None:
    bob.run("pull", "cmr")
    shutil.rmtree(bob.home / "cmr")
    gone = bob.run("--json", "show", "cmr").json
    assert [(one["user"], one["gone"]) for one in gone["in_use"]] == [
        ("alice", False),
        ("bob", True),
    ]
    assert gone["in_use_by"] == ["alice"]
    shown = [line.split()[-3:] for line in on_screen(bob, "show", "cmr")]
    assert [f"{HOST}:{bob.home}/cmr", "not", "seen"] in shown


def test_what_cannot_be_registered_is_told_with_v_only(
    alice: Person, bob: Person, cmr: Path, store: Path
) -> None:
    shutil.rmtree(store / "copies")
    (store / "copies").write_text("a file is in the way")
    pulled = bob.run("pull", "cmr")
    assert pulled.err.splitlines() == ["cmr@v1 is in ./cmr  (2 files, 300.0 kB, checked)"]
    told = bob.run("-v", "status", "cmr").err
    assert f"{bob.home}/cmr is not registered in the store: " in told
    assert bob.run("--json", "show", "cmr").json["in_use"] == []
    assert [e["action"] for e in bob.run("--json", "log").json] == ["saved", "created"]
    linked = bob.run("pull", "cmr", "-d", "links", "--link", "symlink")
    assert linked.err.splitlines()[0].startswith(
        "warning: the store does not know of these links, so garbage collection may break them: "
    )
    assert (bob.home / "links" / "big.bin").is_symlink()


def test_hostile_registrations_move_no_cursor(alice: Person, cmr: Path, store: Path) -> None:
    (original,) = (store / "copies").iterdir()
    text = original.read_text().replace('"alice"', '"e\\u001b[2Jve\\u202e"')
    for number, body in enumerate(
        [
            text,
            text[:-9],
            text * 2,
            "[" * 99,
            "x" * 10**6,
            text.replace('"version":1', '"version":{}'),
        ]
    ):
        name = f"{number:032x}"
        (store / "copies" / f"{name}.json").write_text(body.replace(original.stem, name))
    shown = alice.run("show", "cmr")
    assert "e\\x1b[2Jve\\u202e cmr@v1" in shown.out
    assert "\x1b" not in shown.out + alice.run("ls", "--wide").out + alice.run("log").out
    assert len(alice.run("--json", "show", "cmr").json["in_use"]) == 2
