"""Help, unknown commands and wrong usage."""

from __future__ import annotations

import importlib
from collections.abc import Callable

import click
import pytest

from datacat.cli.command import Command
from datacat.cli.commands import ENTRIES, GROUPS, SYNONYMS
from datacat.cli.reference import page
from tests.cli.conftest import ROOT, Person

Golden = Callable[..., None]


def test_help(alice: Person, golden: Golden) -> None:
    shown = alice.run("--help")
    golden("help.txt", shown.out)
    assert alice.run().out == alice.run("-h").out == alice.run("help").out == shown.out
    assert shown.err == ""
    assert max(len(line) for line in shown.out.splitlines()) <= 80


@pytest.mark.parametrize("name", list(ENTRIES))
def test_help_of_each_command(alice: Person, golden: Golden, name: str) -> None:
    shown = alice.run(name, "--help").out
    golden(f"help-{name}.txt", shown)
    assert alice.run("help", name).out == alice.run(name, "-h").out == shown
    assert max(len(line) for line in shown.splitlines()) <= 80


@pytest.mark.parametrize("name", list(ENTRIES))
def test_each_entry_is_a_command_of_its_name(name: str) -> None:
    command = importlib.import_module(f"datacat.cli.{name}").command
    assert isinstance(command, Command)
    assert command.name == name
    assert (command.help or "").startswith(ENTRIES[name].summary + ".")


def test_no_option_means_two_things() -> None:
    for name in ENTRIES:
        command = importlib.import_module(f"datacat.cli.{name}").command
        words = [word for param in command.params for word in (*param.opts, *param.secondary_opts)]
        options = [word for word in words if word.startswith("-")]
        assert len(options) == len(set(options)), name


def test_the_reference_page_is_what_help_says() -> None:
    assert (ROOT / "docs" / "cli.md").read_text() == page()


def test_the_table_is_in_order() -> None:
    names = [entry.name for _, entries in GROUPS for entry in entries]
    assert len(names) == len(set(names))
    assert not set(SYNONYMS) & set(names)
    assert set(SYNONYMS.values()) <= set(names)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("push", "add"),
        ("FETCH", "pull"),
        ("search", "ls"),
        ("fsck", "verify"),
        ("login", "init"),
        ("df", "du"),
    ],
)
def test_other_tools_words(alice: Person, typed: str, meant: str) -> None:
    outcome = alice.run(typed, "--with", "options", code=2)
    assert outcome.err == (
        f"Error: no command '{typed}'.\n  In datacat that is:  datacat {meant}\n"
    )
    assert outcome.out == ""


def test_a_mistyped_command(alice: Person) -> None:
    assert alice.run("stauts", code=2).err == (
        "Error: no command 'stauts'.\n  Did you mean 'status'?\n"
    )
    assert alice.run("xyzzy", code=2).err == (
        "Error: no command 'xyzzy'.\n  Try:  datacat --help\n"
    )


@pytest.mark.parametrize("arguments", [["sho", "x"], ["ls", "--tre"], ["--vers"], ["ls", "--mi"]])
def test_nothing_is_abbreviated(alice: Person, arguments: list[str]) -> None:
    assert alice.run(*arguments, code=2).out == ""


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["ls", "--tre"], "Error: no option --tre.\n  Did you mean --tree?     Try:  datacat ls"),
        (["show"], "Error: missing argument 'REF'.\n  Try:  datacat show --help"),
        (["ls", "--limit", "0"], "Error: invalid value for '--limit': '0' is not a whole number"),
        (["add", "a", "b", "--name", "x"], "Error: --name fits one path, not 2.\n"),
        (["add", "x", "--param", "lr"], "Error: --param 'lr' is not KEY=VALUE.\n"),
        (["add", "x", "--frobnicate"], "Error: no option --frobnicate"),
        (["ls", "--since", "soon"], "Error: 'soon' is not an age or a date.\n"),
        (["ls", "--sort", "colour"], "Error: cannot sort by 'colour'.\n"),
        (["log", "--metrics"], "Error: --params and --metrics need a NAME.\n"),
        (["ls", "-j", "0"], "Error: 'jobs' in --jobs is '0'; expected a whole number from 1.\n"),
        (["config", "frob"], "Error: no action 'frob'; known are get, set, unset, path.\n"),
        (["config", "get", "stroe"], "Error: no setting 'stroe'.\n  Did you mean 'store'?"),
        (["ls", "--color", "pink"], "Error: invalid value for '--color'"),
    ],
)
def test_wrong_usage(alice: Person, arguments: list[str], text: str) -> None:
    outcome = alice.run(*arguments, code=2)
    assert outcome.err.startswith(text), outcome.err
    assert outcome.out == ""


def test_wrong_usage_as_json(alice: Person) -> None:
    before = alice.run("--json", "lss", code=2)
    assert before.json["error"] == {
        "code": "unknown_command",
        "exit": 2,
        "message": "no command 'lss'.",
        "hint": "Did you mean 'ls'?",
        "try": [],
    }
    after = alice.run("show", "--json", code=2)
    assert after.json["error"]["code"] == "usage"
    assert after.json["error"]["try"] == ["datacat show --help"]
    assert before.err == after.err == ""
    # What follows -- is no option.
    assert alice.run("show", "--", "--json", "x", code=2).err.startswith("Error: ")


def test_global_options_stand_anywhere(alice: Person) -> None:
    for arguments in (
        ["--json", "config", "get", "jobs", "-j", "3"],
        ["-j", "3", "config", "--json", "get", "jobs"],
        ["config", "get", "jobs", "--json", "--jobs=3"],
    ):
        assert alice.run(*arguments).json == {"key": "jobs", "value": 3, "from": "--jobs"}


def test_click_is_only_imported_by_the_command_line() -> None:
    assert issubclass(Command, click.Command)
    for path in (ROOT / "datacat").rglob("*.py"):
        if "cli" not in path.parts:
            assert "import click" not in path.read_text(), path
