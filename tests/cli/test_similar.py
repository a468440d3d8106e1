"""A folder that is nearly a known version: a question to a person, a warning to a script."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Person


def near_copy(alice: Person) -> Path:
    """A store with cmr@v1, and a folder that is nearly the same."""
    files = {f"f{i}.bin": os.urandom(2_000) for i in range(20)}
    alice.run("add", str(alice.make("cmr", files)))
    return alice.make("cmr_final", {**files, "extra.txt": "one more"})


@pytest.mark.xfail(strict=True, reason="the library does not look for similar versions yet")
@pytest.mark.parametrize(
    ("answer", "refs"),
    [
        ("1\n", ["cmr@v2", "cmr@v1"]),
        ("\n", ["cmr@v2", "cmr@v1"]),
        ("2\n", ["cmr-final@v1", "cmr@v1"]),
        ("what\n3\nq\n", ["cmr@v1"]),
    ],
)
def test_nearly_the_same_is_a_question(
    alice: Person, store: Path, answer: str, refs: list[str]
) -> None:
    near_copy(alice)
    with alice.on_terminal("add", "cmr_final") as terminal:
        for line in answer.splitlines(keepends=True):
            terminal.wait_for("Choose [1]: ")
            terminal.raw = terminal.raw.replace(b"Choose [1]: ", b"Choose: ")
            terminal.type(line)
        assert terminal.finish() == 0
    assert "This is 99% the same as cmr@v1 (20 of 21 files, 40.0 kB of 40.0 kB)." in terminal.text
    assert "+ 1 file only here       extra.txt" in terminal.text
    assert [e["ref"] for e in alice.run("--json", "log").json] == refs


@pytest.mark.parametrize(
    "variables", [{"JPY_PARENT_PID": "1"}, {"CI": "true"}, {"DATACAT_NO_INPUT": "1"}, {}]
)
def test_nobody_is_asked_where_nobody_can_answer(
    person: Callable[..., Person], alice: Person, store: Path, variables: dict[str, str]
) -> None:
    near_copy(alice)
    who = person("alice", **variables)
    flags = [] if variables else ["--no-input"]
    with who.on_terminal("add", "cmr_final", *flags) as terminal:
        assert terminal.finish() == 0
    assert "Choose" not in terminal.text
    assert "Saved cmr-final@v1: " in terminal.text
    assert alice.run("--json", "add", "cmr_final").json["created"] is False


@pytest.mark.xfail(strict=True, reason="the library does not look for similar versions yet")
def test_a_script_is_told_what_is_similar(alice: Person, store: Path) -> None:
    near_copy(alice)
    done = alice.run("--json", "add", "cmr_final")
    assert done.json["ref"] == "cmr-final@v1"
    assert [s["ref"] for s in done.json["similar"]] == ["cmr@v1"]
    assert 0.99 < done.json["similar"][0]["same_bytes_ratio"] < 1
