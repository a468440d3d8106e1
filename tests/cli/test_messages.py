"""What a person reads on a terminal, from real stores: every message says only what is true."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.cli.conftest import Person

BIG = 400_000


@pytest.fixture
def cmr(alice: Person, store: Path) -> Path:
    """alice's cmr@v1: a large file and two small ones, saved from her ./cmr."""
    files = {"labels/l.csv": "id,v\n1,2\n", "README.md": "# CMR\n", "s/sax.nii.gz": os.urandom(BIG)}
    folder = alice.make("cmr", files)
    alice.run("add", "./cmr", "-m", "first import")
    return folder


def seen(who: Person, *arguments: str, code: int = 0, cwd: Path | None = None) -> list[str]:
    """The lines that a command leaves on a terminal, on a day without a bar of progress."""
    calm = Person(who.name, who.home, {**who.variables, "JPY_PARENT_PID": "1"})
    with calm.on_terminal("--color", "never", *arguments, cwd=cwd, columns=120) as terminal:
        assert terminal.finish() == code, terminal.text
    return terminal.text.splitlines()


def save_more(alice: Person, cmr: Path) -> None:
    (cmr / "labels" / "l.csv").write_text("id,v\n1,3\n")
    (cmr / "new.txt").write_text("new")
    alice.run("add", "./cmr", "-m", "more labels")


def test_pull_again(bob: Person, cmr: Path) -> None:
    assert seen(bob, "pull", "cmr") == ["cmr@v1 is in ./cmr  (3 files, 400.0 kB, checked)"]
    assert seen(bob, "pull", "cmr") == ["cmr@v1 is already in ./cmr, unchanged."]
    again = bob.run("--json", "pull", "cmr").json
    assert (again["copied"], again["already"], again["others"]) == (0, 3, 0)
    bob.make("cmr", {"notes.txt": "mine", "more/notes.txt": "mine"})
    assert seen(bob, "pull", "cmr") == ["cmr@v1 is already in ./cmr; 2 other files are there."]
    assert bob.run("--json", "pull", "cmr").json["others"] == 2
    (bob.home / "cmr" / "labels" / "l.csv").unlink()
    assert seen(bob, "pull", "cmr") == [
        "cmr@v1 is in ./cmr  (3 files, 400.0 kB, checked)",
        "  2 other files there were left alone",
    ]
    inside = seen(bob, "pull", "cmr", cwd=bob.home / "cmr" / "labels")
    assert inside == ["cmr@v1 is already in ~/cmr; 2 other files are there."]


def test_pull_a_newer_version(alice: Person, bob: Person, cmr: Path) -> None:
    bob.run("pull", "cmr")
    bob.make("cmr", {"notes.txt": "mine"})
    save_more(alice, cmr)
    assert seen(bob, "pull", "-n", "cmr") == [
        "Would get cmr@v2 into ./cmr: 2 files to write (12 B), 2 there already, 0 to remove.",
        "Nothing was touched (dry run).",
    ]
    assert seen(bob, "pull", "cmr") == [
        "./cmr moved from cmr@v1 to cmr@v2: 1 added, 1 replaced.",
        "  1 other file there was left alone",
    ]
    assert seen(bob, "pull", "cmr@v1")[0] == (
        "./cmr moved from cmr@v2 to cmr@v1: 0 added, 1 replaced, 1 removed."
    )


def test_local_edits_are_kept(alice: Person, bob: Person, cmr: Path) -> None:
    bob.run("pull", "cmr")
    bob.make("cmr", {"labels/l.csv": "mine"})
    save_more(alice, cmr)
    assert seen(bob, "pull", "cmr", code=6) == [
        "Error: ./cmr has 1 file you changed since cmr@v1; nothing was touched.",
        "  ~ labels/l.csv",
        "  Keep both:     datacat pull cmr@v2 -d cmr-v2",
        "  Save mine:     datacat add ./cmr",
        "  Discard mine:  datacat pull cmr@v2 -d ./cmr --force   (kept in ./cmr/.datacat/backup)",
    ]
    moved, kept = seen(bob, "pull", "cmr@v2", "-d", "./cmr", "--force")
    assert moved == "./cmr moved from cmr@v1 to cmr@v2: 1 added, 1 replaced."
    assert kept.startswith("  your changes are kept in ./cmr/.datacat/backup/")
    backup = bob.home / kept.removeprefix("  your changes are kept in ")
    assert (backup / "labels" / "l.csv").read_text() == "mine"


def test_pull_a_part(alice: Person, bob: Person, cmr: Path) -> None:
    part = ("labels/", "*.md", "-d", "data")
    assert seen(bob, "pull", "cmr", *part) == [
        "2 of 3 files from cmr@v1 are in ./data  (15 B, checked)"
    ]
    assert seen(bob, "pull", "cmr", *part) == [
        "2 of 3 files from cmr@v1 are already in ./data, unchanged."
    ]
    save_more(alice, cmr)
    assert seen(bob, "pull", "cmr", *part) == [
        "./data moved from cmr@v1 to cmr@v2: 0 added, 1 replaced."
    ]
    assert seen(bob, "status", "data") == ["./data   cmr@v2, unchanged, in part"]


def test_pull_into_a_folder_that_holds_it(bob: Person, cmr: Path) -> None:
    mine = bob.home / "mine"
    shutil.copytree(cmr, mine, ignore=shutil.ignore_patterns(".datacat"))
    adopted = ["./mine already holds cmr@v1 (content checked); now tracked."]
    assert bob.run("--json", "pull", "-n", "cmr", "-d", "mine").json["adopted"] is True
    assert seen(bob, "pull", "cmr", "-d", "mine") == adopted
    assert seen(bob, "status", "mine") == ["./mine   cmr@v1, unchanged"]
    other = shutil.copytree(mine, bob.home / "other", ignore=shutil.ignore_patterns(".datacat"))
    (other / "zz.txt").write_text("z")
    assert seen(bob, "pull", "cmr", "-d", "other", code=6) == [
        "Error: ./other is not a working copy of cmr: it holds 1 other file (zz.txt); nothing was"
        " touched.",
        "  Keep both:    datacat pull cmr@v1 -d another-folder",
        "  Pull anyway:  datacat pull cmr@v1 -d ./other --force   (what is replaced is kept in"
        " ./other/.datacat/backup)",
    ]
    assert seen(bob, "pull", "cmr", "-d", "other", "-f") == [
        "./other already holds cmr@v1 (content checked); now tracked.",
        "  1 other file there was left alone",
    ]


def test_pull_as_links(alice: Person, bob: Person, cmr: Path) -> None:
    assert seen(bob, "pull", "cmr", "--link") == [
        "cmr@v1 is in ./cmr  (3 files, 400.0 kB)",
        "  1 file as read-only links into the store; 15 B copied",
        "  To edit files, pull a copy instead:  datacat pull cmr@v1 --link copy -d cmr-edit",
    ]
    assert seen(bob, "pull", "cmr", "--link") == ["cmr@v1 is already in ./cmr, unchanged."]
    assert seen(bob, "status") == ["./cmr   cmr@v1, unchanged, linked"]
    alice.run("add", str(alice.make("one", {"big.bin": os.urandom(BIG)})))
    assert seen(bob, "pull", "one", "--link")[0] == (
        "one@v1 is in ./one as read-only links into the store (0 B copied)."
    )


def test_status_knows_the_newest(alice: Person, bob: Person, cmr: Path) -> None:
    bob.run("pull", "cmr")
    save_more(alice, cmr)
    assert seen(bob, "status") == ["./cmr   cmr@v1, unchanged   (v2 is available, by alice)"]
    for who, newest in ((bob, "cmr@v1"), (alice, "cmr@v2")):
        entry = who.run("--json", "status", "cmr").json[0]
        assert (entry["ref"], entry["newest"], entry["newest_by"]) == (newest, "cmr@v2", "alice")
    assert seen(alice, "status") == ["./cmr   cmr@v2, unchanged"]


def test_show_names_a_file_that_is_alone_of_its_kind(alice: Person, cmr: Path) -> None:
    (cmr / "labels" / "m.csv").write_text("id\n")
    alice.run("add", "cmr")
    shown = seen(alice, "show", "cmr")
    assert "  contents  sax.nii.gz · 2 .csv 12 B · README.md" in shown
    many = {f"a.x{i}": str(i) * (i + 1) for i in range(12)}
    alice.run("add", str(alice.make("many", many)))
    contents = next(line for line in seen(alice, "show", "many") if "contents" in line)
    assert contents.endswith(" · 8 more")


def test_the_way_to_look_at_a_conflict_shows_my_folder(
    alice: Person, bob: Person, cmr: Path
) -> None:
    bob.run("pull", "cmr")
    bob.make("cmr", {"README.md": "# mine\n"})
    save_more(alice, cmr)
    refused = seen(bob, "add", "cmr", code=6)
    assert refused[0] == "Error: alice saved cmr@v2 just now; your copy started from cmr@v1."
    assert refused[2:] == [
        "  Look:         datacat diff cmr@v2 ./cmr",
        "  Save anyway:  datacat add ./cmr --force   (without alice's changes)",
    ]
    look = seen(bob, *refused[2].partition("datacat ")[2].split())
    assert look[0].startswith("cmr@v2 → ./cmr    +0 ~2 -1")


def test_a_word_is_the_version_and_with_a_slash_the_folder(alice: Person, cmr: Path) -> None:
    save_more(alice, cmr)
    (cmr / "new.txt").write_text("damage")
    assert seen(alice, "verify", "cmr")[0].endswith(": all as saved.")
    assert seen(alice, "verify", "./cmr", code=5)[1:] == [
        "1 of 4 damaged:",
        "  cmr@v2/new.txt: it is not what was saved",
    ]
    assert seen(alice, "diff", "cmr") == ["cmr@v2 is compared with itself: nothing differs."]
    assert seen(alice, "diff", "cmr", "./cmr")[0].startswith("cmr@v2 → ./cmr    +0 ~1 -0")


def test_the_content_of_a_team_is_known_under_any_name(bob: Person, cmr: Path) -> None:
    copy = bob.home / "cmr_final_v2_new"
    shutil.copytree(cmr, copy, ignore=shutil.ignore_patterns(".datacat"))
    assert seen(bob, "add", "cmr_final_v2_new") == [
        "Nothing to add: this is exactly cmr@v1 (alice, just now)."
    ]
    assert seen(bob, "status", "cmr_final_v2_new")[1] == "  exactly cmr@v1"
    (copy / "extra").write_text("x")
    assert seen(bob, "status", "cmr_final_v2_new")[1] == (
        "  99% the same as cmr@v1 (alice, just now): 1 file only here"
    )
    # Nobody is asked: a name of its own, and a warning that says what to do.
    warning, saved, told = seen(bob, "add", "cmr_final_v2_new")
    assert warning == (
        "warning: this is 99% the same as cmr@v1 by alice (3 of 4 files, 400.0 of 400.0 kB);"
        " saved as the separate dataset cmr-final-v2-new@v1."
        " To make it the next version of cmr:  --name cmr"
    )
    assert saved.startswith("Saved cmr-final-v2-new@v1: 4 files, 400.0 kB  (1 B new, ")
    assert told == "Teammates run:  datacat pull cmr-final-v2-new"
    (bob.home / "cmr_final_v3").mkdir()
    (bob.home / "cmr_final_v3" / "own").write_text("something else")
    assert seen(bob, "add", "cmr_final_v3")[-1] == (
        "hint: versions are kept for you; a short name like 'cmr' ages better (--name cmr)."
    )


def test_of_several_paths_those_before_a_failure_are_saved(alice: Person, store: Path) -> None:
    alice.make("one", {"a": "1"})
    failed = alice.run("--json", "add", "one", "nowhere", code=3)
    assert failed.json["error"]["code"] == "path_not_found"
    assert [d["name"] for d in alice.run("ls", "--json").json] == ["one"]
