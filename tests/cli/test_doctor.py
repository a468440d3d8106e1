"""`datacat doctor` as a person and a program see it, also without a store."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Person

Golden = Callable[..., None]

VARIES = {
    r"Python \d[\w.+]*, duckdb \d[\w.+]*": "Python 3, duckdb 2",
    r"datacat \d[\w.+]*": "datacat 0",
    r"in \d+ ms": "in N ms",
    r"/\S*/shared/datacat": "/shared/datacat",
    r"/\S*/home/": "/home/",
    r"group '[^']*'": "group 'imaging'",
    r"chgrp -R \S+": "chgrp -R imaging",
    r"system \([\w.]+\)": "system (nfs4)",
    r"reflink (yes|no)": "reflink no",
    r"hardlink (yes|no|own files only)": "hardlink yes",
    r"\d+% full \([^)]*\)": "N% full (N left)",
    r"\d+\.\d MB|\d+\.\d kB": "N MB",
}


def on_screen(person: Person, *arguments: str, code: int) -> str:
    with person.on_terminal(*arguments, columns=200) as terminal:
        assert terminal.finish() == code
        return terminal.text


@pytest.fixture
def roomy(store: Path) -> Path:
    """The store; the disk of the machine that runs the tests may be nearly full."""
    import shutil

    use = shutil.disk_usage(store)
    if use.used / (use.used + use.free) >= 0.9:
        pytest.skip("the disk is nearly full")
    return store


def test_all_is_well(alice: Person, roomy: Path, golden: Golden) -> None:
    text = on_screen(alice, "doctor", code=0)
    golden("doctor.txt", text, hide=VARIES)


def test_what_is_wrong_and_what_to_do(alice: Person, roomy: Path, golden: Golden) -> None:
    alice.run("add", str(alice.make("cmr", {"a.csv": "1\n"})))
    (roomy / "segments").chmod(0o2755)
    hub = Person("jovyan", alice.home, {"DATACAT_STORE": str(roomy)})
    golden("doctor-wrong.txt", on_screen(hub, "doctor", code=1), hide=VARIES)
    (roomy / "segments").chmod(0o2775)
    assert hub.run("doctor").err == "No problems, 1 note.\n"


def test_as_json(alice: Person, roomy: Path) -> None:
    found = alice.run("--json", "doctor")
    assert found.err == ""
    assert found.json["ok"] is True
    assert {"id", "state", "message", "fix", "fixed"} == set(found.json["checks"][0])
    assert {check["state"] for check in found.json["checks"]} == {"ok"}


def test_in_a_pipe_and_quietly(alice: Person, roomy: Path) -> None:
    lines = alice.run("doctor").out.splitlines()
    assert lines[0] == "STATE\tCHECK\tMESSAGE\tFIX"
    assert all(len(line.split("\t")) == 4 for line in lines)
    quiet = alice.run("-q", "doctor")
    assert (quiet.out, quiet.err) == ("STATE\tCHECK\tMESSAGE\tFIX\n", "")


def test_a_store_that_is_away(alice: Person, store: Path, golden: Golden) -> None:
    store.rename(store.with_name("elsewhere"))
    text = on_screen(alice, "doctor", code=1)
    golden("doctor-away.txt", text, hide=VARIES)
    assert "Traceback" not in text
    assert alice.run("--json", "doctor", code=1).json["ok"] is False


def test_without_any_store(person: Callable[..., Person]) -> None:
    chen = person("chen")
    found = chen.run("doctor")
    assert "no store is configured; a personal one will be made for you" in found.out
    assert "datacat init /shared/path" in found.out
    assert not (chen.home / ".local").exists()


def test_mending(alice: Person, bob: Person, roomy: Path) -> None:
    alice.run("add", str(alice.make("cmr", {"a.csv": "1\n"})))
    bob.run("pull", "cmr")
    (bob.home / "cmr").rename(bob.home / "old")
    (bob.home / "old" / ".datacat" / "copy.json").unlink()
    assert re.search(r"note\tcopies\t1 working copy of yours is not seen: ", bob.run("doctor").out)
    assert re.search(
        r"ok\tcopies\t1 working copy that is gone is not registered any more: ",
        bob.run("doctor", "--fix").out,
    )
    assert alice.run("--json", "show", "cmr").json["in_use_by"] == ["alice"]
    assert "copies" not in {line.split("\t")[1] for line in bob.run("doctor").out.splitlines()}


def test_odd_settings_are_told(alice: Person, roomy: Path) -> None:
    alice.make(".", {"datacat.toml": "usr = 'x'\n"})
    assert "note\tsettings\tunknown setting 'usr' in " in alice.run("doctor").out
