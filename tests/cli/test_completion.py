"""Completion in the real shells, and the words that they are offered.

The `datacat` of these tests prints its arguments, one a line, unless it is asked to complete: what
a shell made of a completed word is then on the screen.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from datacat.cli.complete import SHELLS, script
from datacat.cli.known import files_of, recall, remember
from datacat.model import Words
from tests.cli.conftest import ROOT, Person
from tests.cli.terminal import Terminal

HOSTILE = "it's; $(touch pwned) `touch pwned` *\\\"&|<>!é.csv"
OWNER = "o$(touch pwned) x"


@pytest.fixture
def home(alice: Person, store: Path) -> Person:
    """alice, with a team's words, a `datacat` on her PATH, and files with names made to hurt."""
    folder = alice.make("cmr", {HOSTILE: "1", "labels.csv": "2", "bad\x1b[31m.txt": "3"})
    alice.run("add", str(folder), "--tag", "ukb", "--alias", "gold")
    (folder / "labels.csv").write_text("4")
    alice.run("add", str(folder))
    alice.run("edit", "cmr", "--owner", OWNER)
    alice.run("ls", "--files", "cmr@gold")
    alice.run("ls", "--files", "cmr")
    program = alice.home / "bin" / "datacat"
    program.parent.mkdir()
    program.write_text(
        "#!/bin/sh\n"
        f'if [ -n "$_DATACAT_COMPLETE" ]; then exec "{sys.executable}" -m datacat; fi\n'
        "printf 'ARG<%s>\\n' \"$@\"\n"
    )
    program.chmod(0o755)
    path = f"{program.parent}:/usr/local/bin:/usr/bin:/bin"
    return Person("alice", alice.home, {"PATH": path, "PYTHONPATH": str(ROOT)})


def offered(who: Person, line: str, shell: str = "bash") -> list[str]:
    """What `shell` is answered when the cursor stands at the end of `line`."""
    words = line.split(" ")
    asked = {
        "bash": {"COMP_WORDS": "\n".join(words), "COMP_CWORD": str(len(words) - 1)},
        "powershell": {"COMP_WORDS": "\n".join(w for w in words if w), "COMP_CWORD": words[-1]},
    }[shell]
    person = Person(
        who.name, who.home, {**who.variables, **asked, "_DATACAT_COMPLETE": f"{shell}_complete"}
    )
    done = person.run(code=None)
    assert done.err == ""
    return [line.partition(",")[2] for line in done.out.splitlines()]


OFFERED = (
    ("datacat sho", ["show"]),
    ("datacat show c", ["cmr"]),
    ("datacat show C", ["cmr"]),
    ("datacat show cmr@", ["cmr@gold", "cmr@v2", "cmr@v1"]),
    ("datacat show cmr@v", ["cmr@v2", "cmr@v1"]),
    ("datacat show cmr@v2/l", ["cmr@v2/labels.csv"]),
    ("datacat show cmr/l", ["cmr/labels.csv"]),
    ("datacat show nobody@", []),
    ("datacat pull cmr l", ["labels.csv"]),
    ("datacat edit cmr --tag u", ["ukb"]),
    ("datacat ls --owner bo", []),
    ("datacat show --ver", ["--verbose", "--version", "--versions"]),
    ("datacat --json lineage cmr@g", ["cmr@gold"]),
    ("datacat log c", ["cmr"]),
    ("datacat alias cmr g", ["gold"]),
    ("datacat nonsense c", []),
)


def test_what_is_offered(home: Person) -> None:
    for line, words in OFFERED:
        assert sorted(offered(home, line)) == sorted(words), line


def test_another_store_has_other_words(home: Person, tmp_path: Path) -> None:
    assert offered(home, f"datacat -s {tmp_path}/other show ") == []


def test_words_are_renewed_by_commands_and_never_asked_of_the_store(
    home: Person, alice: Person, store: Path
) -> None:
    alice.run("rename", "cmr", "heart")
    alice.run("ls")
    assert offered(home, "datacat show ") == ["heart"]
    store.rename(store.with_name("away"))
    assert offered(home, "datacat show heart@g") == ["heart@gold"]
    (cache,) = (home.home / ".cache" / "datacat" / "completion").glob("*.json")
    for damage in ("", "{", '{"seq":9}', '{"seq":1,"datasets":3}', "[" * 100_000, "\0"):
        cache.write_text(damage)
        assert offered(home, "datacat show ") == []


def test_what_cannot_be_typed_is_not_offered(home: Person) -> None:
    found = offered(home, "datacat show cmr/")
    assert len(found) == 2
    assert not any("bad" in word for word in found)


def test_powershell_quotes(home: Person) -> None:
    assert offered(home, "datacat show cmr@v", "powershell") == ["cmr@v2", "cmr@v1"]
    quoted = "'cmr/" + HOSTILE.replace("'", "''") + "'"
    assert offered(home, "datacat show cmr/", "powershell") == [quoted, "cmr/labels.csv"]
    assert offered(home, "datacat show", "powershell") == ["show"]
    assert offered(home, "datacat edit cmr --owner o", "powershell") == [f"'{OWNER}'"]


SETUP = {
    "bash": ["--norc", "--noprofile", "-i"],
    "zsh": ["-f", "-i"],
}
READY = {
    "bash": "bind 'set enable-bracketed-paste off'; eval \"$SCRIPT\"; PS1='rea''dy> '\n",
    "zsh": "unset zle_bracketed_paste; unsetopt prompt_sp prompt_cr; autoload -Uz compinit;"
    ' compinit -u -D; eval "$SCRIPT"; PS1="rea""dy> "\n',
}


@pytest.mark.parametrize("shell", SETUP)
def test_a_completed_word_is_what_the_command_gets(home: Person, shell: str) -> None:
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"{shell} is not installed")
    environment = {**home.environment, "SCRIPT": script(shell), "LC_ALL": "C.UTF-8"}
    with Terminal(
        [program, *SETUP[shell]], environment=environment, folder=home.home, columns=500
    ) as terminal:
        terminal.type(READY[shell])
        terminal.wait_for("ready> ")
        for typed, got in (
            ("datacat sho\tcm\t", ["show", "cmr"]),
            ("datacat show cmr@g\t", ["show", "cmr@gold"]),
            ("datacat show cmr@v2/i\t", ["show", f"cmr@v2/{HOSTILE}"]),
            ("datacat edit --owner o\t", ["edit", "--owner", OWNER]),
        ):
            terminal.raw = b""
            terminal.type(typed + "\n")
            terminal.wait_for("".join(f"\nARG<{word}>" for word in got))
        assert not (home.home / "pwned").exists()


def test_fish(home: Person) -> None:
    if shutil.which("fish") is None:
        pytest.skip("fish is not installed")

    def asked(line: str) -> list[str]:
        done = subprocess.run(
            ["fish", "--no-config", "-c", "echo $SCRIPT | source; complete -C $LINE"],
            env={
                **home.environment,
                "SCRIPT": script("fish"),
                "LINE": line,
                "LC_ALL": "C.UTF-8",
            },
            cwd=home.home,
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        assert done.stderr == ""
        return [found.partition("\t")[0] for found in done.stdout.splitlines()]

    assert sorted(asked("datacat show cmr@")) == ["cmr@gold", "cmr@v1", "cmr@v2"]
    # fish quotes when it inserts; what it is told is the word itself.
    assert asked("datacat show cmr/i") == [f"cmr/{HOSTILE}"]
    assert not (home.home / "pwned").exists()


def test_the_scripts(alice: Person) -> None:
    for shell in SHELLS:
        assert alice.run("completion", shell).out == script(shell)
        assert alice.run("completion", "--json", shell).json["shell"] == shell
    assert "COMP_WORDBREAKS=${COMP_WORDBREAKS//@/}" in script("bash")
    in_zsh = Person("alice", alice.home, {"SHELL": "/usr/bin/zsh"})
    assert in_zsh.run("completion").out == script("zsh")
    assert alice.run("completion", "tcsh", code=2).err.startswith(
        "Error: no completion for the shell 'tcsh'.\n  Known: bash, zsh, fish, powershell."
    )
    assert alice.run("completion", code=2).err.startswith("Error: which shell?")


def test_no_heavy_import(home: Person) -> None:
    code = (
        "import sys; from datacat.cli.main import main; main([]);"
        " print(*{'duckdb', 'fsspec', 'rich', 'msgspec', 'datacat.store'} & set(sys.modules))"
    )
    variables = {"_DATACAT_COMPLETE": "bash_complete", "COMP_WORDS": "datacat\nshow\nc"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**home.environment, **variables, "COMP_CWORD": "2"},
        cwd=home.home,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout == "plain,cmr\n\n"


def test_words_are_kept_exactly_or_not_at_all(tmp_path: Path) -> None:
    file = tmp_path / "below" / "words.json"
    words = Words(7, {"cmr": ("gold", "v1")}, ("x",), (HOSTILE,))
    remember(file, words)
    assert recall(file) == words
    assert json.loads(file.read_text())["seq"] == 7
    assert list(file.parent.iterdir()) == [file]
    blocked = tmp_path / "file"
    blocked.write_text("")
    remember(blocked / "words.json", words)
    assert recall(blocked / "words.json") == Words()
    assert files_of(file, "cmr@v1") == []
