"""The same commands on a real terminal: tables, questions, colours, interruptions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Person

HOSTILE = "a[b]:smile:\x1b[31mred\u202e[/tmp] x"


def test_a_table_on_a_terminal_and_values_in_a_pipe(alice: Person, store: Path) -> None:
    alice.run("add", str(alice.make("cmr", {"a": "1"})), "--description", "long words " * 20)
    with alice.on_terminal("ls") as terminal:
        assert terminal.finish() == 0
    lines = terminal.text.splitlines()
    assert lines[0].split() == ["NAME", "VERSION", "OWNER", "SIZE", "UPDATED", "DESCRIPTION"]
    assert lines[1].startswith("cmr   v1       alice   1 B  just now  long words")
    assert all(len(line) <= 80 for line in lines)
    assert lines[1].endswith("…")
    assert lines[2].startswith("1 dataset, 1 version, ")
    assert "\t" in alice.run("ls").out
    narrow = alice.on_terminal("ls", columns=20)
    with narrow:
        assert narrow.finish() == 0
    assert narrow.text.splitlines()[1].split() == ["cmr", "v1", "1", "B"]


def test_colour(person: Callable[..., Person], store: Path, alice: Person) -> None:
    alice.run("add", str(alice.make("cmr", {"a": "1"})))

    def raw(who: Person, *arguments: str) -> bytes:
        with who.on_terminal(*arguments) as terminal:
            assert terminal.finish() == 0
        return terminal.raw

    assert b"\x1b[1m" in raw(alice, "ls")
    plain = person("alice", NO_COLOR="1")
    assert b"\x1b" not in raw(plain, "ls")
    assert b"\x1b[1m" in raw(plain, "ls", "--color", "always")
    assert b"\x1b" not in raw(alice, "ls", "--color=never")
    assert b"\x1b" not in raw(person("alice", TERM="dumb"), "ls")
    forced = person("alice", FORCE_COLOR="1")
    # A pipe gets values for a program, whatever colours are wished.
    assert forced.run("ls").out.startswith("NAME\tVERSION")
    assert "\x1b" not in forced.run("ls").out


def test_words_of_others_are_shown_as_they_are(alice: Person, store: Path) -> None:
    folder = alice.make("cmr", {"scan[old].csv": "x", "a:smile:b": "y"})
    try:
        (folder / "esc\x1b[2J.txt").write_text("z")
    except OSError:
        pytest.skip("this file system takes no such name")
    alice.run("add", str(folder), "-m", HOSTILE, "--description", HOSTILE)
    shown = "a[b]:smile:\\x1b[31mred\\u202e[/tmp] x"
    for arguments in (
        ["ls", "--color", "never"],
        ["ls", "--wide", "--color", "never"],
        ["ls", "--tree", "--color", "never"],
        ["show", "cmr", "--color", "never"],
        ["log", "cmr", "--color", "never"],
        ["log", "--color", "never"],
        ["ls", "--files", "cmr"],
        ["show", "cmr", "--files", "--color", "never"],
        ["status", "cmr"],
    ):
        with alice.on_terminal(*arguments, columns=200) as terminal:
            assert terminal.finish() == 0
        # Only theirs: on a slow machine there may be a bar of progress.
        assert b"\x1b[31m" not in terminal.raw, arguments
        assert b"\x1b[2J" not in terminal.raw, arguments
        assert "\u202e" not in terminal.text, arguments
        if "--files" in arguments:
            assert "scan[old].csv" in terminal.text
            assert "a:smile:b" in terminal.text
            assert "esc\\x1b[2J.txt" in terminal.text
        elif arguments[0] != "status":
            assert shown in terminal.text, arguments
        piped = alice.run(*arguments)
        assert "\x1b" not in piped.out
    assert alice.run("ls", "--json").json[0]["description"] == HOSTILE


def test_an_action_prints_no_ref_to_a_terminal(alice: Person, store: Path) -> None:
    alice.make("cmr", {"a": "1"})
    with alice.on_terminal("add", "cmr") as terminal:
        assert terminal.finish() == 0
    assert "cmr@v1\n" not in terminal.text
    assert terminal.text.startswith("Saved cmr@v1: 1 file, 1 B.")


def test_the_end_of_input_is_no_answer(alice: Person, store: Path, tmp_path: Path) -> None:
    with alice.on_terminal("init", str(tmp_path / "other")) as terminal:
        terminal.wait_for("[y/N] ")
        terminal.type("\x04")
        assert terminal.finish() == 0
    assert not (tmp_path / "other").exists()


def test_ctrl_c_at_a_question(alice: Person, store: Path, tmp_path: Path) -> None:
    with alice.on_terminal("init", str(tmp_path / "other")) as terminal:
        terminal.wait_for("[y/N] ")
        terminal.interrupt()
        assert terminal.finish() == 130
    assert terminal.text.endswith("Stopped.\n")
    assert not (tmp_path / "other").exists()


STOPPING = "Stopping… (nothing was saved; run the same command to continue)"


@pytest.fixture(scope="module")
def big(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """So many files that an add takes a second or more."""
    folder = tmp_path_factory.mktemp("big") / "big"
    for number in range(30):
        part = folder / str(number)
        part.mkdir(parents=True)
        for i in range(1_000):
            (part / str(i)).write_bytes(b"%d of %d" % (i, number))
    return folder


@pytest.mark.parametrize("how", ["interrupt", "terminate"])
def test_ctrl_c_during_an_add(alice: Person, store: Path, big: Path, how: str) -> None:
    with alice.on_terminal("-j", "1", "add", str(big)) as terminal:
        terminal.wait_for("files")
        getattr(terminal, how)()
        code = terminal.finish()
    assert STOPPING in terminal.text
    assert "Traceback" not in terminal.text
    assert "Saved" not in terminal.text
    assert code == 130
    assert alice.run("ls", "--json").json == []
    assert alice.run("-q", "add", str(big)).out == "big@v1\n"
    assert alice.run("--json", "verify", "big").json["ok"] is True


def test_the_second_ctrl_c_leaves_at_once(alice: Person, store: Path, big: Path) -> None:
    with alice.on_terminal("-j", "1", "add", str(big)) as terminal:
        terminal.wait_for("files")
        terminal.interrupt()
        terminal.wait_for(STOPPING)
        terminal.interrupt()
        assert terminal.finish() == 130
    assert alice.run("ls", "--json").json == []


def test_a_notebook_gets_no_bar(
    person: Callable[..., Person], alice: Person, store: Path, big: Path
) -> None:
    notebook = person("alice", JPY_PARENT_PID="1")
    with notebook.on_terminal("add", str(big)) as terminal:
        assert terminal.finish() == 0
    assert "━" not in terminal.text
    assert terminal.text.startswith("Saved big@v1: ")
