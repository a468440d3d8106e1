"""Error texts: what happened, what we know, what to run."""

from __future__ import annotations

from datacat.errors import Corrupt, DatacatError, InvalidInput, NotFound, Refused
from datacat.render.errors import error_document, error_lines


def shown(error: DatacatError) -> list[str]:
    return list(error_lines(error))


def test_hint_and_command_share_a_line() -> None:
    error = NotFound(
        "no dataset named 'crm' in the store /shared/datacat",
        kind="dataset_not_found",
        hint="Did you mean 'cmr'?",
        commands=["datacat ls"],
    )
    assert shown(error) == [
        "Error: no dataset named 'crm' in the store /shared/datacat.",
        "  Did you mean 'cmr'?     Try:  datacat ls",
    ]
    assert error_document(error) == {
        "error": {
            "code": "dataset_not_found",
            "exit": 3,
            "message": "no dataset named 'crm' in the store /shared/datacat.",
            "hint": "Did you mean 'cmr'?",
            "try": ["datacat ls"],
        }
    }


def test_what_each_command_does_stands_before_it() -> None:
    error = Refused(
        "./cmr has 2 files you changed since cmr@v3; nothing was touched.\n~ labels.csv\n+ x",
        kind="local_edits",
        commands=[
            "datacat pull cmr@v4 -d cmr-v4   (keep both)",
            "datacat add ./cmr   (save mine)",
            "datacat pull cmr@v4 --force   (discard mine, kept in ./cmr/.datacat/backup)",
            "datacat diff ./cmr",
        ],
    )
    assert shown(error) == [
        "Error: ./cmr has 2 files you changed since cmr@v3; nothing was touched.",
        "  ~ labels.csv",
        "  + x",
        "  Keep both:     datacat pull cmr@v4 -d cmr-v4",
        "  Save mine:     datacat add ./cmr",
        "  Discard mine:  datacat pull cmr@v4 --force   (kept in ./cmr/.datacat/backup)",
        "  Try:           datacat diff ./cmr",
    ]
    document = error_document(error)["error"]
    assert document["try"] == [  # type: ignore[index]
        "datacat pull cmr@v4 -d cmr-v4",
        "datacat add ./cmr",
        "datacat pull cmr@v4 --force",
        "datacat diff ./cmr",
    ]


def test_several_commands_are_aligned() -> None:
    error = InvalidInput("no", commands=["datacat a", "datacat b"])
    assert shown(error) == ["Error: no.", "  Try:  datacat a", "        datacat b"]


def test_names_from_others_cannot_move_the_cursor() -> None:
    error = Corrupt("bad \x1b[2J\u202ename", hint="is \x07it", commands=["datacat \x1b[1m"])
    text = "\n".join(shown(error))
    assert "\x1b" not in text
    assert "\x07" not in text
    assert "bad \\x1b[2J\\u202ename." in text


def test_a_long_hint_leaves_the_command_its_own_line() -> None:
    error = InvalidInput("no", hint="x" * 70, commands=["datacat ls"])
    assert shown(error)[1:] == ["  " + "x" * 70, "  Try:  datacat ls"]
