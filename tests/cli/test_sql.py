"""`datacat sql` in a pipe and on a terminal."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import Person

HOSTILE = "a[b]:smile:\x1b[31mred\u202e[/tmp] x|y"


@pytest.fixture
def cmr(alice: Person, store: Path) -> Path:
    folder = alice.make("cmr", {"labels.csv": "subject,lvef\nsub-1,61.2\nsub-2,48.9\n"})
    alice.run("add", str(folder), "-m", HOSTILE)
    return folder


def test_every_form_of_an_answer(alice: Person, cmr: Path) -> None:
    question = "select ref, message, bytes, null as n from versions"
    tab = alice.run("sql", question)
    assert tab.out == (
        "ref\tmessage\tbytes\tn\ncmr@v1\ta[b]:smile:\\x1b[31mred\\u202e[/tmp] x|y\t35\t\n"
    )
    assert tab.err == ""
    rows = list(csv.reader(io.StringIO(alice.run("sql", question, "--format", "csv").out)))
    assert rows == [["ref", "message", "bytes", "n"], ["cmr@v1", HOSTILE, "35", ""]]
    expected = [{"ref": "cmr@v1", "message": HOSTILE, "bytes": 35, "n": None}]
    assert alice.run("--json", "sql", question).json == expected
    assert alice.run("sql", question, "--format", "json").json == expected
    lines = alice.run("sql", question, "--format", "jsonl").out.splitlines()
    assert [json.loads(line) for line in lines] == expected
    assert alice.run("sql", question, "--format", "md").out == (
        "| ref | message | bytes | n |\n| --- | --- | ---: | --- |\n"
        "| cmr@v1 | a\\[b]:smile:\\\\x1b\\[31mred\\\\u202e\\[/tmp] x\\|y | 35 |  |\n"
    )
    table = alice.run("sql", question, "--format", "table").out
    assert table.splitlines()[0].split() == ["ref", "message", "bytes", "n"]
    assert alice.run("--json", "sql", "select 1 where false").json == []
    assert alice.run("sql", "select 1 as a where false").out == "a\n"


def test_a_table_fits_the_terminal(alice: Person, cmr: Path) -> None:
    question = "select ref, repeat('long ', 50) as text, bytes from versions"
    with alice.on_terminal("sql", question) as terminal:
        assert terminal.finish() == 0
    lines = terminal.text.splitlines()
    assert [line.split()[0] for line in lines] == ["ref", "cmr@v1"]
    assert all(len(line) <= 80 for line in lines)
    assert lines[1].endswith("…     35")


def test_files_by_url_and_a_question_on_standard_input(alice: Person, cmr: Path) -> None:
    question = "select round(avg(lvef), 2) as mean from 'datacat://cmr@v1/labels.csv'"
    assert alice.run("sql", "-", stdin=question).out == "mean\n55.05\n"
    gone = alice.run("sql", "from 'datacat://cmr@v1/label.csv'", code=3)
    assert gone.err == (
        "Error: no file label.csv in cmr@v1.\n"
        "  Did you mean labels.csv?     Try:  datacat ls --files cmr@v1\n"
    )


def test_what_is_refused_and_what_is_not_understood(alice: Person, cmr: Path) -> None:
    refused = alice.run("sql", "drop table datasets", code=6)
    assert refused.err.startswith("Error: sql is read-only: DROP is not a question.\n")
    outside = alice.run("--json", "sql", "from read_text('/etc/passwd')", code=6)
    assert outside.json["error"]["code"] == "sql_outside"
    unknown = alice.run("sql", "from nothing", code=2)
    assert "Views: datasets, versions, files, aliases, tags" in unknown.err
    assert "Traceback" not in unknown.err


def test_without_a_question_it_says_what_can_be_asked(alice: Person, cmr: Path) -> None:
    listed = alice.run("sql")
    names = [line.split("\t")[0] for line in listed.out.splitlines()]
    assert names[:4] == ["VIEW", "datasets", "versions", "files"]
    examples = [line for line in listed.err.splitlines() if line.startswith('datacat sql "')]
    assert len(examples) == 4
    for line in examples[:3]:
        alice.run("sql", line.removeprefix('datacat sql "').removesuffix('"'))
    document = alice.run("--json", "sql").json
    assert {"view", "row", "example"} == set(document[0])


@pytest.mark.parametrize(
    "question",
    [
        "select count(*) from range(100000000000) a, range(1000) b",
        # DuckDB does not hear of the interruption before it is done.
        "select list_sort(range(200000000))[1]",
    ],
)
def test_ctrl_c_ends_a_question_that_has_no_end(
    person: Callable[..., Person], cmr: Path, question: str
) -> None:
    alice = person("alice")
    (alice.home / "tmp").mkdir()
    alice = person("alice", TMPDIR=str(alice.home / "tmp"))
    with alice.on_terminal("-v", "sql", question) as terminal:
        # From then on the question is DuckDB's.
        folder = terminal.wait_until(lambda: next(spilling(alice), None))
        terminal.interrupt()
        assert terminal.finish() == 130
    assert "Stopped." in terminal.text
    assert "Traceback" not in terminal.text
    assert "leaked" not in terminal.text
    assert not folder.exists()


def spilling(person: Person) -> Iterator[Path]:
    """The temporary folders of questions that are being answered."""
    return (person.home / "tmp").glob("datacat-sql-*")
