"""`datacat head` in a pipe and on a terminal."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Person

HOSTILE = "a[b]:smile:\x1b[31mred\u202e[/tmp] x"


@pytest.fixture
def cmr(alice: Person, store: Path) -> Path:
    folder = alice.make(
        "cmr",
        {
            "labels.csv": f'subject,"{HOSTILE}"\n"{HOSTILE}",61.2\nsub-2,48.9\nsub-3,1\n',
            "notes.txt": f"first\n\t{HOSTILE}\nthird\n",
            "sub 1/sax.png": b"\x89PNG\r\n\x1a\n" + bytes(90),
            "broken.csv": b"\x00" * 90,
            "empty.csv": "",
        },
    )
    alice.run("add", str(folder))
    return folder


def test_a_table(alice: Person, cmr: Path) -> None:
    shown = alice.run("head", "cmr/labels.csv", "-n", "1")
    escaped = "a[b]:smile:\\x1b[31mred\\u202e[/tmp] x"
    assert shown.out == f"subject\t{escaped}\n{escaped}\t61.2\n"
    assert shown.err == "1 of 3 rows, 2 columns\n"
    rows = alice.run("--json", "head", "cmr@v1/labels.csv").json
    assert rows[0] == {"subject": HOSTILE, HOSTILE: 61.2}
    assert len(rows) == 3
    schema = alice.run("head", "cmr/labels.csv", "--schema").out.splitlines()
    assert schema == ["column\ttype", "subject\tVARCHAR", f"{escaped}\tDOUBLE"]
    summary = alice.run("--json", "head", "cmr/labels.csv", "--summary").json
    assert [one["column_name"] for one in summary] == ["subject", HOSTILE]
    with alice.on_terminal("head", "cmr/labels.csv") as terminal:
        assert terminal.finish() == 0
    assert terminal.text.splitlines()[1].endswith("61.2")
    assert b"\x1b[31m" not in terminal.raw


def test_a_text_and_what_is_none(alice: Person, cmr: Path) -> None:
    text = alice.run("head", "cmr/notes.txt", "-n", "2").out
    assert text == "first\n\ta[b]:smile:\\x1b[31mred\\u202e[/tmp] x\n"
    assert alice.run("--json", "head", "cmr/notes.txt").json[2] == {"line": 3, "text": "third"}
    image = alice.run("head", "cmr/sub 1/sax.png").out
    assert (
        image == "sub 1/sax.png: PNG image, 98 B. Pull it:  datacat pull cmr@v1 'sub 1/sax.png'\n"
    )
    assert alice.run("--json", "head", "cmr/sub 1/sax.png").json == {
        "path": "sub 1/sax.png",
        "kind": "PNG image",
        "bytes": 98,
    }
    broken = alice.run("head", "cmr/broken.csv")
    assert broken.out.startswith("broken.csv: binary data, 90 B.")
    assert alice.run("head", "cmr/empty.csv").err == "empty.csv is empty.\n"


def test_what_cannot_be_shown_is_said(alice: Person, cmr: Path) -> None:
    several = alice.run("head", "cmr")
    assert [line.split("\t")[0] for line in several.out.splitlines()[1:]] == [
        "broken.csv",
        "empty.csv",
        "labels.csv",
    ]
    assert "Choose one:  datacat head cmr@v1/PATH" in several.err
    gone = alice.run("--json", "head", "cmr/label.csv", code=3)
    assert gone.json["error"]["code"] == "file_not_in_version"
    assert alice.run("head", "cmr/notes.txt", "--schema", code=1).err.startswith(
        "Error: notes.txt of cmr@v1 cannot be read as a table:"
    )
    alice.run("head", "cmr/labels.csv", "--schema", "--summary", code=2)
