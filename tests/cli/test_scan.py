"""`datacat scan` on a terminal, in a pipe, in JSON, and its report."""

from __future__ import annotations

import os
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.cli.conftest import Person
from tests.trees import content

HOSTILE = os.fsdecode(b'<script>alert(1) [bold] \x1b[2J \xe2\x80\xae gpj.\xff\n\t&amp;"')


@pytest.fixture
def drive(alice: Person) -> Path:
    drive = alice.home / "drive"
    for number in range(20):
        path = drive / f"alice/cmr/{number}.bin"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content(10_000, number))
    shutil.copytree(drive / "alice/cmr", drive / "bob/cmr_final")
    shutil.copytree(drive / "alice/cmr", drive / "bob/cmr_new")
    (drive / "bob/cmr_new/0.bin").write_bytes(b"changed")
    return drive


def test_on_a_terminal(alice: Person, drive: Path) -> None:
    with alice.on_terminal("scan", "drive", columns=70) as terminal:
        assert terminal.finish() == 0
        lines = [line.rstrip() for line in terminal.text.splitlines()]
    assert "390.0 kB of 590.0 kB is duplicate (66%)." in lines
    table = lines.index(next(line for line in lines if line.startswith("GROUP")))
    assert re.fullmatch(
        r"\w{7} +3  200\.0 kB  390\.0 kB  cmr = not in datacat yet", lines[table + 1]
    )
    assert lines[table + 2] == "         alice/cmr  bob/cmr_final  bob/cmr_new (95%)"
    assert any(line.startswith("  full report:  ./.cache/datacat/scan-2") for line in lines)
    assert lines[-1] == "Next:  datacat add ./drive/alice/cmr"


def test_in_a_pipe_and_in_json(alice: Person, drive: Path) -> None:
    alice.run("add", "drive/alice/cmr")
    outcome = alice.run("scan", "drive")
    header, *rows = [line.split("\t") for line in outcome.out.splitlines()]
    assert header == ["GROUP", "KIND", "COPIES", "EACH", "WASTED", "REF", "SAME", "PATH"]
    assert [row[1:7] for row in rows] == [
        ["folder", "3", "200000", "390000", "cmr@v1", same]
        for same in ("1.0000", "1.0000", "0.9500")
    ]
    assert "Next:" not in outcome.err
    document = alice.run("scan", "drive", "--json").json
    assert (document["files"], document["duplicate_bytes"]) == (60, 390_000)
    assert [group["ref"] for group in document["groups"]] == ["cmr@v1"]
    assert (
        alice.run("scan", "drive", "--files", "--limit", "5", "--json").json["groups_total"] == 20
    )


def test_a_dry_run_reads_nothing(alice: Person, drive: Path) -> None:
    outcome = alice.run("scan", "drive", "-n")
    assert "60 files, 590.0 kB; up to 590.0 kB would have to be read." in outcome.err
    assert not (alice.home / ".cache/datacat/scan").exists()


def test_nothing_twice(alice: Person) -> None:
    (alice.home / "empty").mkdir()
    outcome = alice.run("scan", "empty")
    assert outcome.err.startswith("using your personal store") or outcome.err
    assert "Nothing is there twice: 0 files, 0 B." in outcome.err


class Page(HTMLParser):
    """What a browser would make of a page: its elements and its text."""

    def __init__(self) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def test_hostile_names_are_only_text(alice: Person) -> None:
    drive = alice.home / "drive"
    for name in (HOSTILE, "plain"):
        (drive / name).mkdir(parents=True)
        (drive / name / "data").write_bytes(content(5000, 1))
        (drive / name / "more").write_bytes(content(6000, 1))
    outcome = alice.run("scan", "drive", "--report", "report.html")
    for text in (outcome.out, outcome.err):
        assert not re.search("[\x1b\u202e\udcff]|[^\n]\t[^\n]*<script>.*\n\t", text)
    assert r"\x1b[2J" in outcome.out
    assert all(line.count("\t") == 7 for line in outcome.out.splitlines())
    with alice.on_terminal("scan", "drive", columns=100) as terminal:
        terminal.finish()
        assert b"\x1b[2J" not in terminal.raw
        assert "[bold]" in terminal.text
    paths = [p["path"] for p in alice.run("scan", "drive", "--json").json["groups"][0]["paths"]]
    assert os.fsencode(str(drive / HOSTILE)) in map(os.fsencode, paths)
    html = (alice.home / "report.html").read_text(encoding="utf-8")
    page = Page()
    page.feed(html)
    assert not {"script", "img", "a", "link", "iframe"} & {tag for tag, _ in page.elements}
    assert not any(name.startswith("on") for _, attrs in page.elements for name in attrs)
    assert r'<script>alert(1) [bold] \x1b[2J \u202e gpj.\xff\n\t&amp;"' in page.text
    assert not re.search("https?:|url\\(|@import", html)


def test_a_report_with_many_copies_is_whole_and_folded(alice: Person) -> None:
    drive = alice.home / "drive"
    drive.mkdir()
    for number in range(30):
        (drive / f"copy-{number:02}").write_bytes(content(5000, 1))
    alice.run("scan", "drive", "--report", "deep/report.html")
    page = Page()
    page.feed((alice.home / "deep/report.html").read_text(encoding="utf-8"))
    assert all(f"copy-{number:02}" in page.text for number in range(30))
    assert ("details", {}) in page.elements
    viewports = [attrs for tag, attrs in page.elements if attrs.get("name") == "viewport"]
    assert viewports[0]["content"] == "width=device-width, initial-scale=1"


def test_adopt_and_undo(alice: Person) -> None:
    for folder in ("a", "b"):
        for number in range(3):
            path = alice.home / f"drive/{folder}/{number}.bin"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content(300_000, 2 * number + 1))
        (alice.home / f"drive/{folder}/small").write_bytes(content(1000, 8))
    group = alice.run("scan", "drive", "--json").json["groups"][0]["id"]
    plan = alice.run("scan", "drive", "--adopt", group)
    assert "Would save ./drive/a as a@v1" in plan.err
    assert "Would replace 3 of 4 files by 3 " in plan.err
    assert plan.err.splitlines()[-1].endswith(f"datacat scan drive --adopt {group} --yes")
    assert plan.out == "a@v1\n"
    done = alice.run("scan", "drive", "--adopt", group, "--yes")
    assert "Saved ./drive/a as a@v1: " in done.err
    assert "left alone: ./drive/b/small: is not kept whole" in done.err
    undo = done.err.splitlines()[-1].split("--undo ")[1]
    assert (alice.home / "drive/b/0.bin").read_bytes() == content(300_000, 1)
    assert not os.access(alice.home / "drive/b/0.bin", os.W_OK) or os.geteuid() == 0
    back = alice.run("scan", "--undo", undo, "--json").json
    assert (back["restored"], back["kept_total"]) == (3, 0)
    assert (alice.home / "drive/b/0.bin").stat().st_nlink == 1


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("scan", "drive", "--adopt", "0000000"), 3, "no group '0000000' among 0"),
        (("scan", "drive", "--yes"), 2, "--name, --link and --yes go with --adopt"),
        (("scan", "drive", "--undo", "file"), 2, "--undo FILE stands alone"),
        (("scan", "--undo", "file"), 2, "file is not an undo file"),
        (("scan", "--undo", "nothing"), 3, "no file nothing"),
        (("scan", "nothing"), 3, "nothing does not exist"),
        (("scan", "--min-size", "large"), 2, "'large' is not a size"),
        (("scan", "--depth", "0"), 2, "'0' is not a whole number from 1"),
        (("scan", "file"), 1, "file is not a folder"),
        (("scan", "drive", "--report", "file/below"), 1, "cannot write the report"),
    ],
)
def test_errors(alice: Person, arguments: tuple[str, ...], code: int, message: str) -> None:
    (alice.home / "drive").mkdir()
    (alice.home / "file").write_text("x")
    outcome = alice.run(*arguments, code=code)
    assert message in outcome.err
    assert "Traceback" not in outcome.err
