"""A folder that is nearly a version, on a real terminal and in scripts: what is asked, and told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Person

MASKS = {f"sub-{n:04}/mask.bin": b"%d" % n * 2_000 for n in range(1, 41)}
COPY = {
    **MASKS,
    "sub-0001/mask.bin": b"edited",
    "sub-0002/mask.bin": b"edited, too",
    "sub-4811/sax.bin": b"new",
}


@pytest.fixture
def copy(alice: Person, bob: Person, store: Path) -> Path:
    alice.run("add", str(alice.make("cmr", MASKS)))
    return bob.make("cmr_final_v2_new", COPY)


def test_the_question(bob: Person, copy: Path, golden: Callable[..., None]) -> None:
    with bob.on_terminal("add", "cmr_final_v2_new", "-m", "mine") as terminal:
        terminal.wait_for("Choose [1]: ")
        # What was drawn before may be a bar, if the machine is slow.
        golden("similar-question.txt", terminal.text[terminal.text.index("This is ") :])
        terminal.type("\n")
        assert terminal.finish() == 0
    assert "Saved cmr@v2: 1 added, 2 changed, 0 removed." in terminal.text
    assert "warning" not in terminal.text
    assert bob.run("log", "cmr", "--json").json[0]["message"] == "mine"


def test_each_answer(bob: Person, copy: Path) -> None:
    with bob.on_terminal("add", "cmr_final_v2_new") as terminal:
        terminal.wait_for("Choose [1]: ")
        terminal.type("x\n")
        terminal.wait_for("Type 1, 2, 3 or q.\nChoose [1]: ")
        terminal.type("3\n")
        terminal.wait_for("  + sub-4811/sax.bin\nChoose [1]: ")
        listed = [line for line in terminal.text.splitlines() if line[:4] in ("  ~ ", "  + ")]
        assert listed[-3:] == [
            "  ~ sub-0001/mask.bin",
            "  ~ sub-0002/mask.bin",
            "  + sub-4811/sax.bin",
        ]
        terminal.type("q\n")
        assert terminal.finish() == 0
    assert terminal.text.endswith("Nothing was saved.\n")
    assert [d["name"] for d in bob.run("ls", "--json").json] == ["cmr"]
    with bob.on_terminal("add", "cmr_final_v2_new") as terminal:
        terminal.wait_for("Choose [1]: ")
        terminal.type("2\n")
        assert terminal.finish() == 0
    assert "Saved cmr-final-v2-new@v1: 41 files" in terminal.text
    assert "warning" not in terminal.text


def test_the_end_of_input_and_ctrl_c_save_nothing(bob: Person, copy: Path) -> None:
    with bob.on_terminal("add", "cmr_final_v2_new") as terminal:
        terminal.wait_for("Choose [1]: ")
        terminal.type("\x04")
        assert terminal.finish() == 0
    assert terminal.text.endswith("Nothing was saved.\n")
    with bob.on_terminal("add", "cmr_final_v2_new") as terminal:
        terminal.wait_for("Choose [1]: ")
        terminal.interrupt()
        assert terminal.finish() == 130
    assert terminal.text.endswith("Stopped.\n")
    assert "Traceback" not in terminal.text
    assert [d["name"] for d in bob.run("ls", "--json").json] == ["cmr"]


def test_an_older_version_is_not_the_usual_answer(alice: Person, bob: Person, copy: Path) -> None:
    alice.make("cmr", dict.fromkeys(MASKS, b"other" * 3000))
    alice.run("add", "cmr")
    with bob.on_terminal("add", "cmr_final_v2_new") as terminal:
        terminal.wait_for("Choose [2]: ")
        terminal.type("\n")
        assert terminal.finish() == 0
    assert "The newest is cmr@v2: what is new in it is not here." in terminal.text
    assert "  1  save as the next version of cmr   (cmr@v3)" in terminal.text
    assert "Saved cmr-final-v2-new@v1" in terminal.text


@pytest.mark.parametrize("how", ["pipe", "--no-input", "notebook", "CI", "--json"])
def test_where_nobody_can_answer(
    person: Callable[..., Person], bob: Person, copy: Path, how: str
) -> None:
    variable = {"notebook": "JPY_PARENT_PID", "CI": "CI"}.get(how)
    who = person("bob", **({variable: "1"} if variable else {}))
    options = [how] if how.startswith("--") else []
    if how == "pipe":
        said = who.run("add", "cmr_final_v2_new").err
    else:
        with who.on_terminal("add", "cmr_final_v2_new", *options, columns=300) as terminal:
            assert terminal.finish() == 0
        said = terminal.text
    assert "Choose" not in said
    assert (
        "warning: this is 97% the same as cmr@v1 by alice (38 of 40 files, 138.0 of 142.0 kB);"
        " saved as the separate dataset cmr-final-v2-new@v1."
        " To make it the next version of cmr:  --name cmr\n"
    ) in said


def test_the_document(bob: Person, copy: Path) -> None:
    (similar,) = bob.run("--json", "add", "cmr_final_v2_new").json["similar"]
    assert similar == {
        "ref": "cmr@v1",
        "relation": "near",
        "same_bytes_ratio": round(similar["same_bytes"] / similar["bytes"], 6),
        "same_files": 38,
        "same_bytes": sum(len(data) for path, data in COPY.items() if data == MASKS.get(path)),
        "files": 40,
        "bytes": sum(map(len, MASKS.values())),
        "added": 1,
        "modified": 2,
        "removed": 0,
        "renamed": 0,
    }
    assert bob.run("--json", "add", "cmr_final_v2_new", "-n").json["similar"] == []


def test_what_answers_in_advance(bob: Person, copy: Path) -> None:
    for options, ref in ((["--new"], "cmr-final-v2-new@v1"), (["--name", "cmr"], "cmr@v2")):
        bob.make(f"copy{len(options)}", {**COPY, "own": ref})
        name = ["--name", "cmr-final-v2-new"] if options == ["--new"] else []
        with bob.on_terminal("add", f"copy{len(options)}", *options, *name) as terminal:
            assert terminal.finish() == 0
        assert f"Saved {ref}" in terminal.text
        assert "the same as" not in terminal.text


def test_a_dry_run_asks_nothing(bob: Person, copy: Path) -> None:
    with bob.on_terminal("add", "-n", "cmr_final_v2_new", columns=300) as terminal:
        assert terminal.finish() == 0
    assert "would be saved as the separate dataset cmr-final-v2-new@v1." in terminal.text
    assert "Nothing was saved (dry run)." in terminal.text


def test_status_of_such_a_folder(bob: Person, copy: Path, golden: Callable[..., None]) -> None:
    with bob.on_terminal("status", "cmr_final_v2_new") as terminal:
        assert terminal.finish() == 0
    golden("similar-status.txt", terminal.text[terminal.text.rindex("./cmr_final_v2_new   ") :])
    (entry,) = bob.run("--json", "status", "cmr_final_v2_new").json
    assert entry["similar"][0]["ref"] == "cmr@v1"
    assert entry["identical_to"] is None


def test_parts_and_what_holds_them(bob: Person, copy: Path) -> None:
    part = bob.make("part", dict(list(MASKS.items())[:3]))
    assert "  all of this is in cmr@v1 by alice, which has 40 files, 142.0 kB\n" in (
        bob.run("add", str(part)).err
    )
    more = bob.make("more", {**dict(list(MASKS.items())[:3]), "large": b"L" * 900_000})
    with bob.on_terminal("status", str(more), columns=200) as terminal:
        assert terminal.finish() == 0
    assert "  all of part@v1 by bob (3 files, 6.0 kB) is inside this\n" in terminal.text
    assert "cmr@v1" not in terminal.text


def test_hostile_names_are_shown_as_they_are(alice: Person, bob: Person, store: Path) -> None:
    name = "a[b]\x1b[31m:smile:\u202e.bin"
    alice.run("add", str(alice.make("data", {**MASKS, name: b"x" * 100})))
    bob.make("my_data", {**MASKS, name: b"changed", "\x1b]0;t\x07[/tmp]": b"y"})
    escaped = "a[b]\\x1b[31m:smile:\\u202e.bin"
    with bob.on_terminal("add", "my_data", columns=200) as terminal:
        terminal.wait_for("Choose [1]: ")
        asked = terminal.raw
        terminal.type("3\n")
        terminal.wait_for(f"  ~ {escaped}\nChoose [1]: ")
        listed = terminal.raw[len(asked) :]
        terminal.type("q\n")
        assert terminal.finish() == 0
    assert b"\x1b" not in listed
    assert b"\x1b" not in asked[asked.index(b"This is ") :]
    assert "\u202e" not in terminal.text
    shown = [line.split() for line in terminal.text.splitlines()]
    assert ["~", "1", "file", "differs", escaped] in shown
    assert ["+", "1", "file", "only", "here", "\\x1b]0;t\\x07[/tmp]"] in shown
