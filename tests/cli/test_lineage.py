"""`lineage` and `add --from` from the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Person

Golden = Callable[..., None]
VARIES = {
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ": "TIME",
    r'"hash": "[0-9a-f]+"': '"hash": "HASH"',
}


@pytest.fixture
def team(alice: Person, bob: Person, store: Path) -> None:
    """Labels on cmr@v1, and a network from cmr@v2 and the labels."""
    cmr = alice.make("cmr", {"a.txt": "1"})
    alice.run("add", str(cmr))
    labels = bob.make("labels", {"l.csv": "x"})
    bob.run("add", str(labels), "--from", "CMR@1")
    (cmr / "a.txt").write_text("2")
    alice.run("add", str(cmr))
    bob.make("unet", {"w.bin": "w"})
    bob.run("add", "unet", "--from", "cmr", "--from", "./labels", "--from", "cmr@v2")


def test_lineage(alice: Person, team: None, golden: Golden) -> None:
    shown = alice.run("--json", "lineage", "unet")
    golden("lineage.json", json.dumps(shown.json, indent=1) + "\n", hide=VARIES)
    with alice.on_terminal("--color", "never", "lineage", "unet") as terminal:
        assert terminal.finish() == 0
    assert terminal.text.splitlines() == [
        "unet@v1   bob, just now",
        "└ made from",
        "   ├ cmr@v2      alice, just now",
        "   └ labels@v1   bob, just now",
        "      └ cmr@v1   alice, just now   ! an older cmr than above; v2 is newer",
    ]
    lines = alice.run("lineage", "cmr@v1", "--down").out.splitlines()
    assert [line.split("\t")[:4] for line in lines] == [
        ["DIRECTION", "FROM", "TO", "BY"],
        ["down", "cmr@v1", "labels@v1", "bob"],
        ["down", "labels@v1", "unet@v1", "bob"],
    ]
    assert alice.run("lineage", "cmr@v1", "--up").err == (
        "What cmr@v1 was made from is not recorded  (datacat add --from does it).\n"
    )
    assert alice.run("lineage", "cmr@v1", "--depth", "1").err == "There is more beyond --depth.\n"
    assert alice.run("lineage", "crm", code=3).err.startswith("Error: no dataset named 'crm'")
    assert alice.run("lineage", "cmr@v7", code=3).err.startswith("Error: cmr has no v7;")
    assert alice.run("lineage", "cmr", "--depth", "0", code=2).out == ""


def test_unknown_sources(bob: Person, team: None) -> None:
    (bob.home / "unet" / "w.bin").write_text("w2")
    for source, exit_code, text in (
        ("nobody", 3, "no dataset named 'nobody'"),
        ("cmr@v9", 3, "cmr has no v9; versions are v1, v2"),
        ("./nowhere", 3, "./nowhere does not exist"),
        (".", 2, ". is not a working copy of this store"),
        ("unet@v2", 3, "unet has no v2; its only version is v1"),
    ):
        failed = bob.run("add", "unet", "--from", source, code=exit_code)
        assert text in failed.err
    assert len(bob.run("log", "unet").out.splitlines()) == 2


def test_runs_side_by_side(alice: Person, store: Path, golden: Golden) -> None:
    for number, metric in enumerate(["secs=30:min", "secs=20", "secs=nan"], start=1):
        alice.make("net", {"w.bin": f"weights {number}"})
        words = ["--metric", metric, "--metric", f"dice=0.{number}", "--param", f"lr={number}e-4"]
        said = alice.run("add", "net", "--param", "opt=adam", *words).err
        assert ("secs 20 (best so far; v1 was 30)" in said) == (number == 2)
        assert ("warning: metric secs is 'nan', not a number" in said) == (number == 3)
    table = alice.run("log", "net", "--metrics").out
    golden("log-metrics.tsv", table, hide=VARIES)
    runs = alice.run("--json", "log", "net", "--metrics").json
    assert [run["best"] for run in runs] == [["dice"], ["secs"], []]
    assert runs[0]["better"] == {"secs": "min"}, "said of v1, known of v3"
    assert "best" not in alice.run("--json", "log", "net").json[0]
    assert alice.run("--json", "show", "net@v2").json["best"] == ["secs"]
    edited = alice.run("edit", "net@v3", "--metric", "secs=10:max", "--metric", "dice=0.3:max")
    assert edited.err == (
        "net@v3: secs nan → 10; secs is better when large; dice is better when large\n"
    )
    runs = alice.run("--json", "log", "net", "--metrics").json
    assert [run["best"] for run in runs] == [["dice"], [], ["secs"]]
    wrong = alice.run("add", "net", "--metric", "loss=0.2:mni", code=2)
    assert wrong.err.startswith("Error: --metric 'loss=0.2:mni' ends with neither :min nor :max.")


@pytest.mark.parametrize(
    ("name", "content", "text"),
    [
        ("p.json", b"\xff\xfe\x00", "is not text"),
        ("p.json", b"lr: 3", "cannot read p.json: "),
        ("p.json", b"[1, 2]", "holds no table of names and values"),
        ("p.toml", b"lr = ", "cannot read p.toml: "),
        ("p.yaml", b"a: [", "cannot read p.yaml: "),
        ("p.yaml", b"just text", "holds no table"),
        ("p.json", b" " * (1 << 20) + b"  {}", "is larger than 1 MiB"),
        ("p.json", b"[" * 100_000, "cannot read p.json"),
        ("p.json", b'{"a": NaN, "b": 1e999, "c": {"d": [1, {}]}, "\\u001b[31m": "\\u202e"}', ""),
    ],
)
def test_files_of_values_that_are_not_what_they_say(
    alice: Person, store: Path, name: str, content: bytes, text: str
) -> None:
    if name.endswith(".yaml"):
        pytest.importorskip("yaml")
    alice.make("net", {"w.bin": "w"})
    alice.make(".", {name: content})
    done = alice.run("add", "net", "--metrics", name, code=2 if text else 0)
    assert text in done.err
    if not text:
        found = alice.run("--json", "log", "net").json[0]["metrics"]
        assert found == {"a": "nan", "b": "inf", "c.d": "[1, {}]", "\x1b[31m": "\u202e"}
        for arguments in (["log", "net", "--metrics"], ["show", "net"], ["log"]):
            shown = alice.run(*arguments)
            assert "\x1b" not in shown.out + shown.err
            assert "\u202e" not in shown.out + shown.err
